"""Debugging sessions in frozen workers: who is kept, who leaves and why, one session at a time, in limits."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pool_harness import Platform, platform
from relive_base.errors import Refused, ReliveError, UsageError
from relive_base.wire.messages import DebugEnded, DebugText
from relive_platform.engine.failed.debugging import DebugLimits, DebugSession, DebugSessions
from relive_platform.engine.failed.frozen import NotKept
from relive_platform.engine.host import HostLimits

CODE = """import os, signal, subprocess, sys, time

def shout(text):
    print("shouting")
    return text.upper()

def spin():
    print("spinning")
    while True:
        time.sleep(0.01)

def deaf():
    said = False
    while True:
        try:
            if not said:
                said = True
                print("deaf now")
            time.sleep(0.01)
        except BaseException:
            pass

def flood():
    while True:
        print("x" * 1000)

def nonsense():
    import gc
    from relive_base.wire.sink import FrameSink
    sink = next(one for one in gc.get_objects() if type(one) is FrameSink)
    frame = bytes.fromhex("82a174aa64656275675f74657874a773657373696f6ea178")  # text of a session "x"
    sink._socket.sendall(len(frame).to_bytes(4, "big") + frame)
    time.sleep(60)

def handler(event, context):
    word = event["word"]
    if word == "children":
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    if word == "value":
        raise ValueError(word)
    if word == "key":
        raise KeyError(word)
    if word == "type":
        raise TypeError(word)
    if word == "lookup":
        raise LookupError(word)
    return int(word)
"""


PATIENT = DebugLimits(answer_s=60.0)
"""For a machine on which a process that was stopped takes its time to begin."""


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Platform]:
    async with platform(tmp_path, HostLimits(frozen=2)) as built:
        built.deploy("f", CODE)
        built.host.debugging = DebugSessions(
            built.host.frozen, replace(PATIENT, leave_s=0.3, buffer_bytes=200_000)
        )
        yield built


async def fail(workers: Platform, word: str) -> str:
    """An invocation that has failed; its worker is kept, or was refused, when this returns."""
    done = len(workers.recording.finished_runs)
    outcome = await workers.invoke("f", b'{"word": "%s"}' % word.encode())
    assert not outcome.ok
    await workers.until(lambda: len(workers.recording.finished_runs) > done)
    return outcome.record.invocation_id


def live_part(workers: Platform, invocation_id: str) -> tuple[str, str]:
    """What the scene says of its process."""
    (running,) = (run for run in workers.recording.finished_runs if run.record.invocation_id == invocation_id)
    part = running.parts["live"]
    return part.state, part.reason


def attach(workers: Platform, ident: str = "last") -> DebugSession:
    return workers.host.debugging.attach(ident)


async def until_prompt(session: DebugSession, limit_s: float = 60.0) -> str:
    """What is written until the next prompt; the end of the session in angle brackets."""
    text = ""
    while True:
        event = await asyncio.get_running_loop().run_in_executor(None, session.next, limit_s)
        assert event is not None, f"nothing came after {text!r}"
        if isinstance(event, DebugEnded):
            return text + f"<{event.reason}>"
        if isinstance(event, DebugText):
            text += event.text
            if event.prompt:
                return text.removesuffix("(Pdb) ").rstrip("\n")


async def until_text(session: DebugSession, wanted: str, limit_s: float = 60.0) -> None:
    """Wait until something is written that is no prompt."""
    text = ""
    while wanted not in text:
        event = await asyncio.get_running_loop().run_in_executor(None, session.next, limit_s)
        assert isinstance(event, DebugText), f"after {text!r}: {event}"
        text += event.text


async def say(session: DebugSession, line: str) -> str:
    session.send_line(line)
    return await until_prompt(session)


def state(pid: int) -> str:
    """The process's state: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_a_module_that_could_not_be_loaded_is_debugged_where_it_failed(workers: Platform) -> None:
    # Given a module that fails while it is loaded
    workers.deploy("broken", 'def rate(name):\n    return {}[name]\n\nDEFAULT = rate("fr")\n')
    outcome = await workers.invoke("broken")
    ident = outcome.record.invocation_id
    await workers.until(lambda: workers.recording.finished_runs)

    # I expect its process to be kept, stopped, with its frames
    assert (outcome.record.status, live_part(workers, ident)[0]) == ("init_error", "ok")
    pid = next(iter(workers.host.frozen)).worker.pid
    session = attach(workers, ident)
    assert "return {}[name]" in await until_prompt(session)
    assert await say(session, "p name") == "'fr'"
    assert "<module>" in await say(session, "u")
    assert await say(session, "q") == "<>"
    await workers.until(lambda: state(pid) == "T")


