"""Ctrl-C while a session with a process is open."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["CtrlC"]


class CtrlC:
    """Notes that it was pressed, and raises only if `raising` says so.

    An exception in the middle of a wait could lose what was waited for, or leave a lock in disorder.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._raises = False
        self._before: Any = None

    def __enter__(self) -> CtrlC:
        if threading.current_thread() is threading.main_thread():  # others get no signals
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._raises:
            raise KeyboardInterrupt
        self._pressed = True

    def take(self) -> bool:
        """Whether it was pressed since the last time."""
        pressed, self._pressed = self._pressed, False
        return pressed

    @contextmanager
    def raising(self) -> Iterator[None]:
        """In here it raises KeyboardInterrupt, as it does if nobody has changed it: even if it was
        pressed on the way in."""
        self._raises = True
        try:
            if self.take():
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False
