"""A function that writes messages of its own into its worker's channel."""

from __future__ import annotations

import json

import msgspec
from pool_harness import Platform
from relive_base.frames import Logs

FORGER = """
import os, socket, stat
from relive_base.frames import LogLine, Logs, encode_frame

def channel():
    for fd in range(3, 70_000):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                yield fd
        except OSError:
            pass

def handler(event, context):
    for owner, count in event:
        frame = encode_frame(Logs(invocation_id=owner or context.aws_request_id,
                                  lines=[LogLine(1, "INFO", "forged " * 100)]))
        for fd in list(channel()):
            for _ in range(count):
                view = memoryview(frame)
                while view:
                    view = view[os.write(fd, view):]
    return len(list(channel()))
"""
VICTIM = "def handler(event, context):\n    print('mine')\n    return context.aws_request_id\n"
LIMIT = 20_000


def _lines(workers: Platform, invocation_id: str) -> list[str]:
    decoder = msgspec.msgpack.Decoder(Logs)
    found = []
    for payload in workers.recording.payloads:
        try:
            logs = decoder.decode(payload)
        except msgspec.ValidationError:
            continue  # spans
        if logs.invocation_id == invocation_id:
            found += [line.body for line in logs.lines]
    return found


async def test_lines_are_taken_from_the_worker_that_has_the_invocation_and_within_its_limit(
    workers: Platform,
) -> None:
    # Given an invocation of one function, and another function that knows its id
    workers.deploy("victim", VICTIM)
    workers.deploy("forger", FORGER, output_limit_bytes=LIMIT)
    victim = (await workers.invoke("victim")).record.invocation_id
    # When it writes lines for that one, and far more for its own than it may
    forger = await workers.invoke("forger", json.dumps([[victim, 5], ["", 500]]).encode())
    assert forger.ok, forger.error
    assert forger.body == b"1"  # it has found the channel
    mine = forger.record.invocation_id
    await workers.until(lambda: any(run.record is forger.record for run in workers.recording.finished_runs))
    # I expect nothing of it with the other's, and of its own about twice its limit
    assert _lines(workers, victim) == ["mine"]
    written = sum(map(len, _lines(workers, mine)))
    assert LIMIT // 2 < written <= 2 * LIMIT
    # ... and what was refused to be counted with the invocation that did it
    assert forger.record.dropped > 400
