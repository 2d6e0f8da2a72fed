"""A process that gets a fatal signal tells its server and stops; where nobody would end it, it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from relive_base.wire.messages import AnyFrame, Crashed, FrameDecoder
from relive_capture.explore.outside import parse_fault
from relive_runtime.worker.faults import FAULTS, can_stand_still

BEGIN = """
import ctypes, os, signal, socket, sys, threading, time
from relive_runtime.worker.faults import watch_faults
fault, wire = int(sys.argv[1]), int(sys.argv[2])
"""
WATCH = BEGIN + "watch_faults(fault, wire)\n"
NO_CORE = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
stands_still = pytest.mark.skipif(not can_stand_still(), reason="the C extensions were not built")


@dataclass
class Program:
    """A process that watches its faults, and the server's ends of its wire and fault file."""

    process: subprocess.Popen[bytes]
    wire: socket.socket
    fault_fd: int

    def state(self) -> int:
        """Wait until it stops or ends: the status as of waitpid."""
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.process.returncode = os.waitstatus_to_exitcode(status)
        return status

    def frames(self) -> list[AnyFrame]:
        """What it has written."""
        return list(FrameDecoder().feed(self.wire.recv(4_096)))

    def fault(self) -> str:
        return os.pread(self.fault_fd, 65_536, 0).decode()


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Program]:
    """The program whose text is the parameter."""
    ours, theirs = socket.socketpair()
    ours.settimeout(120.0)
    with tempfile.TemporaryFile() as file, ours:
        descriptors = (file.fileno(), theirs.fileno())
        command = [sys.executable, "-c", NO_CORE + request.param, *map(str, descriptors)]
        process = subprocess.Popen(command, pass_fds=descriptors, stdout=subprocess.PIPE)
        theirs.close()
        try:
            yield Program(process, ours, file.fileno())
        finally:
            if process.returncode is None:
                process.kill()
            process.communicate()


def crash(number: int) -> str:
    return WATCH + f"os.kill(os.getpid(), {number})\ntime.sleep(60)\n"


@stands_still
@pytest.mark.parametrize(
    ("number", "running"), [(number, crash(number)) for number in FAULTS], indirect=["running"]
)
def test_it_tells_and_stops_and_dies_of_the_signal_when_it_may_go_on(number: int, running: Program) -> None:
    # Given a process that gets a fatal signal, I expect it to stop
    status = running.state()
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP

    # ... after the fault handler has written its stacks, and the server was told of the thread
    report = parse_fault(running.fault())
    assert report is not None
    assert running.frames() == [Crashed(signal=number, thread=report.threads[0].ident)]

    # When it goes on, I expect it to die of that very signal
    os.kill(running.process.pid, signal.SIGCONT)
    status = running.state()
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == number


IN_A_THREAD = (
    WATCH
    + """
def work():
    os.write(1, str(threading.get_ident()).encode() + b"\\n")
    ctypes.string_at(0)
threading.Thread(target=work).start()
time.sleep(60)
"""
)


@stands_still
@pytest.mark.parametrize("running", [IN_A_THREAD], indirect=True)
def test_it_names_the_thread(running: Program) -> None:
    assert os.WIFSTOPPED(running.state())

    assert running.process.stdout is not None
    thread = int(running.process.stdout.readline())
    assert running.frames() == [Crashed(signal=signal.SIGSEGV, thread=thread)]


OVERFLOW = (
    WATCH
    + """
sys.setrecursionlimit(10 ** 6)
def descend(value):
    return sorted([value], key=descend)
descend(1)
"""
)


@stands_still
@pytest.mark.parametrize("running", [OVERFLOW], indirect=True)
def test_it_stops_where_its_stack_is_full(running: Program) -> None:
    status = running.state()
    if os.WIFEXITED(status):
        pytest.skip("this interpreter raises RecursionError")

    assert os.WIFSTOPPED(status)
    assert [type(frame) for frame in running.frames()] == [Crashed]


FORKS = (
    WATCH
    + """
child = os.fork()
if not child:
    ctypes.string_at(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + 100)
"""
)
FULL = (
    BEGIN
    + """
connection = socket.socket(fileno=wire)
connection.setblocking(False)
watch_faults(fault, wire)
try:
    while True:
        connection.send(bytes(100))
except BlockingIOError:
    ctypes.string_at(0)
"""
)
NOBODY = WATCH + "os.close(wire)\nctypes.string_at(0)\n"


@pytest.mark.parametrize(
    ("ending", "running"),
    [(100 - signal.SIGSEGV, FORKS), (-signal.SIGSEGV, FULL), (-signal.SIGSEGV, NOBODY)],
    indirect=["running"],
    ids=["a child that it forked", "a full wire", "no wire"],
)
def test_it_does_not_stop_where_nobody_would_end_it(ending: int, running: Program) -> None:
    status = running.state()

    assert not os.WIFSTOPPED(status)
    assert os.waitstatus_to_exitcode(status) == ending


LEFT = (
    BEGIN
    + """
parent = os.getpid()
armed, arm = os.pipe()
if os.fork():
    os._exit(len(os.read(armed, 1)) - 1)
watch_faults(fault, wire)
os.write(arm, b".")
while os.getppid() == parent:
    time.sleep(0.01)
ctypes.string_at(0)
"""
)


@stands_still
@pytest.mark.parametrize("running", [LEFT], indirect=True)
def test_it_dies_where_its_parent_has_gone(running: Program) -> None:
    # Given a process whose parent, which would end it, has ended already
    assert running.state() == 0

    # When it crashes, I expect its end, with nothing told
    assert running.wire.recv(100) == b""
    assert "Segmentation fault" in running.fault()


PURE = "import os; os.environ['RELIVE_PURE_PYTHON'] = '1'\n" + WATCH + "ctypes.string_at(0)\n"


@pytest.mark.parametrize("running", [PURE], indirect=True)
def test_without_the_extension_it_dies_with_its_stacks_written(running: Program) -> None:
    status = running.state()

    assert os.WIFSIGNALED(status)
    assert "Segmentation fault" in running.fault()
