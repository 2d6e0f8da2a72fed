"""Each way to fail: the answer names it, the worker leaves, the next event is served."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest
from pool_harness import Platform
from relive_base.parts import Why, ok
from relive_base.wire.messages import Logs, Scene, Spans
from relive_capture.explore import read_scene
from relive_capture.explore.parts import render_text, write_scene
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.life import FROZEN
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.evidence import SceneJob
from relive_platform.evidence.scene import StackMemory, scene_input
from relive_runtime.worker.faults import FAULTS, can_stand_still

stands_still = pytest.mark.skipif(not can_stand_still(), reason="the C extensions were not built")

OK_OR = """import os, time, signal, sys, re
def handler(event, context):
    if event == 'ok': return 'ok'

"""


async def _fails(workers: Platform, body: str, **spec: object) -> tuple[str, str, str, str]:
    workers.deploy("f", OK_OR + body, **spec)  # type: ignore[arg-type]
    outcome = await workers.invoke("f")
    error = outcome.error
    assert error is not None
    again = await workers.invoke("f", b'"ok"')
    assert again.body == b'"ok"', again.error
    return outcome.record.status, error.kind, error.type, error.message


async def _failed_run(workers: Platform) -> SceneJob:
    """The failure comes last where it is looked at from outside first."""

    def failed() -> list[SceneJob]:
        return [running for running in workers.recording.finished_runs if running.record.failed]

    await workers.until(failed)
    return failed()[0]


def _locals(running: SceneJob, function: str) -> dict[str, str]:
    """Of the failure's own frame, as texts."""
    frames = msgspec.json.decode(running.members["exception.json"])[0]["frames"]
    own = [frame for frame in frames if frame.get("in_app")]
    assert own[-1]["function"] == function
    return {name: node["text"] for name, node in own[-1]["locals"]}


async def test_an_exception_is_an_error_and_has_a_scene(workers: Platform) -> None:
    found = await _fails(workers, "    raise KeyError('sku')\n")

    assert found == ("error", "exception", "KeyError", "'sku'")
    running = await _failed_run(workers)
    scene = msgspec.msgpack.decode(running.scene, type=Scene)
    assert scene.error.line == 5
    assert running.record.has_scene


async def test_os_exit_names_the_code(workers: Platform) -> None:
    status, kind, _, message = await _fails(workers, "    os._exit(3)\n")

    assert (status, kind) == ("crash", "exit")
    assert "os._exit(3)" in message


async def test_an_exit_of_c_code_is_not_said_to_be_os_exit_alone(workers: Platform) -> None:
    _, kind, _, message = await _fails(workers, "    import ctypes\n    ctypes.CDLL(None).exit(7)\n")

    assert kind == "exit"
    assert "exit(7) in C code" in message


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
async def test_a_signal_is_named(workers: Platform, name: str) -> None:
    status, kind, _, message = await _fails(
        workers, f"    os.kill(os.getpid(), signal.{name})\n    time.sleep(9)\n"
    )

    assert (status, kind) == ("crash", "signal")
    assert name in message


