"""Every way a handler can fail: a scene first, then an answer that names it, then the last frame."""

from __future__ import annotations

import json
import os
import time

import pytest
from relive_base.wire.messages import Done, Profile, Result, Scene, Stop
from worker_harness import ZygoteHandle


@pytest.mark.parametrize(
    ("code", "status", "kind", "message"),
    [
        ("def handler(e, c):\n    return {}['missing']", "error", "exception", "missing"),
        ("import sys\ndef handler(e, c):\n    sys.exit('bye')", "crash", "exit", "bye"),
        ("def handler(e, c):\n    return handler(e, c)", "error", "recursion", "recursion"),
        ("def handler(e, c):\n    return len(bytearray(64 << 30))", "memory", "memory", ""),
        (
            "def handler(e, c):\n    return {'a': [1, 2, 3, {4}]}",
            "error",
            "bad_result",
            'result["a"][3]: set',
        ),
        ("def handler(e, c):\n    return float('nan')", "error", "bad_result", "NaN"),
        ("def handler(e, c):\n    return 'x' * 7_000_000", "error", "bad_result", "limit"),
        ("def handler(e, c):\n    raise KeyboardInterrupt", "error", "exception", ""),
    ],
)
def test_a_failure_leaves_a_scene_and_an_answer(
    running: ZygoteHandle, code: str, status: str, kind: str, message: str
) -> None:
    # Given a handler that fails
    worker = running.worker(code)
    # When it gets an event
    outcome = worker.invoke({"x": 1})
    # Then the answer names the failure, the scene came before it, and the worker takes no other event
    assert outcome.result.status == status
    assert outcome.result.error is not None
    assert outcome.result.error.kind == kind
    assert message in outcome.result.error.message
    assert outcome.scene is not None
    assert outcome.scene.error.kind == kind
    assert "During handling" not in outcome.result.error.traceback
    assert outcome.result.reusable is False
    assert outcome.done.reusable is False


def test_the_context_of_a_failure_is_shown_by_its_facts(running: ZygoteHandle) -> None:
    # Given a handler that fails
    worker = running.worker("def handler(event, context):\n    return 1 / 0", timeout_s=60.0)

    # When it is called
    outcome = worker.invoke({})

    # I expect `context` to have what AWS Lambda's has, with the time that was left, and nothing of ours
    assert outcome.scene is not None
    [frame] = json.loads(outcome.scene.members["exception.json"])[0]["frames"]
    [context] = [value for name, value in frame["locals"] if name == "context"]
    assert context["type"] == "relive.LambdaContext"
    shown = {name: value["text"] for name, value in context["children"]}
    assert shown["function_name"] == "'test-function'"
    assert shown["aws_request_id"] == repr(outcome.result.invocation_id)
    assert 0 < int(shown["remaining_time_in_millis"]) <= 60_000
    assert not [name for name in shown if name.startswith("_")]


def test_the_context_can_be_pickled(running: ZygoteHandle) -> None:
    # Given a handler that hands its context on to another process
    code = (
        "import pickle\ndef handler(event, context):\n"
        "    return pickle.loads(pickle.dumps(context)).aws_request_id == context.aws_request_id"
    )

    # I expect it to be the same there
    assert running.worker(code).invoke({}).value is True


def test_the_scene_comes_before_the_result_and_the_profile_after_it(running: ZygoteHandle) -> None:
    worker = running.worker("def handler(e, c):\n    sum(range(10_000_000))\n    return 1 / 0")
    worker.wire.send(worker.invoke_frame({}))
    frames = _until_done(worker.wire)
    order = [type(frame) for frame in frames if not (isinstance(frame, Profile) and frame.phase == "init")]
    assert order.index(Scene) < order.index(Result) < order.index(Profile) < order.index(Done)


def test_a_failed_worker_stays_until_it_is_told_to_leave(running: ZygoteHandle) -> None:
    # Given a worker that failed
    worker = running.worker("def handler(e, c):\n    raise ValueError('x')")
    worker.invoke({})
    # Then it is alive, and leaves on Stop
    os.kill(worker.pid, 0)
    worker.stop()
    assert running.wait_exit(worker).status == 0


def test_a_worker_leaves_when_its_socket_closes(running: ZygoteHandle) -> None:
    worker = running.worker("def handler(e, c):\n    return 1")
    worker.wire.socket.close()
    assert running.wait_exit(worker).status == 0


