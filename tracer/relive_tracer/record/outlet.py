"""The one way out of a worker for telemetry, safe against signal handlers that print."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Final

from relive_base.frames import AnyFrame

__all__ = ["Outlet"]

_WAITING: Final = 1_000


class Outlet:
    """Calls `send`, never from inside a call of its own on the same thread.

    A signal handler of the user's runs between two steps of whatever its thread is doing, and that may be a
    send, whose lock it would wait for forever. Its frames wait until the outer send is done.
    """

    __slots__ = ("_busy", "_send", "_waiting")

    def __init__(self, send: Callable[[AnyFrame], bool]) -> None:
        self._send = send
        self._busy: set[int] = set()
        self._waiting: deque[AnyFrame] = deque()

    def send(self, frame: AnyFrame) -> bool:
        """Whether the frame was sent, or waits for the send that it interrupted."""
        thread = get_ident()
        busy = self._busy
        if thread in busy:
            if len(self._waiting) >= _WAITING:
                return False
            self._waiting.append(frame)
            return True
        try:
            busy.add(thread)  # inside: a signal handler that raises right after it must not leave it there
            sent = self._send(frame)
        finally:
            busy.discard(thread)
        while self._waiting:
            self._drain(thread)
        return sent

    def _drain(self, thread: int) -> None:
        try:
            frame = self._waiting.popleft()
        except IndexError:  # another thread was faster
            return
        try:
            self._busy.add(thread)
            self._send(frame)
        finally:
            self._busy.discard(thread)
