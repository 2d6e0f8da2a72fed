"""Text without a newline, when the process ends before there is one."""

from __future__ import annotations

import msgspec
import pytest
from pool_harness import Platform
from relive_base.wire.messages import LogLine, Logs, Spans

HEAD = "import ctypes, os, signal, sys, threading, time\n"


async def _lines(workers: Platform, body: str) -> list[LogLine]:
    workers.deploy("f", f"{HEAD}def handler(event, context):\n    {body}\n")
    outcome = await workers.invoke("f")
    assert outcome.error is not None
    await workers.until(lambda: workers.recording.finished_runs)  # one that crashes is looked at first
    decoder = msgspec.msgpack.Decoder(Spans | Logs)
    found = map(decoder.decode, workers.recording.payloads)
    frames = [frame for frame in found if isinstance(frame, Logs)]
    assert {frame.invocation_id for frame in frames} == {outcome.record.invocation_id}
    return [line for frame in frames for line in frame.lines if line.source != "console"]


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "ctypes.string_at(1)", "sys.exit(1)"]
)
async def test_what_has_begun_is_in_the_logs_whatever_ends_the_process(workers: Platform, end: str) -> None:
    # Given a whole line, two that have begun, and the end
    lines = await _lines(
        workers,
        f"print('whole'); sys.stderr.write('warm'); sys.stdout.write('wri'); print('tten', end=''); {end}",
    )

    # I expect each once, in its stream and under the invocation's trace
    found = [(line.source, line.severity, line.body) for line in lines if line.source != "logging"]
    assert found[0] == ("stdout", "INFO", "whole")
    assert sorted(found[1:]) == [("stderr", "WARN", "warm"), ("stdout", "INFO", "written")]
    assert len({(line.trace_id, line.span_id) for line in lines if line.source != "logging"}) == 1


async def test_a_line_that_has_ended_is_there_once(workers: Platform) -> None:
    # Given lines that began in pieces and ended, and a bar
    lines = await _lines(
        workers,
        r"print('a', 'b'); print('c'); "
        r"sys.stdout.write('d\ne\n'); sys.stderr.write('\r5%\r9%\n'); os._exit(0)",
    )

    # I expect nothing besides
    assert [line.body for line in lines if line.source == "stdout"] == ["a b", "c", "d", "e"]
    assert [line.body for line in lines if line.source == "stderr"][-1] == "9%"


async def test_a_child_leaves_its_parents_line_alone(workers: Platform) -> None:
    # Given a child that prints and leaves while its parent has begun a line
    lines = await _lines(
        workers,
        "sys.stdout.write('mine'); child = os.fork()\n"
        "    if not child: print('of the child', flush=True); os._exit(0)\n"
        "    os.waitpid(child, 0); os._exit(0)",
    )

    # I expect the parent's line as it was
    assert [line.body for line in lines if line.source == "stdout"] == ["mine"]
