"""Real workers: they start, serve, scale, and leave."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec
from pool_harness import Platform, platform
from relive_base.wire.messages import Logs, frame_kind
from relive_platform.engine.host import HostLimits
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pace import FORK_COST_S
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.life import BUSY

ECHO = "import os\ndef handler(event, context):\n    return {'event': event, 'pid': os.getpid()}\n"
HELD = """
import os, time
def handler(event, context):
    print("held at", event)
    while event and not os.path.exists(event):
        time.sleep(0.005)
"""
SLOW = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'\n"


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_the_first_event_is_cold_and_the_next_is_served_by_the_same_worker(workers: Platform) -> None:
    pool = workers.deploy("echo", ECHO)

    first = await workers.invoke("echo", b'{"a": 1}')
    await workers.idle(pool)
    second = await workers.invoke("echo", b'{"a": 2}')

    assert first.ok, first.error
    assert first.record.cold
    assert first.record.init_ns > 0
    assert not second.record.cold
    assert first.record.worker_pid == second.record.worker_pid
    assert b'"a":1' in first.body.replace(b" ", b"")


async def test_a_record_has_its_times_in_order(workers: Platform) -> None:
    workers.deploy("echo", ECHO)

    record = (await workers.invoke("echo")).record

    times = [
        record.accepted_ns,
        record.dispatched_ns,
        record.started_ns,
        record.ended_ns,
        record.responded_ns,
    ]
    assert all(times)
    assert times == sorted(times)
    assert record.accepted_ns <= record.init_started_ns <= record.init_ended_ns <= record.dispatched_ns


class Caller:
    """Waits for an outcome, and says when it came."""

    def __init__(self, told: list[str]) -> None:
        self.told = told
        self.outcome: Outcome | None = None

    def done(self) -> bool:
        return self.outcome is not None

    def set_result(self, result: Outcome, /) -> None:
        self.told.append("heard")
        self.outcome = result


async def test_what_ends_with_its_answer_is_recorded_in_one_piece_before_the_answer(
    workers: Platform,
) -> None:
    # Given a function that has nothing left to tell after its answer, unless it fails: no profile either,
    # of which a busy machine may take a sample
    workers.deploy("maybe", "def handler(event, context):\n    return 1 / event\n", profile="off")
    told = workers.recording.told
    # When it succeeds
    caller = Caller(told)
    workers.dispatcher.begin(InvokeRequest(function="maybe", event=b"1"), caller)
    await workers.until(lambda: "finished" in told and caller.done())
    # I expect its record to be whole before its caller hears, and told once
    assert told == ["begun", "finished", "heard"]
    record = workers.recording.finished_runs[0].record
    assert record.responded_ns >= record.ended_ns > 0
    assert record.cpu_ns > 0
    # ... and that of a failure to follow: its process may have more to tell
    told.clear()
    workers.dispatcher.begin(InvokeRequest(function="maybe", event=b"0"), Caller(told))
    await workers.until(lambda: "finished" in told)
    assert told == ["begun", "answered", "heard", "finished"]


async def test_a_worker_that_waits_makes_the_first_event_warm(workers: Platform) -> None:
    pool = workers.deploy("echo", ECHO, limits=PoolLimits(waiting_workers=2))
    pool.active = True
    await workers.until(lambda: len(pool.idle) == 2)

    record = (await workers.invoke("echo")).record

    assert record.pooled
    assert not record.cold


async def test_slow_events_run_side_by_side_up_to_max_workers(workers: Platform) -> None:
    # Given a function whose events wait for a file of their own
    pool = workers.deploy("held", HELD, limits=PoolLimits(max_workers=2, waiting_workers=0))
    gates = [workers.code / f"go{number}" for number in range(4)]
    tasks = [asyncio.ensure_future(workers.invoke("held", b'"%s"' % bytes(gate))) for gate in gates]

    # When four come, I expect two to run beside each other, and the others to wait
    await workers.until(lambda: [worker.state for worker in pool.workers] == [BUSY, BUSY])
    assert (len(pool.waiting), pool.starting) == (2, 0)
    await workers.until(lambda: sum(b"held at" in payload for payload in workers.recording.payloads) == 2)
    for gate in gates:
        gate.touch()
    outcomes = await asyncio.gather(*tasks)
    assert all(outcome.ok for outcome in outcomes)
    assert len({outcome.record.worker_pid for outcome in outcomes}) == 2
    assert len(pool.workers) == 2
    records = sorted((outcome.record for outcome in outcomes), key=lambda record: record.started_ns)
    assert records[1].started_ns < records[0].ended_ns
    assert records[2].started_ns >= min(record.ended_ns for record in records[:2])


async def test_fast_events_do_not_fork_more_workers(workers: Platform) -> None:
    pool = workers.deploy("echo", ECHO, limits=PoolLimits(max_workers=8, waiting_workers=0))
    await workers.invoke("echo")
    for _ in range(500):  # until this machine, however busy, has shown that the function is fast
        if pool.pace.service_s < FORK_COST_S / 8:
            break
        await workers.invoke("echo")

    await asyncio.gather(*(workers.invoke("echo") for _ in range(8)))

    assert len(pool.workers) <= 3  # not one for each of the seven that wait


async def test_a_full_waiting_list_is_refused_at_once(workers: Platform) -> None:
    limits = PoolLimits(max_workers=1, waiting_workers=0, waiting_requests=1)
    pool = workers.deploy("held", HELD, limits=limits)
    await workers.invoke("held")
    await workers.until(lambda: pool.idle)
    go = workers.code / "go"
    running = asyncio.ensure_future(workers.invoke("held", b'"%s"' % bytes(go)))
    waiting = asyncio.ensure_future(workers.invoke("held"))
    await asyncio.sleep(0)

    refused = await workers.invoke("held")

    assert refused.record.status == "rejected"
    assert refused.error is not None
    assert refused.error.type == "Throttled"
    go.touch()
    assert (await running).ok
    assert (await waiting).ok


async def test_a_request_that_waits_too_long_is_refused(workers: Platform) -> None:
    limits = PoolLimits(max_workers=1, waiting_workers=0, wait_limit_s=0.2)
    pool = workers.deploy("held", HELD, limits=limits)
    await workers.invoke("held")
    await workers.until(lambda: pool.idle)
    go = workers.code / "go"
    running = asyncio.ensure_future(workers.invoke("held", b'"%s"' % bytes(go)))
    await asyncio.sleep(0)

    refused = await workers.invoke("held")

    assert refused.record.status == "rejected"
    assert "no worker became free" in refused.error.message  # type: ignore[union-attr]
    go.touch()
    assert (await running).ok


async def test_idle_workers_leave_and_the_next_event_starts_one_again(workers: Platform) -> None:
    pool = workers.deploy("echo", ECHO, limits=PoolLimits(waiting_workers=0, idle_s=0.2))
    first = await workers.invoke("echo")

    await workers.until(lambda: not pool.workers)
    again = await workers.invoke("echo")

    await workers.until(lambda: _gone(first.record.worker_pid))
    assert again.record.cold


async def test_a_worker_is_replaced_after_its_number_of_invocations(workers: Platform) -> None:
    workers.deploy("echo", ECHO, limits=PoolLimits(max_workers=1, waiting_workers=0, recycle_n=3))

    pids = [(await workers.invoke("echo")).record.worker_pid for _ in range(7)]

    assert len(set(pids[:3])) == 1
    assert len(set(pids)) == 3


async def test_a_new_version_takes_over_while_the_old_one_finishes(workers: Platform) -> None:
    pool = workers.deploy("slow", SLOW)
    await workers.invoke("slow", b"0")
    await workers.until(lambda: pool.idle)
    running = asyncio.ensure_future(workers.invoke("slow", b"0.3"))
    await asyncio.sleep(0.01)

    workers.deploy("slow", "def handler(event, context):\n    return 'new'\n", version=2)
    new = await workers.invoke("slow", b"0")
    old = await running

    assert (new.record.version, new.body) == (2, b'"new"')
    assert (old.record.version, old.body) == (1, b'"done"')
    await workers.until(lambda: ("slow", 1) not in workers.host.pools)
    await workers.until(lambda: _gone(old.record.worker_pid))


async def test_an_idle_function_gives_its_place_when_the_host_is_full(tmp_path: Path) -> None:
    async with platform(tmp_path, HostLimits(workers=1)) as workers:
        workers.deploy("one", ECHO)
        workers.deploy("two", ECHO)

        first = await workers.invoke("one")
        second = await workers.invoke("two")

        assert first.ok
        assert second.ok
        await workers.until(lambda: _gone(first.record.worker_pid))


async def test_a_zygote_that_dies_is_started_again(workers: Platform) -> None:
    workers.deploy("echo", ECHO)
    await workers.invoke("echo")
    [pid] = workers.zygotes.pids()

    os.kill(pid, signal.SIGKILL)
    await workers.until(lambda: not workers.zygotes.pids() and not workers.host.workers)
    outcome = await workers.invoke("echo")

    assert outcome.ok, outcome.error
    assert workers.zygotes.pids() != [pid]


async def test_a_caller_that_gave_up_leaves_no_trace_in_the_queue(workers: Platform) -> None:
    pool = workers.deploy("slow", SLOW, limits=PoolLimits(max_workers=1, waiting_workers=0))
    await workers.invoke("slow", b"0")
    await workers.until(lambda: pool.idle)
    running = asyncio.ensure_future(workers.invoke("slow", b"0.2"))
    waiting = asyncio.ensure_future(workers.invoke("slow", b"0"))
    await asyncio.sleep(0)

    waiting.cancel()
    await running
    await workers.until(lambda: len(pool.idle) == 1)

    assert workers.dispatcher.running == 0
    assert (await workers.invoke("slow", b"0")).ok


async def test_text_of_a_subprocess_arrives_as_console_lines(workers: Platform) -> None:
    workers.deploy(
        "shout", "import os\ndef handler(event, context):\n    os.write(1, b'from below\\n')\n    return 1\n"
    )

    await workers.invoke("shout")

    await workers.until(lambda: workers.recording.console_lines)
    assert workers.recording.console_lines[0].body == "from below"
    assert workers.recording.console_lines[0].source == "console"


MIXES = """
import logging, os, subprocess
log = logging.getLogger("mix")

def handler(event, context):
    for turn in range(10):
        print(turn, "print")
        os.write(1, b"%d written\\n" % turn)
        log.warning("%d logged", turn)
        subprocess.run(["echo", f"{turn} echo"])
"""


async def test_lines_of_python_and_of_what_passes_it_by_have_one_order(workers: Platform) -> None:
    # Given a function that prints, writes to a descriptor, logs and starts a program in turn
    workers.deploy("mixes", MIXES)

    # When it runs
    await workers.invoke("mixes")
    await workers.until(lambda: len(workers.recording.console_lines) == 20)

    # I expect all lines in the order of writing, where they are sorted by time
    decoder = msgspec.msgpack.Decoder(Logs)
    payloads = [payload for payload in workers.recording.payloads if frame_kind(payload) == "logs"]
    lines = [line for payload in payloads for line in decoder.decode(payload).lines]
    bodies = [line.body for line in sorted(lines, key=lambda line: line.timestamp_ns)]
    steps = ("print", "written", "logged", "echo")
    assert bodies == [f"{turn} {step}" for turn in range(10) for step in steps]
