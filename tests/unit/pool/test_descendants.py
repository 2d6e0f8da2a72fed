"""What a process has started, and what it holds."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

from fresh_process import in_a_fresh_process
from relive_platform.engine.workers.descendants import (
    children_bytes,
    descendants,
    exact_children_bytes,
    running,
)
from relive_runtime.worker.limits.memory import held_bytes

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


@in_a_fresh_process  # other tests have left processes
def test_processes_in_other_sessions_and_of_other_threads_are_found() -> None:
    # Given a child of another thread, which has one of its own in another session
    started: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()

    def run() -> None:
        child = [sys.executable, "-c", CHILD]
        started.append(subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        ended.wait(120)

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
        grandchild = descendants(started[0].pid)
        assert len(grandchild) == 1
        assert found == [started[0].pid, *grandchild]
        assert descendants(os.getpid(), 1) == [started[0].pid]

        # ... and that what the two share counts once where it is looked at closely
        pids = [started[0].pid, *grandchild]
        assert children_bytes(pids) > 80 << 20
        assert exact_children_bytes(os.getpid(), pids, False) < 70 << 20
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
    assert children_bytes([child.pid]) == 0
    assert exact_children_bytes(os.getpid(), [child.pid], False) == 0


def test_one_that_nobody_has_waited_for_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True)"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert child.pid in descendants(os.getpid())
    assert running([child.pid]) == []
    child.wait()


SHARING = """
import mmap, os, sys, time
block = mmap.mmap(-1, 40 << 20)
block[::4096] = b"x" * len(block[::4096])
if not os.fork():
    block[::4096]
    print("started", flush=True)
    time.sleep(60)
sys.stdin.read()
"""


def test_shared_memory_counts_and_mapped_files_do_not(tmp_path: Path) -> None:
    # Given two processes that share 40 MB, and this one with a mapped file of as much
    file = Path("/var/tmp") / f"relive-mapped-{os.getpid()}"
    parent = subprocess.Popen([sys.executable, "-c", SHARING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        file.write_bytes(b"x" * (40 << 20))
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as pages:
            before = held_bytes(False)
            pages[::4096]
            assert held_bytes(False) < before + (20 << 20)
        assert parent.stdout is not None
        parent.stdout.readline()
        child = descendants(parent.pid)

        # I expect that it counts for each at first, and once where it is looked at closely
        assert held_bytes(False, parent.pid) > 40 << 20
        assert children_bytes(child) > 40 << 20
        assert exact_children_bytes(parent.pid, child, False) < 30 << 20
    finally:
        for pid in descendants(parent.pid):
            os.kill(pid, 9)
        parent.communicate()
        file.unlink(missing_ok=True)
