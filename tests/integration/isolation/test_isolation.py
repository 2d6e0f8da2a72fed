"""What a function can and cannot do to the machine it runs on."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from relive_base.wire.messages import FunctionSpec
from relive_runtime.isolation import apply, landlock, prepare, probe, seccomp
from relive_runtime.isolation.calls import REFUSED
from worker_harness import WorkerHandle, ZygoteHandle

needs_landlock = pytest.mark.skipif(not landlock.abi_version(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="this kernel has no seccomp filters")

PAGES = 1_000
"""Whose first touches take a fresh fork some 3.3 ms of CPU."""
NO_WRITING = (errno.EACCES, errno.EROFS)
TRY = """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def handler(event, context):
    try:
        return repr(eval(event, globals()))
    except OSError as error:
        return error.errno
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "done"
def threads(count):
    import threading
    gate = threading.Event()
    waiting = [threading.Thread(target=gate.wait) for _ in range(count)]
    [thread.start() for thread in waiting]
    gate.set()
    return len([thread.join() for thread in waiting])
def mapped(path, size):
    import mmap
    with open(path, "w+b") as file:
        file.truncate(size)
        return len(mmap.mmap(file.fileno(), size))
"""


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(TRY, timeout_s=60)


@needs_landlock
@needs_seccomp
def test_tier_1_is_reached_and_told(worker: WorkerHandle) -> None:
    assert worker.ready is not None
    assert (worker.ready.isolation_tier, worker.ready.isolation_detail) == (1, [])


@needs_landlock
def test_only_scratch_can_be_written(running: ZygoteHandle, worker: WorkerHandle) -> None:
    folders = ["/etc", "/dev/shm", "/var/tmp", worker.spec.source]
    for folder in folders:
        path = f"{folder}/relive-x"
        assert worker.invoke(f"open({path!r}, 'w')").value in NO_WRITING, path
    scratch = worker.spec.scratch
    assert "4" in worker.invoke(f"open({scratch + '/x'!r}, 'w').write('text')").value
    assert "tmp" in worker.invoke("__import__('tempfile').NamedTemporaryFile().name").value
    assert worker.invoke(f"os.unlink({worker.spec.source + '/main.py'!r})").value in NO_WRITING
    assert "1" in worker.invoke("open('/dev/null', 'w').write('x')").value


@needs_landlock
def test_the_home_cannot_be_read_but_the_functions_own_code_can(
    running: ZygoteHandle, worker: WorkerHandle
) -> None:
    run = running.home / "run"
    run.mkdir(exist_ok=True)
    (run / "token").write_text("secret")
    other = running.home / "code" / "other"
    other.mkdir(parents=True, exist_ok=True)
    (other / "main.py").write_text("SECRET = 1")
    for path in [str(run / "token"), str(other / "main.py"), "/root/.bashrc", "/var/log"]:
        assert worker.invoke(f"os.open({path!r}, os.O_RDONLY)").value in (errno.EACCES, errno.ENOENT), path
    seen = worker.invoke(
        f"os.listdir({str(running.home)!r})"
    ).value  # below a /tmp of its own: what it may see
    assert seen == errno.EACCES or not {"run", "token"} & set(re.findall(r"\w+", seen))
    assert "main.py" in worker.invoke(f"os.listdir({worker.spec.source!r})").value
    assert "b'" in worker.invoke("os.read(os.open('/etc/hosts', os.O_RDONLY), 10)").value


@needs_landlock
def test_other_processes_are_out_of_reach(running: ZygoteHandle, worker: WorkerHandle) -> None:
    other = running.worker(TRY)
    for pid in (os.getpid(), running.process.pid, other.pid):
        for name in ("environ", "mem", "maps"):
            read = f"os.pread(os.open('/proc/{pid}/{name}', os.O_RDONLY), 100, 0)"
            assert worker.invoke(read).value in (errno.EACCES, errno.EPERM, errno.EIO, "b''"), name
    if landlock.abi_version() >= 6:
        assert worker.invoke(f"os.kill({os.getpid()}, 0)").value == errno.EPERM
        assert worker.invoke("os.kill(os.getpid(), 0)").value == "None"


@needs_seccomp
def test_dangerous_system_calls_are_refused(worker: WorkerHandle) -> None:
    column = 0 if seccomp.machine() == "x86_64" else 1
    for name, numbers in REFUSED.items():
        if numbers[column] >= 0:
            assert worker.invoke(f"call({numbers[column]}, 0, 0, 0, 0, 0)").value == errno.EPERM, name


@needs_seccomp
def test_namespaces_cannot_be_made_by_clone_but_processes_and_threads_can(worker: WorkerHandle) -> None:
    number = 56 if seccomp.machine() == "x86_64" else 220
    assert worker.invoke(f"call({number}, 0x10000000 | 17, 0, 0, 0, 0)").value == errno.EPERM
    assert worker.invoke("call(435, 0, 0)").value == errno.ENOSYS
    assert worker.invoke("subprocess.check_output(['echo', 'fine'])").value == "b'fine\\n'"
    thread = "__import__('concurrent.futures').futures.ThreadPoolExecutor().submit(len, 'abc').result()"
    assert worker.invoke(thread).value == "3"


def test_the_network_is_open(worker: WorkerHandle) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"__import__('socket').create_connection(('127.0.0.1', {port}), 5)"
        answer = worker.invoke(f"{connect}.getpeername()")
        assert str(port) in answer.value


def test_a_worker_can_be_looked_at_from_outside(worker: WorkerHandle) -> None:
    """py-spy reads a hanging worker's memory: nothing that is applied may stand in its way."""
    remote = os.open(f"/proc/{worker.pid}/mem", os.O_RDONLY)
    os.close(remote)
    libc = ctypes.CDLL(None, use_errno=True)
    attach, detach = 16, 17
    assert libc.ptrace(attach, worker.pid, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(worker.pid, 0x40000000)
    assert libc.ptrace(detach, worker.pid, None, None) == 0
    assert worker.invoke("1 + 1").value == "2"


def test_tier_0_is_what_was_asked_for(running: ZygoteHandle) -> None:
    worker = running.worker(TRY, isolation_tier=0)
    assert worker.ready is not None
    assert worker.ready.isolation_tier == 0
    with tempfile.TemporaryDirectory() as folder:
        assert "3" in worker.invoke(f"open({folder + '/x'!r}, 'w').write('abc')").value


def test_a_higher_tier_than_the_zygotes_says_that_it_is_not_there(running: ZygoteHandle) -> None:
    worker = running.worker(TRY, isolation_tier=2)
    assert worker.ready is not None
    assert worker.ready.isolation_tier == 1
    assert worker.ready.isolation_detail == ["tier 2: the zygote was started for a lower tier"]


def test_limits_do_not_hinder_ordinary_use(running: ZygoteHandle) -> None:
    # Given a small function
    worker = running.worker(TRY, memory_mb=128, timeout_s=60)
    # Then threads, shared mappings far over the limit, and buffers below it work
    assert worker.invoke("threads(60)").value == "60"
    assert worker.invoke(f"mapped({worker.spec.scratch + '/big'!r}, 4 << 30)").value == str(4 << 30)
    assert worker.invoke("len(bytearray(100 << 20))").value == str(100 << 20)


def test_applying_takes_a_millisecond_or_two(running: ZygoteHandle) -> None:
    prepared = prepare(str(running.runtime), "")
    folder = str(running.home)
    spec = FunctionSpec(name="f", version=1, handler="m:h", source=folder, scratch=folder)
    pages = bytearray(b"1" * (PAGES * mmap.PAGESIZE))

    def touch() -> None:
        for at in range(0, len(pages), mmap.PAGESIZE):
            pages[at] = 2

    # Most of it are the first touches of pages, of which a machine's neighbours make each dearer
    shares = [_time_in_child(lambda: apply(spec, prepared)) / _time_in_child(touch) for _ in range(9)]
    assert median(shares) < 1.2  # 4 ms where the pages take 3.3; aim: 1.5 ms


def _time_in_child(work: Callable[[], object]) -> float:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        began = time.process_time()
        work()
        os.write(write, str(time.process_time() - began).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    seconds = float(os.read(read, 100))
    os.close(read)
    return seconds


def test_the_doctor_is_told_what_there_is(tmp_path: Path) -> None:
    found = {entry.name: entry for entry in probe()}
    assert found["landlock"].ok == bool(landlock.abi_version())
    assert found["seccomp"].ok == seccomp.available()
    assert found["isolation"].ok == (found["landlock"].ok and found["seccomp"].ok)
    assert all(entry.ok or entry.hint for entry in found.values())
