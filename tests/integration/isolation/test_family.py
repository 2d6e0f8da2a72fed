"""Tier 2: process numbers, /proc, /dev and IPC of the zygote's own."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_users import FIRST
from relive_base.wire.messages import Crashed
from relive_capture.explore.outside import dump
from relive_runtime.isolation import landlock
from relive_runtime.isolation.family import probe_family
from relive_runtime.worker.faults import can_stand_still
from worker_harness import WorkerHandle, ZygoteHandle, zygote

pytestmark = pytest.mark.skipif(
    bool(probe_family()) or landlock.abi_version() < 1,
    reason="no namespaces, or no Landlock",
)

CODE = """
import ctypes, os, signal, subprocess, sys, threading, time
def handler(event, context):
    try:
        return repr(eval(event, globals()))
    except OSError as error:
        return error.errno
def numbers():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
def started():
    child = subprocess.Popen(["sleep", "20"])
    try:
        return child.pid in numbers(), len(numbers())
    finally:
        child.kill()
        child.wait()
"""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), tier=2, users=(FIRST, 256)) as started:
        yield started


@pytest.fixture(scope="module")
def worker(family: ZygoteHandle) -> WorkerHandle:
    return family.worker(CODE, timeout_s=60, isolation_tier=2)


def test_tier_2_is_reached_and_told(worker: WorkerHandle) -> None:
    assert worker.ready is not None
    # a user of its own is root's to give; see test_own_user.py
    lacks = ["no user of its own: only a server that runs as root can give one"] if os.geteuid() else []
    assert (worker.ready.isolation_tier, worker.ready.isolation_detail) == (2, lacks)


def test_the_server_knows_the_worker_by_the_machines_number(worker: WorkerHandle) -> None:
    inside = int(worker.invoke("os.getpid()").value)

    assert worker.ready is not None
    assert worker.ready.pid == worker.pid != inside
    status = Path(f"/proc/{worker.pid}/status").read_text()
    assert re.search(rf"^NSpid:\s+{worker.pid}\s+{inside}$", status, re.MULTILINE)


def test_a_function_sees_itself_and_what_it_has_started(family: ZygoteHandle, worker: WorkerHandle) -> None:
    other = family.worker(CODE, isolation_tier=2)
    own = int(worker.invoke("os.getpid()").value)

    assert worker.invoke("numbers()").value == str([own])
    assert worker.invoke("started()").value == "(True, 2)"
    assert other.invoke("numbers()").value != str([own])
    assert worker.invoke("os.path.exists('/proc/1')").value == "False"


def test_signals_to_itself_work_as_ever(family: ZygoteHandle) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        worker = family.worker(CODE, isolation_tier=2)
        worker.wire.send(worker.invoke_frame(f"os.kill(os.getpid(), {int(number)}), time.sleep(20)"))

        if number == signal.SIGSEGV and can_stand_still():
            worker.wire.until(Crashed)
            dumped = dump(worker.pid, 20.0)
            assert b"event" in dumped.members["exception.json"], dumped.reason
            os.kill(worker.pid, signal.SIGCONT)
        exited = family.wait_exit(worker)

        assert (exited.pid, os.WTERMSIG(exited.status)) == (worker.pid, number)


def test_there_are_no_devices_but_the_harmless_ones(worker: WorkerHandle) -> None:
    names = eval(worker.invoke("sorted(os.listdir('/dev'))").value) if landlock.abi_version() == 0 else []
    assert set(names) <= {"fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"}
    assert worker.invoke("os.path.exists('/dev/pts'), os.path.exists('/dev/shm')").value == "(False, False)"
    assert worker.invoke("open('/dev/zero', 'rb').read(2), open('/dev/null', 'w').write('x')").value == (
        "(b'\\x00\\x00', 1)"
    )


def test_spaces_of_the_machine_are_not_those_of_the_function(worker: WorkerHandle) -> None:
    for name in ("mnt", "pid", "ipc"):
        assert worker.invoke(f"os.readlink('/proc/self/ns/{name}')").value != repr(
            os.readlink(f"/proc/self/ns/{name}")
        ), name


def test_all_ends_with_the_zygote(tmp_path: Path) -> None:
    with zygote(tmp_path, tier=2) as running:
        worker = running.worker(CODE, isolation_tier=2)
        worker.wire.send(worker.invoke_frame("time.sleep(60)"))
        os.kill(worker.pid, signal.SIGSTOP)  # one that is stopped, too

        running.wire.socket.close()
        assert running.process.wait(120) == 0

        assert worker.ended()
        assert not Path(f"/proc/{worker.pid}").exists()
