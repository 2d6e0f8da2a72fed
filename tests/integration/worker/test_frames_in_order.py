"""What a worker tells arrives whole and in order, by the ring and by the socket, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import time

import pytest
from relive_base.wire.ring import CAPACITY
from worker_harness import ZygoteHandle

CODE = """
import os, signal, time
def handler(event, context):
    for number in range(event["lines"]):
        print(number, "x" * event.get("width", 10))
    if event.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "y" * event.get("result", 1)
"""


@pytest.mark.parametrize(
    ("lines", "width", "result"),
    [(3, 10, 1), (3, 15_000, 1_000_000), (200, 9_000, 50_000), (5_000, 100, 40_000)],
    ids=["little", "a result that goes by the socket", "more than the ring holds", "many small ones"],
)
def test_lines_come_in_order_and_before_the_result(
    running: ZygoteHandle, lines: int, width: int, result: int
) -> None:
    worker = running.worker(CODE, output_limit_bytes=16 * 1_048_576, timeout_s=60.0)

    outcome = worker.invoke({"lines": lines, "width": width, "result": result})

    assert outcome.lines == [f"{number} {'x' * width}" for number in range(lines)]
    assert outcome.value == "y" * result
    assert outcome.done.logs == lines
    assert outcome.done.dropped == 0


def test_a_full_ring_that_nobody_reads_holds_up_the_worker_and_loses_nothing(running: ZygoteHandle) -> None:
    # Given a worker that writes several times what the ring and the socket hold
    worker = running.worker(CODE, output_limit_bytes=64 * 1_048_576, timeout_s=60.0)
    lines, width = 3 * CAPACITY // 1_000, 1_000

    # When it is read late
    worker.wire.send(worker.invoke_frame({"lines": lines, "width": width}))
    time.sleep(0.2)  # it runs against the wall meanwhile
    outcome = worker.finish()

    # I expect every line
    assert [int(line.split()[0]) for line in outcome.lines] == list(range(lines))


def test_what_was_written_before_a_kill_is_there(running: ZygoteHandle) -> None:
    worker = running.worker(CODE)
    worker.wire.send(worker.invoke_frame({"lines": 50, "die": True}))

    frames = []
    while (frame := worker.wire.next()) is not None:
        frames.append(frame)

    assert os.WTERMSIG(running.wait_exit(worker).status) == signal.SIGKILL
    assert [line.body.split()[0] for frame in frames for line in frame.lines] == [str(n) for n in range(50)]
