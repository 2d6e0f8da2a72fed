"""What a handler gets, what becomes of what it returns, and what of its process it can see."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from relive_base.wire.messages import Ready
from worker_harness import Outcome, ZygoteHandle


def test_an_event_function_gets_event_and_context(running: ZygoteHandle) -> None:
    worker = running.worker(
        "def handler(event, context):\n"
        "    return [event, context.aws_request_id, context.function_name, context.function_version,\n"
        "            context.memory_limit_in_mb, context.trace_id, context.get_remaining_time_in_millis(),\n"
        "            context.identity, context.client_context, context.invoked_function_arn]",
        memory_mb=128,
        version=7,
    )
    outcome = worker.invoke({"x": [1, 2.5, None, "é"]})
    event, request_id, name, version, memory, trace_id, left_ms, identity, client, arn = outcome.value
    assert event == {"x": [1, 2.5, None, "é"]}
    assert request_id == outcome.result.invocation_id
    assert (name, version, memory) == ("test-function", "7", "128")
    assert len(trace_id) == 32
    assert 0 < left_ms <= 60_000
    assert identity is None
    assert client is None
    assert "test-function" in arn


@pytest.mark.parametrize("handler", ["main:handler", "main.handler", "main:Box.method"])
def test_handlers_are_named_as_here_and_as_in_lambda(running: ZygoteHandle, handler: str) -> None:
    code = "class Box:\n    @staticmethod\n    def method(e, c):\n        return 1\nhandler = Box.method"
    assert running.worker(code, handler).invoke({}).value == 1


def test_state_stays_between_invocations_and_async_handlers_share_a_loop(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import asyncio\nloops = set()\n"
        "async def handler(e, c):\n    loops.add(id(asyncio.get_running_loop()))\n"
        "    await asyncio.sleep(0)\n    return len(loops)"
    )
    assert [worker.invoke({}).value for _ in range(3)] == [1, 1, 1]


def test_decorated_async_handlers_and_async_http_functions_are_awaited(running: ZygoteHandle) -> None:
    code = (
        "import asyncio\nasync def inner(*a):\n    await asyncio.sleep(0)\n    return {'a': 1}\n"
        "def handler(*a):\n    return inner(*a)"
    )
    assert running.worker(code).invoke({}).value == {"a": 1}
    assert running.worker(code, kind="http").request().value == {"a": 1}
    assert running.worker(code, "main:inner", kind="http").request().value == {"a": 1}


def test_a_handlers_module_may_have_the_name_of_a_module_that_is_loaded(running: ZygoteHandle) -> None:
    source = running.home / "code" / "namesake"
    source.mkdir(parents=True)
    (source / "logging.py").write_text("def handler(e, c):\n    return 'mine'")
    worker = running.fork(running.spec(source, "logging:handler"))
    worker.start()
    assert worker.invoke({}).value == "mine"


def test_prints_and_logs_are_lines_and_never_the_answer(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import logging, os, threading\n"
        "def handler(e, c):\n"
        "    print('printed')\n    logging.warning('logged')\n    os.write(1, b'past python')\n"
        "    t = threading.Thread(target=lambda: 1 / 0)\n    t.start()\n    t.join()\n    return 'answer'"
    )
    outcome = worker.invoke({})
    assert outcome.value == "answer"
    assert "printed" in outcome.lines
    assert "logged" in outcome.lines
    assert any("ZeroDivisionError" in line for line in outcome.lines)  # a thread's exception is not lost
    assert worker.console() == "past python"


def test_done_tells_what_it_cost(running: ZygoteHandle) -> None:
    worker = running.worker("def handler(e, c):\n    sum(range(3_000_000))\n    print('x')\n    return 1")
    done = worker.invoke({}).done
    assert done.cpu_ns > 5_000_000
    assert 10_000_000 < done.rss_bytes <= done.peak_rss_bytes + 10_000_000
    assert done.logs == 1


def test_an_http_trigger_gives_an_event_function_payload_2(running: ZygoteHandle) -> None:
    worker = running.worker(
        "def handler(event, c):\n"
        "    return {'statusCode': 201, 'headers': {'X-A': 'b', 'Content-Type': 'text/plain'},\n"
        "            'cookies': ['a=1'], 'body': event['rawPath'] + event['queryStringParameters']['q']\n"
        "             + event['requestContext']['http']['method'] + event['body'] + event['headers']['x-in']}"
    )
    outcome = worker.request("POST", "/p", query="q=7", headers=[("x-in", "yes")], body=b"hi")
    assert outcome.result.http_status == 201
    assert outcome.result.body == b"/p7POSThiyes"
    assert outcome.result.content_type == "text/plain"
    assert outcome.result.headers == [("x-a", "b"), ("set-cookie", "a=1")]
    # And any other value is JSON with 200
    plain = running.worker("def handler(e, c):\n    return [1]").request()
    assert (plain.result.http_status, plain.result.body) == (200, b"[1]")


HTTP_CODE = """
from werkzeug.exceptions import abort
from werkzeug.wrappers import Response
def handler(request):
    what = request.args.get("what", "")
    if what == "echo":
        return {"json": request.get_json(silent=True), "h": request.headers["X-H"], "m": request.method,
                "p": request.path, "root": request.root_path, "url": request.url, "c": request.cookies["k"]}
    return {"text": "héllo", "bytes": b"raw", "list": [1], "tuple": ("made", 201, {"X-R": "1"}),
            "response": Response("r", 418, {"X-T": "tea"}, mimetype="text/plain"),
            "generator": (part for part in ["a", b"b"])}[what] if what != "abort" else abort(404)
