"""What code does that a fork of its process does not have, or has in common with it: files that are written,
processes, sockets, memory that is shared. From then on a fork is not the process as it was."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final

from relive_runtime.travel.forking import POLL

__all__ = ["Effects"]

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OF_FILES: Final = frozenset(
    (
        "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
        "os.truncate", "os.utime",
    )
)  # fmt: skip
_OF_PROCESSES: Final = frozenset(
    (
        "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn",
        "subprocess.Popen",
    )
)  # fmt: skip
_OF_SOCKETS: Final = frozenset(("socket.bind", "socket.connect", "socket.sendto"))
_SHARED: Final = frozenset(("mmap.__new__",))
_KINDS: Final = (
    (_OF_FILES, "changes files"),
    (_OF_PROCESSES, "starts processes"),
    (_OF_SOCKETS, "uses sockets"),
    (_SHARED, "shares memory"),
)
_SAID: Final = {event: said for events, said in _KINDS for event in events}
_DATABASE: Final = "sqlite3.connect"
_IN_MEMORY: Final = (":memory:", "", b":memory:")
_HEARD: Final = frozenset((*_SAID, _DATABASE, "open"))
_NO_FILES: Final = (os.devnull, "/dev/tty")
_FDS: Final = "/proc/self/fd"


class Effects:
    """Of one process, from `watch` to `stop`; its hook stays, and does nothing more."""

    def __init__(self) -> None:
        self.said = ""
        """What it has done first that counts; "": nothing so far."""
        self.on = False
        """Whether it listens."""
        self._before: frozenset[str] = frozenset()

    def watch(self) -> None:
        """From now on."""
        self._before = frozenset(filter(_is_open, os.listdir(_FDS)))
        self.on = True

        def hear(event: str, told: tuple[Any, ...]) -> None:
            if self.on and not self.said and event in _HEARD:
                self._hear(event, told)

        vars(hear)["__cantrace__"] = (
            False  # else Python looks for it each time, which costs ten times the rest
        )
        sys.addaudithook(hear)

    def stop(self) -> None:
        """It is over."""
        self.on = False

    def obstacle(self, ours: set[int]) -> str:
        """Why a fork would not be the process as it is; "": it would be. `ours`: descriptors that are not the
        code's."""
        if self.said:
            return f"it {self.said}"
        try:
            return self._obstacle(ours)
        except OSError:
            return "it has used up its descriptors"

    def _obstacle(self, ours: set[int]) -> str:
        if len(os.listdir("/proc/self/task")) > 1:
            return "it has threads"
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            return "it has set an alarm"
        return self._open(ours)

    def _open(self, ours: set[int]) -> str:
        """Descriptors are shared: what one process reads, the other does not. An event loop's own are not
        read."""
        known = _of_loop() | ours
        for name in frozenset(os.listdir(_FDS)) - self._before:
            try:
                target = os.readlink(f"{_FDS}/{name}")
            except OSError:
                continue  # that of the listing itself
            if int(name) not in known and target != POLL:
                return "it holds a file or a socket open"
        return ""

    def _hear(self, event: str, told: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = told
            if not isinstance(path, int) and isinstance(flags, int) and flags & _WRITES and _counts(path):
                self.said = "changes files"
        elif event == _DATABASE:
            if told[0] not in _IN_MEMORY:
                self.said = "changes files"
        elif event in _SAID and _counts(told[0] if told else ""):
            self.said = _SAID[event]


def _is_open(name: str) -> bool:
    """Not so that by which they were listed."""
    try:
        os.fstat(int(name))
    except OSError:
        return False
    return True


def _counts(path: object) -> bool:
    """Compiled code is written for whoever imports next."""
    return path not in _NO_FILES and "__pycache__" not in str(path)


def _of_loop() -> set[int]:
    """Descriptors by which asyncio's running loop wakes itself up."""
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio is not None else None
    ends = (getattr(loop, name, None) for name in ("_ssock", "_csock"))
    return {end.fileno() for end in ends if end is not None}
