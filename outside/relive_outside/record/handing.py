"""Starting the process that makes a scene of what is handed to it.

What is handed over lies in anonymous memory (memfd), which only that process and this one can read. It costs
the application the time of an encoding and of a `posix_spawn`: a few milliseconds. Nothing of what the
process does, such as a client of S3, is imported into the application.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from os import posix_spawn  # now: what a recorder puts in its place later is for the application
from typing import Final

import msgspec
from relive_base.escapes import encode_escaped

from relive_outside.record.handed import Handed

__all__ = ["Hand", "interpreter"]

_AT_ONCE: Final = 4
_MOST_BYTES: Final = 64 * 1_048_576
_START: Final = (
    "import json, sys\n"
    "sys.path[:0] = json.loads(sys.argv.pop())\n"
    "from relive_outside.helper.main import main\n"
    "main(float(sys.argv.pop()))\n"
)


class Hand:
    """One per process. Gives what it could not do as a sentence."""

    def __init__(self, send_s: float, environment: Mapping[str, str]) -> None:
        self._send_s = send_s
        self._environment = dict(environment)
        self._pid = os.getpid()
        self._running: list[int] = []

    def over(self, handed: Handed, wait_s: float) -> str:
        """Hand it over, and wait so long for it to be done. Why it was not, or ""."""
        if os.getpid() != self._pid:
            self._pid, self._running = os.getpid(), []
        self._reap()
        if len(self._running) >= _AT_ONCE:
            return f"{_AT_ONCE} scenes are on their way already"
        data = encode_escaped(msgspec.msgpack.encode, handed)
        if len(data) > _MOST_BYTES:
            return f"{len(data)} bytes are over the limit of {_MOST_BYTES}"
        python = interpreter(self._environment)
        if not python:
            return "the path of the interpreter is not known: set RELIVE_RECORD_PYTHON"
        memory = os.memfd_create("relive", os.MFD_CLOEXEC)
        try:
            _write(memory, data)
            os.lseek(memory, 0, os.SEEK_SET)
            pid = self._start(python, memory)
        finally:
            os.close(memory)
        self._running.append(pid)
        if wait_s > 0:
            return self._wait(pid, wait_s)
        return ""

    def _start(self, python: str, memory: int) -> int:
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            actions: list[tuple[int, ...]] = [
                (os.POSIX_SPAWN_DUP2, memory, 0),
                (os.POSIX_SPAWN_DUP2, nothing, 1),
            ]
            return posix_spawn(
                python,
                [
                    python,
                    "-I",
                    "-S",
                    "-c",
                    _START,
                    str(self._send_s),
                    msgspec.json.encode(_folders()).decode(),
                ],
                self._environment,
                file_actions=actions,
                setpgroup=0,  # a Ctrl-C for the application is not for it
                setsigdef=[signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGALRM],
                setsigmask=[],
            )
        finally:
            os.close(nothing)

    def _wait(self, pid: int, wait_s: float) -> str:
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return self._poll(pid, wait_s)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            ended = bool(poll.poll(wait_s * 1_000))
        finally:
            os.close(descriptor)
        self._reap()
        return "" if ended else _late(wait_s)

    def _poll(self, pid: int, wait_s: float) -> str:
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            self._reap()
            if pid not in self._running:
                return ""
            time.sleep(0.005)
        return _late(wait_s)

    def _reap(self) -> None:
        """Those that have ended; the application may have taken their status itself."""
        for pid in list(self._running):
            try:
                done = os.waitpid(pid, os.WNOHANG)[0] == pid
            except ChildProcessError:
                done = True
            if done:
                self._running.remove(pid)


def _late(wait_s: float) -> str:
    return f"a scene was not delivered within {wait_s:g} s; it may still be"


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
