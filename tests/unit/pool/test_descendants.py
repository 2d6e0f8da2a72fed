"""What a process has started, and what it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from relive_platform.pool.descendants import descendants, private_bytes, unshared_bytes

CHILD = """
import os, subprocess, sys, time
hoard = bytearray(40 << 20)
hoard[::4096] = b"x" * len(hoard[::4096])
if not os.fork():
    os.setsid()
    time.sleep(60)
print("started", flush=True)
sys.stdin.read()
"""


def test_processes_in_other_sessions_and_of_other_threads_are_found() -> None:
    # Given a child of another thread, which has one of its own in another session
    started: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()

    def run() -> None:
        child = [sys.executable, "-c", CHILD]
        started.append(subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        ended.wait(30)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not started:
            thread.join(0.01)
        assert started[0].stdout is not None
        started[0].stdout.readline()

        # When I look
        found = descendants(os.getpid())

        # I expect both, the parent first, and no more than I ask for
        at = found.index(started[0].pid)
        grandchild = descendants(started[0].pid)
        assert len(grandchild) == 1
        assert found.index(grandchild[0]) > at
        assert descendants(os.getpid(), 1) == found[:1]

        # ... and that what the two share counts once where it is looked at closely
        pids = [started[0].pid, *grandchild]
        assert sum(map(private_bytes, pids)) > 80 << 20
        assert sum(map(unshared_bytes, pids)) < 70 << 20
    finally:
        for pid in descendants(started[0].pid):
            os.kill(pid, 9)
        started[0].communicate()
        ended.set()
        thread.join()


def test_a_process_that_has_ended_has_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert descendants(child.pid) == []
    assert private_bytes(child.pid) == 0
    assert unshared_bytes(child.pid) == 0
