"""Every system call that could reach another process of the user, called for real by a function."""

from __future__ import annotations

import errno
import os
import pty
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.calls import ARGUMENTS, REFUSED
from relive_runtime.isolation.spaces import probe_spaces
from worker_harness import WorkerHandle, ZygoteHandle

pytestmark = [
    pytest.mark.skipif(not landlock.guards_signals(landlock.abi_version()), reason="Landlock before ABI 6"),
    pytest.mark.skipif(not seccomp.available(), reason="this kernel has no seccomp filters"),
]

TRY = """
import ctypes, os, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
memory = ctypes.create_string_buffer(4096)
rlimit = (ctypes.c_uint64 * 2)(1, 1)

def call(number, *arguments):
    wide = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return 0 if libc.syscall(ctypes.c_long(number), *wide) >= 0 else ctypes.get_errno()

def child_of_a_child(code):
    pid = os.fork()
    if pid == 0:
        os._exit(eval(code))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def handler(event, context):
    try:
        return eval(event)
    except OSError as error:
        return error.errno
"""
COLUMN = 0 if seccomp.machine() == "x86_64" else 1
# name, arguments (V: the victim), the errors that mean that it was refused
FOREIGN = [
    ("prlimit64", "V, 0, rlimit, 0"),  # RLIMIT_CPU: the kernel kills it a second later
    ("prlimit64", "V, 7, rlimit, 0"),  # RLIMIT_NOFILE
    ("prlimit64", "V, 7, 0, memory"),
    ("sched_setaffinity", "V, 128, memory"),
    ("sched_setscheduler", "V, 5, memory"),
    ("sched_setparam", "V, memory"),
    ("sched_setattr", "V, memory, 0"),
    ("get_robust_list", "V, memory, memory"),
    ("migrate_pages", "V, 1, memory, memory"),
    ("move_pages", "V, 0, 0, 0, 0, 0"),
    ("rt_sigqueueinfo", "V, 9, memory"),
    ("rt_tgsigqueueinfo", "V, V, 9, memory"),
    ("setpriority", "0, V, 19"),
    ("setpriority", "1, V, 19"),
    ("setpriority", "2, 0, 19"),
    ("ioprio_set", "1, V, 3 << 13"),
    ("ioprio_set", "3, 0, 3 << 13"),
    ("kill", "V, 9"),
    ("kill", "-V, 9"),
    ("kill", "-1, 9"),
    ("prctl", "62, 2, V, 0, 0"),
]
SIGNALS = {"tgkill": (234, 131), "tkill": (200, 130)}


@pytest.fixture(scope="module")
def worker(running: ZygoteHandle) -> WorkerHandle:
    return running.worker(TRY, timeout_s=60)


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this user, in a group of its own."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, start_new_session=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


def _state(pid: int) -> tuple[object, ...]:
    return (
        [resource.prlimit(pid, limit) for limit in range(16)],
        os.sched_getaffinity(pid),
        os.sched_getscheduler(pid),
        os.getpriority(os.PRIO_PROCESS, pid),
    )


def test_no_call_reaches_another_process(worker: WorkerHandle, victim: subprocess.Popen[bytes]) -> None:
    # Given a process of the same user, and what there is to change of it
    before = _state(victim.pid)
    # When a function calls whatever takes a pid, a group or a user
    for name, arguments in FOREIGN:
        number = ARGUMENTS[name][COLUMN]
        answer = worker.invoke(f"call({number}, {arguments.replace('V', str(victim.pid))})").value
        # I expect that each is refused
        assert answer == errno.EPERM, (name, arguments)
    for name, numbers in SIGNALS.items():
        first = f"{victim.pid}, " * (2 if name == "tgkill" else 1)
        assert worker.invoke(f"call({numbers[COLUMN]}, {first} 9)").value == errno.EPERM, name
    for name in ("pidfd_open", "process_madvise", "process_mrelease", "kcmp", "ptrace", "process_vm_writev"):
        assert (
            worker.invoke(f"call({REFUSED[name][COLUMN]}, {victim.pid}, 0, 0, 0, 0, 0)").value == errno.EPERM
        )
    # and that nothing has changed
    assert victim.poll() is None
    assert _state(victim.pid) == before


def test_a_child_of_the_function_is_kept_as_the_function_is(
    worker: WorkerHandle, victim: subprocess.Popen[bytes]
) -> None:
    number = ARGUMENTS["prlimit64"][COLUMN]
    attempt = f"call({number}, {victim.pid}, 7, rlimit, 0)"
    assert worker.invoke(f"child_of_a_child({attempt!r})").value == errno.EPERM
    attempt = f"call({ARGUMENTS['kill'][COLUMN]}, {victim.pid}, 9)"
    assert worker.invoke(f"child_of_a_child({attempt!r})").value == errno.EPERM
    assert victim.poll() is None


def test_the_same_calls_work_on_the_function_itself(worker: WorkerHandle) -> None:
    for own in ("0", "os.getpid()"):
        assert worker.invoke(f"__import__('resource').prlimit({own}, 7)[0]").value > 0
        assert worker.invoke(f"os.sched_setaffinity({own}, os.sched_getaffinity(0))").value is None
        assert worker.invoke(f"os.setpriority(os.PRIO_PROCESS, {own}, 3)").value is None
        assert worker.invoke(f"os.kill({own}, 0)").value is None
    assert worker.invoke("os.nice(1)").value == 4
    assert worker.invoke("signal.pthread_kill(__import__('threading').get_ident(), 0)").value is None


