"""Tier 2 where the server is root: a user of its own for each worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from own_users import FIRST
from relive_runtime.isolation import landlock
from relive_runtime.isolation.family import probe_family
from worker_harness import WorkerHandle, ZygoteHandle, zygote

pytestmark = pytest.mark.skipif(
    bool(os.geteuid() or probe_family()) or landlock.abi_version() < 1,
    reason="not root, or no namespaces, or no Landlock",
)

USERS = (FIRST, 256)
CODE = """
import ctypes, errno, os, resource, signal, subprocess, sys, tempfile, threading, time
def handler(event, context):
    try:
        return repr(eval(event, globals()))
    except OSError as error:
        return errno.errorcode[error.errno]
def status(name):
    with open("/proc/self/status") as file:
        return next(line.split(":")[1].split() for line in file if line.startswith(name + ":"))
def write(path):
    with open(path, "w") as file:
        return file.write("x")
def bomb():
    started = []
    try:
        while len(started) < 2_000:
            pid = os.fork()
            if not pid:
                signal.pause()
            started.append(pid)
    except BlockingIOError:
        return len(started)
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
"""


@pytest.fixture(scope="module", params=["plain", "confined"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ZygoteHandle]:
    """A zygote of the standard library, which stays root; one that imports the code of others, which does
    not."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)  # nobody but root gets in
    with zygote(home, tier=2, users=USERS, confined=request.param == "confined") as started:
        yield started


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(CODE, timeout_s=60, isolation_tier=2)


def test_each_worker_is_another_user_and_nothing_else(running: ZygoteHandle, worker: WorkerHandle) -> None:
    other = running.worker(CODE, isolation_tier=2)

    assert worker.ready is not None
    assert (worker.ready.isolation_tier, worker.ready.isolation_detail) == (2, [])
    for each in (worker, other):
        uid = each.spec.uid
        assert each.invoke("os.getresuid(), os.getresgid(), os.getgroups()").value == repr(
            ((uid,) * 3, (uid,) * 3, [])
        )
        assert each.invoke("[status(name) for name in ('CapPrm', 'CapEff', 'NoNewPrivs')]").value == repr(
            [["0" * 16], ["0" * 16], ["1"]]
        )
        # and so the machine has it, not the worker alone
        assert os.stat(f"/proc/{each.pid}").st_uid == uid
    assert worker.spec.uid != other.spec.uid


def test_the_worker_sees_its_folders_and_nothing_else_of_a_closed_home(
    running: ZygoteHandle, worker: WorkerHandle
) -> None:
    (running.home / "secret").write_text("not for functions")
    other = running.worker(CODE, isolation_tier=2)

    assert worker.invoke(f"os.path.exists({str(running.home / 'secret')!r})").value == "False"
    for folder in (worker.spec.scratch, "/tmp"):
        path = f"{folder}/own"
        assert worker.invoke(f"write({path!r}), os.stat({path!r}).st_uid").value == f"(1, {worker.spec.uid})"
    assert os.stat(f"{worker.spec.scratch}/own").st_uid == worker.spec.uid
    assert worker.invoke(f"os.listdir({other.spec.scratch!r})").value in ("EACCES", "ENOENT")
    assert worker.invoke(f"write({worker.spec.source + '/main.py'!r})").value in ("EACCES", "EROFS")
    assert worker.invoke("os.setuid(0)").value in ("EPERM", "EINVAL")
    assert worker.invoke(f"os.setuid({other.spec.uid})").value in ("EPERM", "EINVAL")


def test_what_a_function_needs_works_as_ever(worker: WorkerHandle) -> None:
    assert worker.invoke("subprocess.run(['id', '-u'], capture_output=True, text=True).stdout").value == repr(
        f"{worker.spec.uid}\n"
    )
    assert (
        worker.invoke("subprocess.run([sys.executable, '-c', 'import json'], check=True).returncode").value
        == "0"
    )
    assert worker.invoke("tempfile.NamedTemporaryFile().write(b'x')").value == "1"
    assert worker.invoke(
        "open('/proc/self/maps').read(1) != '', os.listdir('/proc/self/fd') != []"
    ).value == ("(True, True)")
    outcome = worker.invoke("print('by name', file=open('/dev/stdout', 'w'), flush=True)")
    assert outcome.value == "None"
    assert "by name" in worker.console()


def test_a_fork_bomb_ends_at_the_workers_own_limit(running: ZygoteHandle) -> None:
    worker = running.worker(CODE, timeout_s=60, isolation_tier=2)

    started = int(worker.invoke("bomb()").value)

    # itself, and perhaps threads of Relive's; another worker's processes do not count
    assert 240 <= started <= 255
    assert worker.invoke("1 + 1").value == "2"


def test_the_server_ends_it_and_what_it_has_left_behind(running: ZygoteHandle) -> None:
    worker = running.worker(CODE, timeout_s=60, isolation_tier=2)
    worker.invoke("subprocess.Popen(['sleep', '600'], start_new_session=True).pid")
    left = [pid for pid in _pids_of(worker.spec.uid) if pid != worker.pid]
    assert len(left) == 1

    worker.wire.send(worker.invoke_frame("time.sleep(60)"))
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(worker.pid, signal.SIGKILL)
    running.wait_exit(worker)

    assert _gone(worker.spec.uid)


def test_the_next_worker_finds_an_empty_tmp(running: ZygoteHandle) -> None:
    for _ in range(18):  # more than a confined zygote has
        worker = running.worker(CODE, timeout_s=60, isolation_tier=2)
        assert worker.invoke("set(os.listdir('/tmp')) - {'pytest-of-root'}").value == "set()"
        assert worker.invoke("os.mkdir('/tmp/closed', 0o700), write('/tmp/closed/left')").value == "(None, 1)"
        worker.wire.send(worker.invoke_frame("os._exit(0)"))
        running.wait_exit(worker)


def test_with_no_number_left_for_it_the_worker_says_so(running: ZygoteHandle) -> None:
    worker = running.worker(CODE, isolation_tier=2, uid=0)

    assert worker.ready is not None
    assert worker.ready.isolation_detail == ["no user of its own: all of its zygote's are in use"]
    assert worker.invoke("os.getuid()").value == str(running.ready.uid)
    assert worker.invoke(f"write({worker.spec.scratch + '/own'!r})").value == "1"


def test_folders_that_are_closed_to_others_are_told(running: ZygoteHandle) -> None:
    source = running.home / "code" / "closed" / "v1"
    source.mkdir(parents=True)
    (source / "main.py").write_text(CODE)
    source.parent.chmod(0o700)
    if running.ready.uid:
        pytest.skip("the zygote cannot read it either")

    worker = running.fork(running.spec(source, isolation_tier=2))

    assert worker.start().isolation_detail == [f"no user of its own: others may not pass {source.parent}"]


def _pids_of(uid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                found.append(int(name))
        except OSError:
            continue
    return found


def _gone(uid: int) -> bool:
    end = time.monotonic() + 120
    while _pids_of(uid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
