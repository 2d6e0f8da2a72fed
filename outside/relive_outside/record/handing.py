"""Starting the process that makes a scene of what is handed to it.

What is handed over lies in anonymous memory (memfd), which only that process and this one can read. It costs
the application the time of an encoding and of a `posix_spawn`: a few milliseconds. Nothing of what the
process does, such as a client of S3, is imported into the application.

The process is none of the application's children: a shell starts it and ends at once, so that an application
that waits for any child gets its own. It does not keep open what the application has open, since who reads
that to its end would wait for it, too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from _thread import allocate_lock
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from fcntl import F_DUPFD_CLOEXEC, fcntl
from os import posix_spawn  # now: what a recorder puts in its place later is for the application
from time import monotonic, sleep  # now, too
from types import TracebackType
from typing import Final

import msgspec
from relive_base.escapes import encode_escaped

from relive_outside.record.handed import Handed
from relive_outside.record.settings import OutsideSettings
from relive_outside.record.stack import is_stack_left
from relive_outside.record.unheard import Unheard

__all__ = ["Hand", "interpreter"]

_MOST_BYTES: Final = 64 * 1_048_576
_SHELL: Final = "/bin/sh"
_BEGIN: Final = '"$0" "$@" <&3 3<&- >/dev/null & echo $!'
_LOOK_S: Final = 0.01
_BEGIN_S: Final = 2.0  # the shell takes a millisecond or so
_LOWEST: Final = 10  # descriptor: below are those that others are put in the place of
_READ_BYTES: Final = 4_096
_ARGUMENTS: Final = ("-I", "-S", "-c")
_START: Final = (
    "import json, os, sys\n"
    "os.closerange(3, os.sysconf('SC_OPEN_MAX'))\n"
    "sys.path[:0] = json.loads(sys.argv.pop())\n"
    "from relive_outside.helper.main import main\n"
    "main(float(sys.argv.pop()))\n"
)


class Hand:
    """One per process. Gives what it could not do as a sentence.

    Few helpers run at once: what is more waits in the memory of this process, within limits, until it calls
    again, or ends."""

    def __init__(self, settings: OutsideSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._pid = os.getpid()
        self._running: list[int] = []
        self._waiting: deque[bytes] = deque()
        self._refused = 0
        self._lock = allocate_lock()

    def has_room(self) -> bool:
        """Whether one more can be handed over now."""
        if os.getpid() != self._pid:
            self._pid, self._running, self._lock = os.getpid(), [], allocate_lock()
            self._waiting, self._refused = deque(), 0  # what waits is its parent's
        return not self._waiting and self._has_helper()

    def over(self, handed: Handed, wait_s: float) -> str:
        """Hand it over, and wait so long for it to be done. Why it was not, or ""."""
        until = monotonic() + wait_s
        data = encode_escaped(msgspec.msgpack.encode, handed)
        if len(data) > _MOST_BYTES:
            return f"{len(data)} bytes are over the limit of {_MOST_BYTES}"
        problem = self.take_up()
        while not (room := self.has_room()) and monotonic() < until:
            sleep(_LOOK_S)
            problem = self.take_up() or problem
        if room:
            return self._begin(data, wait_s, until) or problem
        return self._keep(data) or problem

    def take_up(self) -> str:
        """Hand over what waits, as far as helpers have ended. What went wrong, or ""."""
        problem = ""
        if self._waiting and is_stack_left():
            self.has_room()  # of which process it is
            while self._waiting and self._has_helper():
                with contextlib.suppress(IndexError):  # another thread has taken it
                    problem = self._begin(self._waiting.popleft()) or problem
        return problem

    def close(self) -> str:
        """At the end of the process: hand over what waits, within a time. What is lost, or ""."""
        within_s = self._settings.close_s
        until = monotonic() + within_s
        problem = self.take_up()
        while self._waiting and monotonic() < until:
            sleep(_LOOK_S)
            problem = self.take_up() or problem
        said = [problem] if problem else []
        if self._refused:
            said.append(f"{self._refused} scenes were left out, since too many waited")
        if self._waiting:
            left = len(self._waiting)
            said.append(
                f"{left} scenes that waited are lost: {within_s:g} s (RELIVE_RECORD_CLOSE_S) were over"
            )
            self._waiting.clear()
        return "; ".join(said)

    def _keep(self, data: bytes) -> str:
        settings, waiting = self._settings, list(self._waiting)
        size = sum(map(len, waiting))
        if len(waiting) < settings.waiting_scenes and size + len(data) <= settings.waiting_bytes:
            self._waiting.append(data)
            return ""
        self._refused += 1
        return (
            f"a scene is left out: {len(waiting)} of {size} bytes wait already"
            " (RELIVE_RECORD_WAITING_SCENES, RELIVE_RECORD_WAITING_BYTES)"
        )

    def _has_helper(self) -> bool:
        self._reap()
        return len(self._running) < max(self._settings.at_once, 1)

    def _begin(self, data: bytes, wait_s: float = 0.0, until: float = 0.0) -> str:
        python = interpreter(self._environment)
        if not python:
            return "the path of the interpreter is not known: set RELIVE_RECORD_PYTHON"
        with _Descriptors() as opened:
            memory = opened.add(os.memfd_create("relive", os.MFD_CLOEXEC))
            _write(memory, data)
            os.lseek(memory, 0, os.SEEK_SET)
            command = [
                python,
                *_ARGUMENTS,
                _START,
                str(self._settings.send_s),
                msgspec.json.encode(_folders()).decode(),
            ]
            if wait_s <= 0:
                self._start(command, memory, -1)
                return ""
            said, tells = opened.pipe()
            self._start(command, memory, tells)
            opened.close(tells)
            return _told(said, wait_s, until)

    def _start(self, command: list[str], memory: int, tells: int) -> None:
        """`tells`: where it says what went wrong; -1: on the application's stderr, if that has one."""
        with _Descriptors() as opened:
            if tells < 0 and sys.__stderr__ is None:  # 2 may be a file of the application's
                tells = opened.add(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
            errors = [(os.POSIX_SPAWN_DUP2, tells, 2)] if tells >= 0 else []
            if not os.access(_SHELL, os.X_OK):
                nothing = opened.add(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
                places = [(os.POSIX_SPAWN_DUP2, memory, 0), (os.POSIX_SPAWN_DUP2, nothing, 1)]
                self._running.append(self._spawn(command, [*places, *errors]))
                return
            number, writes = opened.pipe()
            places = [(os.POSIX_SPAWN_DUP2, memory, 3), (os.POSIX_SPAWN_DUP2, writes, 1)]
            with self._lock, Unheard() as unheard:
                shell = self._spawn([_SHELL, "-c", _BEGIN, *command], [*places, *errors])
                unheard.of(shell)
                opened.close(writes)
                text = b"".join(_parts(number, _BEGIN_S)).strip()
                if text.isdigit():
                    self._running.append(int(text))
                    with contextlib.suppress(ChildProcessError):  # the application has taken its status
                        os.waitpid(shell, 0)
                else:
                    self._running.append(shell)

    def _spawn(self, command: list[str], places: list[tuple[int, ...]]) -> int:
        return posix_spawn(
            command[0],
            command,
            self._environment,
            file_actions=places,
            setpgroup=0,  # a Ctrl-C for the application is not for it
            setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD],
            setsigmask=[],
        )

    def _reap(self) -> None:
        """Those that have ended. They become children of process 1, which may be this one."""
        for pid in list(self._running):
            try:
                done = os.waitpid(pid, os.WNOHANG)[0] == pid
            except ChildProcessError:
                done = not _lives(pid)
            if done:
                self._running.remove(pid)


class _Descriptors:
    """Closes what it was given. None of them has the number of a standard stream, whichever of these the
    application has closed."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def __enter__(self) -> _Descriptors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    def add(self, descriptor: int) -> int:
        """The number that it has from now on."""
        if descriptor < _LOWEST:
            low = descriptor
            try:
                descriptor = fcntl(low, F_DUPFD_CLOEXEC, _LOWEST)
            finally:
                os.close(low)
        self._open.append(descriptor)
        return descriptor

    def pipe(self) -> tuple[int, int]:
        """Its ends: to read, to write."""
        read, write = os.pipe2(os.O_CLOEXEC)
        return self.add(read), self.add(write)

    def close(self, descriptor: int) -> None:
        """One of them, now."""
        self._open.remove(descriptor)
        os.close(descriptor)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False  # or the number is somebody else's now
    return True


def _told(descriptor: int, wait_s: float, until: float) -> str:
    """What it says until its end; "" if that is nothing."""
    text = b""
    for part in _parts(descriptor, until - monotonic()):
        if not part:
            return text.decode("utf-8", "replace").strip().removeprefix("relive: ")
        text = (text + part)[:_READ_BYTES]
    return f"a scene was not delivered within {wait_s:g} s; it may still be"


def _parts(descriptor: int, within_s: float) -> Iterator[bytes]:
    """What comes in time; the last one is empty if that was all."""
    until = monotonic() + within_s
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(max(until - monotonic(), 0.0) * 1_000):
        part = os.read(descriptor, _READ_BYTES)
        yield part
        if not part:
            return


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _folders() -> Sequence[str]:
    """Where the helper's own modules are: of this very installation."""
    found = []
    for name in ("relive_outside", "relive_capture", "relive_base", "msgspec"):
        file = getattr(sys.modules.get(name), "__file__", None)
        if type(file) is str:
            found.append(os.path.dirname(os.path.dirname(os.path.abspath(file))))
    return list(dict.fromkeys(found))


def interpreter(environment: Mapping[str, str]) -> str:
    """The path of a Python like this one: `sys.executable` may be a server that embeds one."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    given = environment.get("RELIVE_RECORD_PYTHON", "")
    places = [given, sys.executable or ""] if given else [sys.executable or ""]
    places += [os.path.join(sys.exec_prefix, "bin", name) for name in (f"python{version}", "python3")]
    for place in places:
        name = os.path.basename(place)
        if place and (place == given or name.startswith("python")) and os.access(place, os.X_OK):
            return place
    return ""