async def test_a_failed_worker_is_debugged_frozen_again_and_debugged_again(workers: Platform) -> None:
    ident = await fail(workers, "word")
    assert live_part(workers, ident)[0] == "ok"
    pid = next(iter(workers.host.frozen)).worker.pid
    await workers.until(lambda: state(pid) == "T")

    session = attach(workers, ident[:30])
    assert "return int(word)" in await until_prompt(session)
    assert await say(session, "p word") == "'word'"
    assert await say(session, "p shout(word)") == "shouting\n'WORD'"
    assert await say(session, "word = 'changed'; globals()['mark'] = 5") == ""
    assert await say(session, "q") == "<>"

    await workers.until(lambda: state(pid) == "T")
    again = attach(workers)
    await until_prompt(again)
    assert await say(again, "p mark") == "5"
    # The worker's isolation is what it was.
    refused = await say(again, "open('/root/x', 'w')")
    assert "Permission denied" in refused or "Read-only" in refused


async def test_ctrl_c_ends_the_command(workers: Platform) -> None:
    await fail(workers, "word")
    session = attach(workers)
    await until_prompt(session)

    session.send_line("p spin()")
    await until_text(session, "spinning")
    session.interrupt()

    assert "KeyboardInterrupt" in await until_prompt(session)
    session.interrupt()  # at a prompt there is nothing to end
    assert await say(session, "p word") == "'word'"


async def test_one_debugger_at_a_time(workers: Platform) -> None:
    ident = await fail(workers, "word")
    first = attach(workers)
    await until_prompt(first)

    with pytest.raises(Refused, match=f"somebody debugs {ident} already"):
        attach(workers)

    first.close()
    assert await until_prompt(first) == "<>"
    second = attach(workers)
    assert "int(word)" in await until_prompt(second)


async def test_code_that_swallows_ctrl_c_is_stopped_where_it_is(workers: Platform) -> None:
    # Given a session whose client leaves while such code runs
    await fail(workers, "word")
    workers.host.debugging = DebugSessions(workers.host.frozen, replace(PATIENT, leave_s=0.2))
    session = attach(workers)
    await until_prompt(session)
    pid = session.kept.worker.pid
    session.send_line("p deaf()")
    await until_text(session, "deaf now")

    # When it leaves, and another one comes
    session.close()
    await workers.until(lambda: state(pid) == "T")
    workers.host.debugging = DebugSessions(workers.host.frozen, DebugLimits(answer_s=0.5, leave_s=0.2))
    second = attach(workers)

    # I expect the other one to hear why there is no prompt, and the process to be stopped again
    assert "does not react" in await until_prompt(second)
    await workers.until(lambda: state(pid) == "T")


async def test_a_flood_of_output_waits_for_the_client(workers: Platform) -> None:
    await fail(workers, "word")
    session = attach(workers)
    await until_prompt(session)

    session.send_line("flood()")
    await workers.until(lambda: session._buffered > 200_000)
    await asyncio.sleep(0.3)
    assert session._buffered < 1_000_000
    session.interrupt()
    text = await until_prompt(session)

    assert text.endswith("KeyboardInterrupt")
    assert await say(session, "p word") == "'word'"
    session.send_line("flood()")
    await workers.until(lambda: session._buffered > 200_000)
    session.close()  # a client that leaves meanwhile
    pid = session.kept.worker.pid
    await workers.until(lambda: state(pid) == "T" and not session.kept.attached)


async def test_a_worker_at_its_memory_limit_is_debugged_where_it_was_stopped(workers: Platform) -> None:
    # Given a function that holds too much
    source = (
        "import time\ndef fill(hoard):\n    while not time.sleep(0.005):\n"
        "        hoard.append(bytearray(1 << 20))\n\n"
        "def handler(event, context):\n    hoard = []\n    fill(hoard)\n"
    )
    workers.deploy("hog", source, memory_mb=96)
    outcome = await workers.invoke("hog")
    assert outcome.record.status == "memory"
    await workers.until(lambda: workers.recording.finished_runs)
    ident = outcome.record.invocation_id
    assert live_part(workers, ident)[0] == "ok"
    (run,) = workers.recording.finished_runs
    assert run.record.cpu_ns > 0

    # When somebody attaches
    session = attach(workers, ident)

    # I expect its frames as they were stopped, and what they hold
    assert "fill()" in await until_prompt(session)
    assert int(await say(session, "p len(hoard)")) > 10
    assert "> 0 stopped here" in (await say(session, "exceptions")).replace("   ", " ")
    assert "handler()" in await say(session, "u")
    assert await say(session, "p [one for one in hoard] == hoard") == "True"
    assert await say(session, "hoard.clear()") == ""
    assert await say(session, "q") == "<>"


async def test_the_process_may_end_in_the_session(workers: Platform) -> None:
    ident = await fail(workers, "word")
    session = attach(workers)
    await until_prompt(session)

    assert "the process has ended" in await say(session, "os._exit(3)")

    with pytest.raises(NotKept, match="its process has ended"):
        attach(workers, ident)


async def test_a_worker_that_writes_nonsense_ends(workers: Platform) -> None:
    await fail(workers, "word")
    session = attach(workers)
    await until_prompt(session)

    answer = await say(session, "nonsense()")

    assert "the process has ended" in answer