@pytest.mark.parametrize("everybody", ["os.kill(-1, 9)", "os.killpg(PARENT, 9)", "os.kill(PARENT, 9)"])
def test_everybody_is_nobody(running: ZygoteHandle, worker: WorkerHandle, everybody: str) -> None:
    code = everybody.replace("PARENT", str(running.process.pid))
    assert worker.invoke(code).value == errno.EPERM
    assert running.process.poll() is None


def test_a_function_that_kills_its_own_group_ends_itself_alone(running: ZygoteHandle) -> None:
    # Given two workers of one zygote
    doomed, other = running.worker(TRY), running.worker(TRY)
    # When one kills its process group
    doomed.wire.send(doomed.invoke_frame("os.kill(0, signal.SIGKILL)"))
    # I expect that it alone is gone
    assert running.wait_exit(doomed).status == 9
    assert other.invoke("1 + 1").value == 2


def test_keystrokes_of_a_terminal_cannot_be_read_nor_made(worker: WorkerHandle) -> None:
    # Given a terminal of the user, who types
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    try:
        os.write(master, b"secret\n")
        # When a function opens it, I expect a refusal
        assert worker.invoke(f"os.open({name!r}, os.O_RDONLY | os.O_NOCTTY)").value == errno.EACCES
        for device in ("/dev/tty", "/dev/pts", "/dev/ptmx", "/dev/mem", "/dev/console", "/dev"):
            answer = worker.invoke(f"os.open({device!r}, os.O_RDONLY)").value
            assert answer in (errno.EACCES, errno.ENOENT), device
        assert worker.invoke(f"call({ARGUMENTS['ioctl'][COLUMN]}, 0, 0x5412, memory)").value == errno.EPERM
    finally:
        os.close(master)
        os.close(slave)
    for device in ("null", "zero", "full", "random", "urandom"):
        assert worker.invoke(f"os.close(os.open('/dev/{device}', os.O_RDWR))").value is None, device
    assert len(worker.invoke("os.read(os.open('/dev/urandom', os.O_RDONLY), 4).hex()").value) == 8


def test_unix_sockets_of_the_user_are_out_of_reach(running: ZygoteHandle, tmp_path: Path) -> None:
    # Given what listens on a path, and on an abstract name
    path, abstract = str(tmp_path / "agent.sock"), f"\0relive-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as agent, socket.socket(socket.AF_UNIX) as hidden:
        agent.bind(path)
        agent.listen()
        hidden.bind(abstract)
        hidden.listen()
        connect = "(lambda s: (s.connect({!r}), s.send(b'x'))[1])(socket.socket(socket.AF_UNIX))"
        # When a function connects, I expect a refusal
        closed = running.worker(TRY)
        assert closed.invoke(connect.format(path)).value == errno.EACCES
        assert closed.invoke("socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]").value == errno.EACCES
        assert closed.invoke("[end.close() for end in socket.socketpair()]").value == [None, None]
        # and where the owner allows those that have a path, they alone can be had
        allowed = running.worker(TRY, unix_sockets=True, tmp_mb=0)  # this one lies below /tmp
        assert allowed.invoke(connect.format(path)).value == 1
        assert allowed.invoke(connect.format(abstract)).value == errno.EPERM


@pytest.mark.skipif(bool(probe_spaces()), reason="no mount namespaces here")
def test_modes_owners_and_times_of_others_files_cannot_be_changed(running: ZygoteHandle) -> None:
    # Given files of the server's user: its home, and others
    worker = running.worker(TRY, tmp_mb=16)
    before = running.home.stat(), Path.home().stat()
    for path in (sys.prefix, str(Path.home()), "/etc/hostname"):
        # When a function changes what Landlock does not look at, I expect a refusal
        for call in ("chmod({!r}, 0)", "utime({!r})", "chown({!r}, 0, 0)", "setxattr({!r}, 'user.x', b'')"):
            answer = worker.invoke(f"os.{call.format(path)}").value
            hidden = (errno.ENOENT,) if path.startswith("/tmp/") else ()  # its own /tmp lies over it
            assert answer in (errno.EROFS, errno.EPERM, *hidden), (call, path)
    for call in ("chmod({!r}, 0)", "utime({!r})"):  # below /tmp, where it sees another folder
        worker.invoke(f"os.{call.format(str(running.home))}")
    assert (running.home.stat(), Path.home().stat()) == before
    # and that its own files are its own
    for folder in ("/tmp", worker.spec.scratch):
        assert worker.invoke(f"open('{folder}/x', 'w').close(), os.chmod('{folder}/x', 0o600)").value


def test_secrets_of_the_system_and_of_the_user_cannot_be_read(worker: WorkerHandle) -> None:
    for path in (
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/ssl/private",
        "/etc/ssh/ssh_host_rsa_key",
    ):
        for found in (path, f"{path}-"):
            answer = worker.invoke(f"os.open({found!r}, os.O_RDONLY)").value
            assert answer in (errno.EACCES, errno.ENOENT), found
    for folder in (
        str(Path.home()),
        str(Path.home() / ".ssh"),
        "/root",
        "/home",
        "/var/spool",
        "/run",
        "/var/tmp",
    ):
        assert worker.invoke(f"os.listdir({folder!r})").value in (errno.EACCES, errno.ENOENT), folder
    assert "root" in worker.invoke("open('/etc/passwd').read()").value
