"""Messages of queues: what was acknowledged is there after kill -9, and what was deleted stays so.

Whole servers are killed by `python tests/support/kill_messages.py`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from relive_platform.resources.queue.model import MessageLimits
from relive_platform.resources.queue.queues import MessageQueues

WORK = """
import asyncio, os, sys
from pathlib import Path
from relive_platform.resources.queue.messages import OURS
from relive_platform.resources.queue.model import Held, Message, QueueInfo
from relive_platform.resources.queue.queues import MessageQueues

def tell(what, name):
    os.write(1, f"{what} {name}\\n".encode())

async def send(queues, name, sender):
    number = 0
    while True:
        body = f"{name}:{sys.argv[2]}-{sender}-{number}"
        fifo = name.endswith(".fifo")
        more = {"group": f"g{sender}", "deduplication_id": body} if fifo else {}
        await queues.send(name, Message(body=body.encode(), **more))
        tell("sent", body)
        number += 1

async def work(queues, name):
    while True:
        for found in await queues.receive(name, 5, wait_s=5, holder=OURS, visibility_s=600):
            body = found.message.body.decode()
            tell("deleting", body)
            await queues.complete(name, [Held(found.seq, found.token)])
            tell("deleted", body)

async def main():
    queues = MessageQueues(Path(sys.argv[1]))
    await queues.create(QueueInfo(name="plain"))
    await queues.create(QueueInfo(name="line.fifo", fifo=True))
    await asyncio.gather(
        *(send(queues, name, sender) for name in ("plain", "line.fifo") for sender in range(4)),
        work(queues, "plain"), work(queues, "line.fifo"),
    )

asyncio.run(main())
"""


def work_and_kill(path: Path, run: int, lines: int) -> list[tuple[str, str]]:
    """What was told, up to a kill -9 in the midst of the work, of senders and receivers."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(path), str(run)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told: list[str] = []
    while len(told) < lines or any(
        sum(line.startswith(what) for line in told) < least
        for what, least in (("sent", 100), ("deleted", 10))
    ):
        told.append(process.stdout.readline().strip())
    os.kill(process.pid, signal.SIGKILL)
    told += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return [(what, body) for what, _, body in (line.partition(" ") for line in told)]


async def test_no_acknowledged_message_is_lost_or_comes_back_by_kill_9(tmp_path: Path) -> None:
    # Given a process that was killed three times while it sent, received and deleted
    path = tmp_path / "queues.db"
    told = [line for run in range(3) for line in work_and_kill(path, run, lines=300 + 100 * run)]
    sent = {body for what, body in told if what == "sent"}
    deleted = {body for what, body in told if what == "deleted"}
    unsure = {body for what, body in told if what == "deleting"} - deleted

    # When it starts again, what it held in its hands included
    queues = MessageQueues(path, MessageLimits(ballast_bytes=0))
    found: list[str] = []
    for name in ("plain", "line.fifo"):
        while received := await queues.receive(name, 1_000):
            found += [each.message.body.decode() for each in received]
            await asyncio.gather(*(queues.delete(name, each.receipt) for each in received))
    queues.close()

    # Then all that was sent and not deleted is there once, in the order of its group
    assert len(sent) > 250
    assert len(deleted) > 20
    assert sent - deleted - unsure <= set(found)
    assert not deleted & set(found)
    assert len(found) == len(set(found))
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for body in found:
        if body.startswith("line.fifo:"):
            run, sender, number = body.rpartition(":")[2].split("-")
            groups[sender].append((int(run), int(number)))
    assert all(numbers == sorted(numbers) for numbers in groups.values())