@pytest.mark.parametrize("ends", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
async def test_the_cpu_time_of_what_was_lost_is_its_own(workers: Platform, ends: str) -> None:
    # Given a worker that has computed for 0.6 s, also in a process that it started
    computes = "while time.thread_time() < until: pass"
    body = (
        "def handler(event, context):\n"
        "    if not event:\n"
        f"        {ends}\n"
        "    until = time.thread_time() + 0.3\n"
        f"    {computes}\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        until = time.thread_time() + 0.3\n"
        f"        {computes}\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    limits = PoolLimits(max_workers=1, waiting_workers=0)  # the next one waits for it
    workers.deploy("f", "import os, signal, time\n" + body, limits=limits)
    # When the next invocation ends its process
    first = await workers.invoke("f", b"1")
    await workers.until(lambda: workers.recording.finished_runs)  # its cost comes after its answer
    lost = await workers.invoke("f", b"0")
    # I expect none of that to be told of it
    assert first.record.cpu_ns >= 300_000_000
    running = await _failed_run(workers)
    assert running.record.invocation_id == lost.record.invocation_id
    assert running.record.worker_pid == first.record.worker_pid
    assert running.record.cpu_ns < 250_000_000


async def test_what_loading_has_cost_is_not_told_of_the_first_one_that_is_lost(workers: Platform) -> None:
    # Given a module that has a process compute for 0.4 s, and a handler that ends its own
    computes = "import time\nwhile time.process_time() < 0.4: pass"
    source = (
        "import os, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {computes!r}], check=True)\n"
        "def handler(event, context):\n"
        "    os._exit(3)\n"
    )
    workers.deploy("f", source)
    # When it is invoked, I expect that not to be told of it
    await workers.invoke("f")
    assert (await _failed_run(workers)).record.cpu_ns < 300_000_000


@pytest.mark.parametrize("more", ["", "    __import__('faulthandler').disable()\n"])
async def test_a_crash_in_native_code_is_located(workers: Platform, more: str) -> None:
    body = f"{more}    import ctypes\n    ctypes.string_at(0)\n"

    await _fails(workers, body)

    running = await _failed_run(workers)
    assert running.record.error is not None
    if more:  # by reading the process that stands still
        assert running.record.error.line == (7 if can_stand_still() else 0)
    else:
        assert (running.record.error.function, running.record.error.line) == ("handler", 6)


async def test_crashes_of_other_signals_and_lines_are_other_groups(workers: Platform) -> None:
    # Given a function that can crash in several ways
    body = (
        "    if event == 'null': __import__('ctypes').string_at(0)\n"
        "    os.kill(os.getpid(), getattr(signal, event))\n    time.sleep(60)\n"
    )
    workers.deploy("f", OK_OR + body, timeout_s=60.0)

    # When it does
    groups: list[str] = []
    for event in (b'"null"', b'"SIGSEGV"', b'"SIGABRT"', b'"SIGFPE"', b'"SIGFPE"'):
        error = (await workers.invoke("f", event)).error
        assert error is not None
        assert error.line
        groups.append(error.fingerprint)

    # I expect a group for each way, and the same one for the same way
    assert len(set(groups)) == 4
    assert groups[3] == groups[4]


@stands_still
@pytest.mark.parametrize("name", [number.name for number in FAULTS])
async def test_a_crash_has_its_locals_and_its_caller_does_not_wait_for_them(
    workers: Platform, name: str
) -> None:
    # Given a handler that dies of a fatal signal
    body = f"    basket = ['apple', 3]\n    os.kill(os.getpid(), signal.{name})\n    time.sleep(60)\n"
    workers.deploy("f", OK_OR + body, timeout_s=60.0)

    # When it has, I expect the caller to be told before anybody has read the process
    outcome = await workers.invoke("f")
    assert not workers.recording.finished_runs
    assert outcome.error is not None
    assert (outcome.record.status, outcome.error.kind) == ("crash", "signal")
    assert name in outcome.error.message

    # ... then its frames to be read with their locals, and its end; the next event gets another worker
    running = await _failed_run(workers)
    assert running.parts["exception"] == ok(Why.READ_WITH, "py-spy")
    assert _locals(running, "handler")["basket"] == '["apple", 3]'
    assert (outcome.error.file, outcome.error.line) == ("f_v1.py", 6)
    await workers.until(lambda: outcome.record.worker_id not in workers.host.workers)
    assert (await workers.invoke("f", b'"ok"')).ok


@stands_still
async def test_the_thread_that_crashed_is_the_failure(workers: Platform) -> None:
    body = (
        "    import threading\n"
        "    threading.Thread(target=read, args=(event,)).start()\n    time.sleep(60)\n\n"
        "def read(event):\n    wanted = 17\n    __import__('ctypes').string_at(0)\n"
    )

    status, kind, _, message = await _fails(workers, body, timeout_s=60.0)

    assert (status, kind) == ("crash", "signal")
    assert "SIGSEGV" in message
    assert _locals(await _failed_run(workers), "read")["wanted"] == "17"


@stands_still
async def test_a_crash_while_the_module_loads_has_its_locals(workers: Platform) -> None:
    workers.deploy("broken", "import ctypes\ndef prepare(rate):\n    ctypes.string_at(0)\nprepare(12)\n")

    outcome = await workers.invoke("broken")

    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert (outcome.error.file, outcome.error.line) == ("broken_v1.py", 3)
    assert "while its module was loading" in outcome.error.message
    running = await _failed_run(workers)
    assert _locals(running, "prepare")["rate"] == "12"
    assert (running.record.cold, running.record.started_ns) == (True, 0)


async def test_a_crash_that_no_caller_waits_for_ends_the_worker_at_once(workers: Platform) -> None:
    # Given a worker with a thread that waits until its caller has the answer, and crashes then
    go = workers.code / "go"
    body = (
        "    import threading\n    threading.Thread(target=later, args=(event,)).start()\n\n"
        "def later(go):\n    while not os.path.exists(go): time.sleep(0.005)\n"
        "    __import__('ctypes').string_at(0)\n"
    )
    workers.deploy("f", OK_OR + body)
    assert (await workers.invoke("f", b'"%s"' % bytes(go))).ok
    go.touch()

    # When it has, I expect no process to stand still, and the next event to be served
    await workers.until(lambda: not workers.host.workers)
    assert (await workers.invoke("f", b'"ok"')).ok


@stands_still
async def test_of_many_crashes_at_once_few_are_read_and_the_others_say_so(workers: Platform) -> None:
    body = "    os.kill(os.getpid(), signal.SIGSEGV)\n    time.sleep(60)\n"
    workers.deploy("f", OK_OR + body, limits=PoolLimits(max_workers=12, waiting_workers=0), timeout_s=60.0)

    outcomes = await asyncio.gather(*(workers.invoke("f") for _ in range(12)))

    assert {outcome.record.status for outcome in outcomes} == {"crash"}
    await workers.until(lambda: len(workers.recording.finished_runs) == 12, 60.0)
    parts = [running.parts["exception"] for running in workers.recording.finished_runs]
    assert ok(Why.READ_WITH, "py-spy") in parts
    assert all(part.reason for part in parts)
    assert (await workers.invoke("f", b'"ok"')).ok


@stands_still
async def test_the_next_event_does_not_wait_until_a_crash_was_read(workers: Platform) -> None:
    # Given a function that may have one worker
    body = "    os.kill(os.getpid(), signal.SIGSEGV)\n    time.sleep(60)\n"
    workers.deploy("f", OK_OR + body, limits=PoolLimits(max_workers=1, waiting_workers=0), timeout_s=60.0)
    crashed = await workers.invoke("f")
    assert crashed.record.status == "crash"
    assert [worker.state for worker in workers.host.workers.values() if worker.crashed] == [FROZEN]

    # When the next event comes while that one is read, I expect it to get another worker
    again = await workers.invoke("f", b'"ok"')
    assert again.ok
    assert again.record.worker_id != crashed.record.worker_id


async def test_a_child_that_the_function_forked_dies_of_its_crash(workers: Platform) -> None:
    body = (
        "    child = os.fork()\n    if not child:\n        __import__('ctypes').string_at(0)\n"
        "    return os.waitpid(child, 0)[1] & 127\n"
    )
    workers.deploy("f", OK_OR + body)

    assert (await workers.invoke("f")).body == b"11"


@stands_still
async def test_events_that_wait_behind_a_crash_are_served_by_another_worker(workers: Platform) -> None:
    # Given a worker that is sent events ahead
    body = "    if event == 'crash':\n        os.kill(os.getpid(), signal.SIGSEGV)\n    return event\n"
    workers.deploy("f", OK_OR + body, limits=PoolLimits(max_workers=1, waiting_workers=0))
    await asyncio.gather(*(workers.invoke("f", b"1") for _ in range(50)))

    # When one of many crashes, I expect it to be the only one that fails
    events = [b'"crash"' if number == 10 else b'"fine"' for number in range(30)]
    outcomes = await asyncio.gather(*(workers.invoke("f", event) for event in events))
    assert [outcome.record.status for outcome in outcomes].count("crash") == 1
    assert [outcome.record.status for outcome in outcomes].count("ok") == 29


async def test_a_crash_while_the_module_loads_is_located(workers: Platform) -> None:
    workers.deploy("broken", "import ctypes\nctypes.string_at(0)\n")

    outcome = await workers.invoke("broken")

    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert "SIGSEGV" in outcome.error.message
    assert (outcome.error.file, outcome.error.line) == ("broken_v1.py", 2)


async def test_a_timeout_in_python_code_ends_at_the_deadline(workers: Platform) -> None:
    status, kind, *_ = await _fails(workers, "    while True:\n        pass\n", timeout_s=1.0)

    assert (status, kind) == ("timeout", "timeout")


async def test_a_timeout_that_is_swallowed_is_stopped_from_outside(workers: Platform) -> None:
    body = "    while True:\n        try: time.sleep(9)\n        except BaseException: pass\n"

    status, kind, _, message = await _fails(workers, body, timeout_s=1.0)

    assert (status, kind) == ("timeout", "timeout")
    assert "1 s" in message


async def test_a_timeout_with_signals_blocked_is_located_from_outside(workers: Platform) -> None:
    body = "    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n    basket = 42\n    time.sleep(30)\n"

    status, kind, *_ = await _fails(workers, body, timeout_s=1.0)

    assert (status, kind) == ("timeout", "timeout")
    running = await _failed_run(workers)
    assert running.members, running.parts
    assert running.record.error is not None
    assert running.record.error.line == 7
    assert any(b"basket" in data for data in running.members.values())


async def test_a_regex_in_c_ends_at_the_deadline(workers: Platform) -> None:
    status, kind, *_ = await _fails(workers, "    re.match(r'(a+)+$', 'a' * 64 + 'b')\n", timeout_s=1.0)

    assert (status, kind) == ("timeout", "timeout")


async def test_a_memory_hog_is_stopped_at_its_limit(workers: Platform) -> None:
    # slowly: on a busy machine the supervisor may look late
    body = "    hoard = []\n    while not time.sleep(0.03):\n        hoard.append(bytearray(1 << 20))\n"

    status, kind, _, message = await _fails(workers, body, memory_mb=96)

    assert (status, kind) == ("memory", "memory")
    run = await _failed_run(workers)
    assert run.record.peak_rss_bytes < 120 << 20, message
    # How much it held is said once, as that peak, which is what the supervisor saw
    assert message == "the worker was stopped at 85 % of its 96 MB of memory"
    assert run.record.peak_rss_bytes > 0.85 * (96 << 20)


async def test_a_module_that_cannot_be_imported_is_an_init_error(workers: Platform) -> None:
    workers.deploy("broken", "import nothing_of_that_name\n")

    outcome = await workers.invoke("broken")

    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert outcome.error.type == "ModuleNotFoundError"
    assert outcome.record.cold
    assert (await _failed_run(workers)).scene


async def test_a_module_that_ends_the_process_is_an_init_error(workers: Platform) -> None:
    workers.deploy("gone", "import os\nos._exit(7)\n")

    outcome = await workers.invoke("gone")

    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert "os._exit(7)" in outcome.error.message


async def test_frames_and_locals_stay_of_a_module_whose_exception_ends_the_process_with_its_text(
    workers: Platform,
) -> None:
    # Given a module that raises an exception whose text ends the process
    workers.deploy(
        "silent",
        "import os\nclass Wrong(Exception):\n    def __str__(self): os._exit(7)\n    __repr__ = __str__\n"
        "def connect(place):\n    raise Wrong()\nconnect('db-1')\n",
    )

    # When it is loaded
    outcome = await workers.invoke("silent")

    # I expect how the process ended, and where it stood
    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert "os._exit(7)" in outcome.error.message
    found = scene_input(await _failed_run(workers), StackMemory())
    assert found.scene is not None
    assert found.scene.parts["exception"].state == "partial"
    [view] = msgspec.json.decode(found.scene.members["exception.json"])
    frame = view["frames"][-1]
    assert (frame["function"], [name for name, _ in frame["locals"]]) == ("connect", ["place"])


async def test_a_module_that_never_loads_is_an_init_error(workers: Platform) -> None:
    limits = PoolLimits(waiting_workers=0, start_timeout_s=0.5)
    workers.deploy("stuck", "import time\ntime.sleep(60)\n", limits=limits)

    outcome = await workers.invoke("stuck")

    assert (outcome.record.status, outcome.error.kind) == ("init_error", "timeout")  # type: ignore[union-attr]


async def test_nothing_finished_before_a_kill_is_lost(workers: Platform) -> None:
    workers.deploy(
        "dying",
        "import os\nfrom opentelemetry import trace\n"
        "def handler(event, context):\n"
        "    with trace.get_tracer('t').start_as_current_span('work'):\n        print('said before')\n"
        "    os.kill(os.getpid(), 9)\n",
    )

    outcome = await workers.invoke("dying")

    assert outcome.record.status == "crash"
    decoder = msgspec.msgpack.Decoder(Spans | Logs)
    frames = [decoder.decode(payload) for payload in workers.recording.payloads]
    assert [span.name for frame in frames if isinstance(frame, Spans) for span in frame.spans] == ["work"]
    lines = [line.body for frame in frames if isinstance(frame, Logs) for line in frame.lines]
    assert "said before" in lines


async def test_a_failed_worker_stays_frozen_once_per_failure(workers: Platform) -> None:
    workers.deploy("f", OK_OR + "    raise ValueError(event)\n")

    for _ in range(3):
        await workers.invoke("f", b'"x"')

    await workers.until(lambda: workers.host.counts()["frozen"] == 1)


async def test_children_of_a_killed_worker_die_with_it(workers: Platform) -> None:
    workers.deploy(
        "parent",
        "import os, subprocess, sys, time\ndef handler(event, context):\n"
        "    child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "    print('child', child.pid, flush=True)\n    os._exit(1)\n",
    )

    assert (await workers.invoke("parent")).record.status == "crash"

    decoder = msgspec.msgpack.Decoder(Spans | Logs)
    frames = [decoder.decode(payload) for payload in workers.recording.payloads]
    lines = [line.body for frame in frames if isinstance(frame, Logs) for line in frame.lines]
    child = int(next(line for line in lines if line.startswith("child")).split()[1])
    await workers.until(lambda: _zombie(child))


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


async def test_many_failures_at_once_leave_the_pool_whole(workers: Platform) -> None:
    pool = workers.deploy(
        "f", OK_OR + "    os._exit(1)\n", limits=PoolLimits(max_workers=3, waiting_workers=0)
    )

    outcomes = await asyncio.gather(*(workers.invoke("f") for _ in range(12)))

    assert {outcome.record.status for outcome in outcomes} == {"crash"}
    assert (await workers.invoke("f", b'"ok"')).ok
    await workers.until(lambda: pool.starting == 0)  # one that nobody waits for may be on its way
    assert await workers.dispatcher.drained(120)


async def test_a_dependency_that_ends_the_zygote_is_an_answer_and_no_waiting(workers: Platform) -> None:
    # Given dependencies whose import ends the process, as a library that aborts does
    deps = workers.folder / "deps"
    deps.mkdir()
    (deps / "ends.py").write_text("import os; os._exit(3)")
    pool = workers.deploy("f", OK_OR)
    pool.runtime = workers.engine.forked(ZygoteKey(sys.executable, str(deps), ("ends",)))

    # When an event comes
    outcome = await asyncio.wait_for(workers.invoke("f"), 60)

    # I expect it to be told that no worker could start
    assert outcome.record.status == "init_error"
    assert outcome.error is not None
    assert "zygote" in outcome.error.message


async def test_a_scene_has_the_last_lines_and_the_number_of_those_before(workers: Platform) -> None:
    # Given a function that logs more than a scene keeps, and fails
    body = "    for number in range(9_000):\n        print(number, 'x' * 400)\n    raise ValueError('no')\n"
    await _fails(workers, body, output_limit_bytes=8 * 1_048_576, timeout_s=60.0)

    # When its scene is made
    job = await _failed_run(workers)
    found = scene_input(job, StackMemory())

    # I expect the last line in it, and no line that is neither there nor counted
    assert [line.body.split()[0] for line in found.logs[-2:]] == ["8998", "8999"]
    assert job.logs_left_out > 0
    assert job.logs_left_out + len(found.logs) == 9_000


@pytest.mark.parametrize(
    "raised",
    [
        "raise Wrong()",
        "raise KeyError(Wrong())",
        "raise ExceptionGroup('several', [Wrong()])",
        "raise ValueError('plain') from Wrong()",
    ],
)
async def test_frames_and_locals_stay_of_an_exception_whose_text_ends_the_process(
    workers: Platform, raised: str, tmp_path: Path
) -> None:
    # Given an exception with code of its own for its text, which ends the process
    body = (
        f"    basket = ['apple', 3]\n    {raised}\n\n"
        "class Wrong(Exception):\n    def __str__(self): os.kill(os.getpid(), 9)\n    __repr__ = __str__\n"
    )

    # When it fails
    status, _, _, _ = await _fails(workers, body, timeout_s=60.0)

    # I expect how it ended, where it stood, and what it was about to say
    job = await _failed_run(workers)
    found = scene_input(job, StackMemory())
    assert status == "crash"
    assert found.scene is not None
    assert found.scene.error == job.record.error
    views = msgspec.json.decode(found.scene.members["exception.json"])
    names = {name for name, _ in views[0]["frames"][-1]["locals"]}
    assert "basket" in names
    write_scene(tmp_path / "ended.scene", found)
    text = render_text(read_scene(tmp_path / "ended.scene"))
    assert "basket = " in text
    assert "SIGKILL" in text
    assert "the process ended while an exception was asked for its text; " in text