@pytest.mark.parametrize(
    "code",
    [
        "def handler(e, c):\n    while True:\n        pass",
        "import re\ndef handler(e, c):\n    return bool(re.match('(a+)+$', 'a' * 40 + 'b'))",
        "import threading as t\ndef handler(e, c):\n    for _ in '12':\n        handler.lock.acquire()\n"
        "handler.lock = t.Lock()",
        "import time\ndef handler(e, c):\n    time.sleep(30)",
        (
            "import time\ndef handler(e, c):\n    try:\n        time.sleep(30)\n"
            "    except BaseException:\n        time.sleep(0.05)\n        return 'swallowed'"
        ),
        (
            "import time\ndef handler(e, c):\n    for attempt in range(3):\n        try:\n"
            "            time.sleep(30)\n        except BaseException:\n            pass\n    return 1"
        ),
        "import asyncio\nasync def handler(e, c):\n    here = 1\n    await asyncio.sleep(30)",
        "async def handler(e, c):\n    while True:\n        pass",
    ],
    ids=["loop", "regex", "deadlock", "sleep", "swallowed", "swallowed again", "async", "async loop"],
)
def test_a_timeout_is_raised_in_python_code(running: ZygoteHandle, code: str) -> None:
    # Given code that takes for ever, each in its own way
    worker = running.worker(code, timeout_s=1.0)
    # When it is invoked
    began = time.monotonic()
    outcome = worker.invoke({})
    # Then it is interrupted, not before its time, and the scene shows where
    assert time.monotonic() - began > 0.9
    assert outcome.result.status == "timeout"
    assert outcome.result.error is not None
    assert (outcome.result.error.type, outcome.result.error.kind) == ("Timeout", "timeout")
    assert "_fire" not in outcome.result.error.traceback
    assert "ran longer than its 1 s" in outcome.result.error.message
    assert outcome.scene is not None
    assert b'"handler"' in outcome.scene.members["exception.json"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a": "\xff"}', "byte 0xff at offset 7"),
        (b'{"a": NaN}', "NaN, which JSON does not allow, at offset 6"),
        (b'{"a": 1, "a": 2}', "key 'a' twice"),
        (b"[" * 100_000, "100000 levels deep"),
        (b'{"a":', "line 1 column 6 (offset 5)"),
    ],
)
def test_a_poisoned_event_is_refused_and_the_worker_goes_on(
    running: ZygoteHandle, raw: bytes, message: str
) -> None:
    worker = running.worker("def handler(e, c):\n    return e")
    outcome = worker.invoke(raw=raw)
    assert outcome.result.status == "error"
    assert outcome.result.http_status == 400
    assert outcome.result.error is not None
    assert outcome.result.error.kind == "bad_event"
    assert message in outcome.result.error.message
    assert outcome.scene is not None
    assert worker.invoke({"fine": True}).value == {"fine": True}


@pytest.mark.parametrize(
    ("code", "handler", "message"),
    [
        ("x = 1", "nowhere:handler", "no module 'nowhere'"),
        ("def other(e, c): ...", "main:handler", "no attribute 'handler'"),
        ("handler = 3", "main:handler", "not callable"),
        ("import does_not_exist", "main:handler", "does_not_exist"),
        ("raise RuntimeError('at import')", "main:handler", "at import"),
        ("import sys\nsys.exit(3)", "main:handler", "3"),
        ("def handler(:", "main:handler", "syntax"),
    ],
)
def test_loading_fails_with_a_clear_error(
    running: ZygoteHandle, code: str, handler: str, message: str
) -> None:
    worker = running.unloaded(code, handler)
    failed, before = worker.init_failed()
    assert failed.error.kind == "init"
    assert message in failed.error.message
    assert [frame for frame in before if isinstance(frame, Scene)]
    # It waits with its frames, for a debugger and its heap, until it is told to leave
    worker.wire.send(Stop())
    assert running.wait_exit(worker).status == 0


def test_os_exit_and_kill_are_reported_by_the_zygote(running: ZygoteHandle) -> None:
    # Given a handler that ends its process, when it is invoked, then the status tells how
    worker = running.worker("import os\ndef handler(e, c):\n    os._exit(7)")
    worker.wire.send(worker.invoke_frame({}))
    assert os.waitstatus_to_exitcode(running.wait_exit(worker).status) == 7
    # And for a killed one, the signal
    worker = running.worker("def handler(e, c):\n    return 1")
    running.kill(worker)
    exited = running.wait_exit(worker)
    assert os.waitstatus_to_exitcode(exited.status) == -9
    assert exited.peak_rss_bytes > 0


def _until_done(wire: object) -> list[object]:
    frames: list[object] = []
    while not frames or not isinstance(frames[-1], Done):
        frames.append(wire.next())  # type: ignore[attr-defined]
    return frames


NO_MEMORY = """
def fill():
    hoard = []
    for size in (1 << 24, 1 << 20, 1 << 16, 1 << 12, 1 << 9, 400, 200, 100, 60, 33):
        try:
            while True:
                hoard.append(bytes(size))
        except MemoryError:
            pass
    return hoard

def raises(event, context):
    hoard = fill()
    raise ValueError("no memory is left")

def loops(event, context):
    hoard = fill()
    while True:
        pass
"""


@pytest.mark.parametrize(("function", "error"), [("raises", "ValueError"), ("loops", "Timeout")])
def test_a_failure_without_any_memory_left_is_captured_all_the_same(
    running: ZygoteHandle, function: str, error: str
) -> None:
    # Given a function that has taken every last byte, in objects of all sizes
    worker = running.worker(NO_MEMORY, handler=f"main:{function}", memory_mb=16, timeout_s=60)
    # When it fails
    outcome = worker.invoke(None, timeout_s=6 if function == "loops" else 60)
    # Then the reserve is enough to say where and why
    assert outcome.result.error is not None
    assert outcome.result.error.type == error
    assert outcome.result.error.function == function
    assert outcome.scene is not None
    assert "exception.json" in outcome.scene.members