"""


@pytest.fixture(scope="module")
def http_answers(running: ZygoteHandle) -> dict[str, Outcome]:
    worker = running.worker(HTTP_CODE, kind="http")
    names = ["text", "bytes", "list", "tuple", "response", "generator", "abort"]
    return {name: worker.request("GET", "/", query=f"what={name}") for name in names}


@pytest.mark.parametrize(
    ("name", "status", "body", "content_type"),
    [
        ("text", 200, "héllo".encode(), "text/html; charset=utf-8"),
        ("bytes", 200, b"raw", "text/html; charset=utf-8"),
        ("list", 200, b"[1]", "application/json"),
        ("tuple", 201, b"made", "text/html; charset=utf-8"),
        ("response", 418, b"r", "text/plain; charset=utf-8"),
        ("generator", 200, b"ab", "text/html; charset=utf-8"),
    ],
)
def test_an_http_function_answers_as_with_flask(
    http_answers: dict[str, Outcome], name: str, status: int, body: bytes, content_type: str
) -> None:
    result = http_answers[name].result
    assert (result.status, result.http_status, result.body) == ("ok", status, body)
    assert result.content_type == content_type


def test_abort_is_an_answer_and_not_a_failure(http_answers: dict[str, Outcome]) -> None:
    assert http_answers["abort"].result.status == "ok"
    assert http_answers["abort"].result.http_status == 404
    assert http_answers["tuple"].result.headers == [("x-r", "1")]


def test_an_http_function_sees_the_request(running: ZygoteHandle) -> None:
    worker = running.worker(HTTP_CODE, kind="http")
    headers = [("content-type", "application/json"), ("x-h", "v"), ("cookie", "k=1")]
    outcome = worker.request(
        "PUT", "/a/b", query="what=echo", headers=headers, body=b'{"n": 1}', mount="/fn/test-function"
    )
    assert outcome.value == {
        "json": {"n": 1},
        "h": "v",
        "m": "PUT",
        "p": "/a/b",
        "root": "/fn/test-function",
        "url": "http://localhost:8700/fn/test-function/a/b?what=echo",
        "c": "1",
    }


def test_the_process_has_only_what_it_needs(running: ZygoteHandle) -> None:
    # Given another worker that is alive, so that its descriptors could leak
    running.worker("def handler(e, c):\n    return 1")
    # When a function looks around
    worker = running.worker(
        "import os, resource, signal, sys, tempfile\n"
        "def handler(e, c):\n"
        "    return {'fds': {n: os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')\n"
        "                    if os.path.exists(f'/proc/self/fd/{n}') or n in '012'},\n"
        "            'env': dict(os.environ), 'cwd': os.getcwd(), 'path': sys.path,\n"
        "            'tmp': tempfile.gettempdir(),\n"
        "            'sid': os.getsid(0) == os.getpid(), 'main': hasattr(sys.modules['__main__'], 'main'),\n"
        "            'sigterm': signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,\n"
        "            'core': resource.getrlimit(resource.RLIMIT_CORE)[0], 'argv': sys.argv}",
        environment={"STAGE": "test", "LANG": "de_DE.UTF-8"},
    )
    seen: dict[str, Any] = worker.invoke({}).value
    others = {number: target for number, target in seen["fds"].items() if int(number) > 2}
    assert len([target for target in others.values() if target.startswith("socket:")]) == 1
    assert all(int(number) >= 4_000 for number, t in others.items() if t.startswith("socket:"))
    assert seen["fds"]["0"] == "/dev/null"
    assert seen["fds"]["1"] == seen["fds"]["2"]
    assert "SERVER_SECRET" not in seen["env"]
    assert seen["env"]["STAGE"] == "test"
    assert seen["env"]["LANG"] == "de_DE.UTF-8"
    assert seen["env"]["AWS_LAMBDA_FUNCTION_NAME"] == "test-function"
    assert seen["env"]["HOME"] == worker.spec.scratch
    assert seen["env"]["TMPDIR"] == seen["tmp"]
    assert seen["cwd"] == worker.spec.source == seen["path"][0]
    assert seen["path"][-1] == str(running.runtime)
    assert seen["sid"] is True
    assert seen["main"] is False
    assert seen["sigterm"] is True
    assert seen["core"] == 0


def test_code_that_forks_or_closes_descriptors_does_not_break_the_wire(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import os\n"
        "def handler(e, c):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n        return 'from the child'\n"
        "    os.waitpid(pid, 0)\n    os.closerange(3, 1024)\n    return 'from the parent'"
    )
    assert worker.invoke({}).value == "from the parent"
    assert worker.invoke({}).value == "from the parent"


def test_code_that_replaces_stdout_does_not_break_the_wire(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import io, sys\ndef handler(e, c):\n    sys.stdout = io.StringIO()\n    print(1)\n    return 1"
    )
    assert [worker.invoke({}).value for _ in range(2)] == [1, 1]


def test_the_init_profile_and_ready_tell_of_the_cold_start(running: ZygoteHandle) -> None:
    worker = running.unloaded("total = sum(range(3_000_000))\ndef handler(e, c):\n    return total")
    ready = worker.start()
    assert isinstance(ready, Ready)
    assert ready.pid == worker.pid
    assert ready.started_ns < ready.loaded_ns
    assert ready.cpu_ns > 0


def test_subprocesses_work(running: ZygoteHandle) -> None:
    worker = running.worker(
        "import subprocess, sys\n"
        "def handler(e, c):\n"
        "    return subprocess.check_output([sys.executable, '-c', 'print(6 * 7)'], text=True)",
        timeout_s=60,
    )
    assert worker.invoke({}).value == "42\n"


def test_random_numbers_differ_between_workers(running: ZygoteHandle) -> None:
    code = "import random, uuid\ndef handler(e, c):\n    return [random.random(), str(uuid.uuid4())]"
    assert running.worker(code).invoke({}).value != running.worker(code).invoke({}).value


def test_results_follow_jsons_rules(running: ZygoteHandle) -> None:
    worker = running.worker(
        "from decimal import Decimal\n"
        "def handler(e, c):\n    return {1: (1, 2), None: True, 'd': Decimal('1.5'), 'big': 2**80}"
    )
    outcome = worker.invoke({})
    assert json.loads(outcome.result.body) == {"1": [1, 2], "null": True, "d": 1.5, "big": 2**80}


def test_what_a_function_left_running_is_gone_with_its_worker(running: ZygoteHandle) -> None:
    # Given a function that leaves a child behind
    worker = running.worker(
        "import subprocess\ndef handler(e, c):\n    return subprocess.Popen(['sleep', '600']).pid"
    )
    child = worker.invoke({}).value
    # When the worker leaves
    worker.stop()
    running.wait_exit(worker)
    # Then so does the child
    until = time.monotonic() + 120
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < until


def test_an_answer_that_is_no_unicode_is_a_bad_result_and_no_waiting(running: ZygoteHandle) -> None:
    worker = running.worker(
        "def handler(event, c):\n    return {'statusCode': 200, 'headers': {'x': '\\ud800'}}"
    )
    outcome = worker.request()
    assert outcome.result.status == "error"
    assert outcome.result.error.kind == "bad_result"


def test_a_large_event_leaves_no_memory_behind(running: ZygoteHandle) -> None:
    # Given a worker that has had a small event
    worker = running.worker("def handler(event, context):\n    return len(event['x'])\n")
    worker.invoke({"x": ""})
    before = resident(worker.pid)

    # When it gets large ones
    for _ in range(3):
        assert worker.invoke({"x": "y" * 6_000_000}).value == 6_000_000

    # I expect it to hold no more than before, soon after its answer
    deadline = time.monotonic() + 120
    while resident(worker.pid) > before + 3_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resident(worker.pid) <= before + 3_000_000


def resident(pid: int) -> int:
    """Bytes of a process's memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
