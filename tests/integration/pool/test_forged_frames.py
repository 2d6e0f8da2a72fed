"""A function that writes messages of its own into its worker's channel."""

from __future__ import annotations

import json

import msgspec
import pytest
from pool_harness import Platform
from relive_base.wire.messages import Logs

FORGER = """
import os, socket, stat
from relive_base.wire.messages import LogLine, Logs, encode_frame

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


BREAKER = """
import os, socket, stat, time

def handler(event, context):
    if event == "itself":
        os.kill(os.getpid(), 9)
    for fd in range(3, 70_000):
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
        except OSError:
            continue
        if event == "close":
            os.close(fd)
        else:
            os.write(fd, bytes.fromhex(event))
    time.sleep(60)
"""
TOO_LONG = b"\xff\xff\xff\xff"
NOT_MSGPACK = b"\x00\x00\x00\x03\xc1\xc1\xc1"
WRONG_FIELDS = b"\x00\x00\x00\x09\x92\xa6result\xc0"


@pytest.mark.parametrize("data", [TOO_LONG, NOT_MSGPACK, WRONG_FIELDS], ids=["too long", "none", "wrong"])
async def test_a_worker_that_is_ended_for_what_it_wrote_has_failed_for_that(
    workers: Platform, data: bytes
) -> None:
    # Given a function that writes into the connection what is no message
    workers.deploy("breaker", BREAKER)
    # When it runs
    outcome = await workers.invoke("breaker", json.dumps(data.hex()).encode())
    # I expect the failure to say so, and not that somebody killed it
    error = outcome.record.error
    assert (outcome.record.status, error.type, error.kind) == ("crash", "WorkerEnded", "signal")
    assert error.message.startswith("the server ended the worker: its code wrote something into")


async def test_a_worker_that_closes_its_connection_has_failed_for_that(workers: Platform) -> None:
    workers.deploy("breaker", BREAKER)
    outcome = await workers.invoke("breaker", b'"close"')
    assert outcome.record.error.type == "WorkerEnded"
    assert "closed the connection to the server" in outcome.record.error.message


async def test_a_worker_that_kills_itself_was_killed(workers: Platform) -> None:
    workers.deploy("breaker", BREAKER)
    outcome = await workers.invoke("breaker", b'"itself"')
    assert outcome.record.error.type == "WorkerKilled"
    assert outcome.record.error.message == "the worker was killed by signal 9 (SIGKILL)"
