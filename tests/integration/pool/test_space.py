"""What a function holds in memory, and what it leaves running, in real workers under a real supervisor."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
from pool_harness import Platform

MAPPED = """
import mmap, os
def handler(event, context):
    path = os.path.join(os.environ[event], "big.bin")
    with open(path, "wb") as out:
        for _ in range(120):
            out.write(b"x" * (1 << 20))
    total = 0
    with open(path, "rb") as source, mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ) as pages:
        for _ in range(60):
            total += sum(pages[::4096])
    os.unlink(path)
    return total
"""

KILLED = """
import mmap, os, signal, time
def handler(event, context):
    path = os.path.join(os.environ["HOME"], "big.bin")
    with open(path, "wb") as out:
        for _ in range(120):
            out.write(b"x" * (1 << 20))
    with open(path, "rb") as source, mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ) as pages:
        pages[::4096]
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(20)
"""

HOARDS = {
    "anonymous": "block = bytearray(150 << 20)",
    "shared": "block = mmap.mmap(-1, 150 << 20); block[::4096] = b'x' * len(block[::4096])",
    "child": "os.fork() or hold(150)",
    "detached": "os.fork() or (os.setsid(), os.fork() and os._exit(0), hold(150))",
}
HOARD = """
import mmap, os, time
def hold(size):
    block = bytearray(size << 20)
    time.sleep(60)
def handler(event, context):
    %s
    time.sleep(60)
"""

LEFT_BEHIND = """
import os, subprocess, sys, time
SLEEPER = "import time, sys; print(flush=True); time.sleep(120)"
def handler(event, context):
    reading, writing = os.pipe()
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.dup2(writing, 1)
            os.execve(sys.executable, [sys.executable, "-I", "-c", SLEEPER, "relive-test-%s"], {})
        os._exit(0)
    os.wait()
    os.read(reading, 1)
    return "started"
"""


@pytest.mark.parametrize("place", ["HOME", "TMPDIR"])
async def test_the_pages_of_a_mapped_file_are_no_memory_of_the_function(
    workers: Platform, place: str
) -> None:
    # Given a function of 96 MB that maps a file of 120 MB
    workers.deploy("f", MAPPED, memory_mb=96, timeout_s=60.0)

    outcome = await workers.invoke("f", json.dumps(place).encode())

    # I expect that it is left alone
    assert outcome.record.status == "ok", outcome.error
    assert int(outcome.body) == 60 * (120 << 20) // 4096 * ord("x")


async def test_a_kill_with_a_mapped_file_is_not_taken_for_the_memory_limit(workers: Platform) -> None:
    workers.deploy("f", KILLED, memory_mb=96, timeout_s=60.0)

    outcome = await workers.invoke("f")

    assert (outcome.record.status, outcome.error.kind) == ("crash", "signal")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", HOARDS)
async def test_memory_counts_whatever_it_is_and_whoever_holds_it(workers: Platform, name: str) -> None:
    workers.deploy("f", HOARD % HOARDS[name], memory_mb=96, timeout_s=60.0)

    outcome = await workers.invoke("f")

    assert (outcome.record.status, outcome.error.kind) == ("memory", "memory")  # type: ignore[union-attr]


async def test_memory_that_nobody_can_count_is_refused(workers: Platform) -> None:
    workers.deploy("f", "import os\ndef handler(event, context):\n    os.memfd_create('hidden')\n")

    outcome = await workers.invoke("f")

    if outcome.record.isolation_tier < 1:
        pytest.skip("no seccomp here")
    assert outcome.error is not None
    assert outcome.error.type == "PermissionError"


BUFFERS = """
import socket
SIZES = (socket.SO_SNDBUF, socket.SO_RCVBUF)
def handler(event, context):
    sizes = []
    for one in socket.socketpair()[0], socket.socket():
        before = [one.getsockopt(socket.SOL_SOCKET, option) for option in SIZES]
        for option in SIZES:
            one.setsockopt(socket.SOL_SOCKET, option, 1 << 23)
        sizes.append((before, [one.getsockopt(socket.SOL_SOCKET, option) for option in SIZES]))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return sizes
"""


async def test_buffers_of_sockets_cannot_be_made_larger(workers: Platform) -> None:
    # Given a function that asks for buffers of 8 MB, which no look at its process would count
    workers.deploy("f", BUFFERS)

    outcome = await workers.invoke("f")

    if outcome.record.isolation_tier < 1:
        pytest.skip("no seccomp here")
    # I expect them to stay as they were, and other options to work
    assert outcome.error is None
    for before, after in json.loads(outcome.body):
        assert before == after


def _running(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in line.split(b"\0") and mark:
                found.append(int(entry.name))
    return found


async def test_what_a_worker_leaves_behind_without_a_trace_ends_with_it(workers: Platform) -> None:
    # Given a process that has cut every tie: another session, no parent, no environment
    mark = f"relive-test-{uuid.uuid4().hex}"
    pool = workers.deploy("f", LEFT_BEHIND % mark[12:], timeout_s=60.0)
    assert (await workers.invoke("f")).body == b'"started"'
    assert len(_running(mark)) == 1

    # When its worker leaves
    pool.remove_idle(await workers.idle(pool))

    # I expect that it ends
    await workers.until(lambda: not _running(mark))


@pytest.mark.parametrize("who", ["worker", "server"])
async def test_it_ends_where_the_worker_or_the_server_is_killed(workers: Platform, who: str) -> None:
    mark = f"relive-test-{uuid.uuid4().hex}"
    workers.deploy("f", LEFT_BEHIND % mark[12:], timeout_s=60.0)
    await workers.invoke("f")
    assert len(_running(mark)) == 1

    if who == "worker":
        os.kill(next(iter(workers.host.workers.values())).pid, 9)
    else:  # the zygote sees the same end of its socket
        zygote = next(iter(workers.zygotes._ready.values()))
        assert zygote._socket is not None
        zygote._socket.shutdown(2)

    await workers.until(lambda: not _running(mark))