async def test_a_line_has_a_length_and_a_session_a_longest_time(workers: Platform) -> None:
    await fail(workers, "word")
    limits = replace(PATIENT, line_bytes=100)
    workers.host.debugging = DebugSessions(workers.host.frozen, limits)
    session = attach(workers)
    await until_prompt(session)
    assert "at most 100 characters" in await say(session, "p '" + "x" * 200 + "'")
    assert await say(session, "q") == "<>"

    workers.host.debugging = DebugSessions(workers.host.frozen, replace(limits, longest_s=0.5))
    session = attach(workers)
    text = await until_prompt(session)
    if not text.endswith(">"):  # on a busy machine it may be over before its first prompt
        text = await until_prompt(session)
    assert text.endswith("<the session lasted 0.5 s, the limit (RELIVE_DEBUG_S)>")


async def test_the_server_ends_sessions_when_it_stops(workers: Platform) -> None:
    await fail(workers, "word")
    session = attach(workers)
    await until_prompt(session)
    pid = session.kept.worker.pid

    await workers.host.close()

    assert await until_prompt(session) == "<the server stops>"
    await workers.until(lambda: not os.path.exists(f"/proc/{pid}"))  # once its zygote has reaped it


async def test_the_oldest_leaves_by_count_but_not_who_is_debugged(workers: Platform) -> None:
    first, second = await fail(workers, "value"), await fail(workers, "key")
    session = attach(workers, first)
    await until_prompt(session)

    third = await fail(workers, "type")

    kept = [entry.record.invocation_id for entry in workers.host.frozen]
    assert kept == [first, third]
    with pytest.raises(NotKept, match=rf"the worker of {second} left \d+ s ago: count: only 2 are kept"):
        attach(workers, second)
    assert await say(session, "p word") == "'value'"

    other = attach(workers, third)
    await until_prompt(other)
    fourth = await fail(workers, "lookup")
    assert live_part(workers, fourth) == ("missing", "all 2 workers that may be kept are being debugged")


async def test_the_newest_of_the_same_failure_stays(workers: Platform) -> None:
    first, second = await fail(workers, "value"), await fail(workers, "value")

    assert [entry.record.invocation_id for entry in workers.host.frozen] == [second]
    with pytest.raises(NotKept, match=f"the same failure came again, in {second}"):
        attach(workers, first)


async def test_workers_leave_by_age_and_where_memory_is_short(workers: Platform) -> None:
    frozen = workers.host.frozen
    first, second = await fail(workers, "value"), await fail(workers, "key")

    frozen._available = lambda: 100 * 1_048_576
    await workers.until(lambda: len(frozen) == 1)
    with pytest.raises(NotKept, match=r"memory: 100 MB were available on the machine, under 256"):
        attach(workers, first)
    frozen._available = lambda: -1  # the machine does not say

    session = attach(workers, second)
    await until_prompt(session)
    frozen.limits = replace(frozen.limits, age_s=0.0)
    frozen._available = lambda: 0
    await asyncio.sleep(1.3)
    assert len(frozen) == 1  # somebody debugs it
    session.close()
    await workers.until(lambda: len(frozen) == 0)
    with pytest.raises(NotKept, match="age: it was kept for 0 s"):
        attach(workers, second)


async def test_what_cannot_be_kept_says_why(workers: Platform) -> None:
    parent = await fail(workers, "children")
    assert "it had started processes" in live_part(workers, parent)[1]

    outcome = await workers.invoke("f", b"\xff")
    await workers.until(lambda: len(workers.recording.finished_runs) > 1)
    assert "there is nothing to debug" in live_part(workers, outcome.record.invocation_id)[1]

    with pytest.raises(NotKept, match="no failed worker is kept"):
        attach(workers)
    with pytest.raises(NotKept, match="no worker is kept for 019"):
        attach(workers, "019")


async def test_an_ambiguous_id_is_told(workers: Platform) -> None:
    first, second = await fail(workers, "value"), await fail(workers, "key")

    with pytest.raises(UsageError, match=f"may mean {first} and {second}"):
        attach(workers, first[:6])


async def test_kept_workers_are_listed_newest_first(workers: Platform) -> None:
    await fail(workers, "value")
    second = await fail(workers, "key")
    session = attach(workers)
    await until_prompt(session)

    rows = workers.host.debugging.listing()

    assert [row["error"] for row in rows] == ["KeyError", "ValueError"]
    assert [row["attached"] for row in rows] == [True, False]
    assert rows[0]["invocation_id"] == second
    assert rows[0]["rss"] > 1_000_000
    assert 300 < rows[0]["expires_s"] <= 600


async def test_a_signal_from_outside_ends_a_kept_worker(workers: Platform) -> None:
    ident = await fail(workers, "value")

    os.kill(next(iter(workers.host.frozen)).worker.pid, signal.SIGKILL)
    await workers.until(lambda: len(workers.host.frozen) == 0)

    with pytest.raises(ReliveError, match="its process has ended"):
        attach(workers, ident)
