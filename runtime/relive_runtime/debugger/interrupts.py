"""Ctrl-C in a debugging session: it ends the command that runs, never the session around it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar

__all__ = ["Interrupts"]

T = TypeVar("T")
_EARLY_S: Final = 1.0
"""How long before a command begins an interruption may come and still be meant for it."""


class Interrupts:
    """While entered, SIGINT raises KeyboardInterrupt in code that runs as a command, and nowhere else.

    The debugger's own reading and writing is shielded: an exception in the middle of a frame, or with a lock
    taken, would leave the worker's connection unusable.
    """

    def __init__(self) -> None:
        self._shield = True
        self._missed_at = 0.0
        self._previous: Any = None

    def __enter__(self) -> Interrupts:
        self._previous = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # None: a handler that C code had installed, which cannot be put back
        signal.signal(signal.SIGINT, self._previous or signal.SIG_DFL)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._shield:
            self._missed_at = time.monotonic()
        else:
            raise KeyboardInterrupt

    @contextmanager
    def running(self) -> Iterator[None]:
        """A command runs: it may be interrupted. One that came as its line was read was meant for it."""
        self._shield = False
        try:
            self._raise_missed(_EARLY_S)
            yield
        finally:
            self._shield = True

    def shielded(self, work: Callable[[], T], *, reading: bool = False) -> T:
        """What `work` gives. An interruption that came meanwhile is raised after it; if it waited for a
        line, only one that came with the line."""
        before, self._shield = self._shield, True
        try:
            return work()
        finally:
            self._shield = before
            if not before:
                self._raise_missed(_EARLY_S if reading else None)

    def _raise_missed(self, within_s: float | None) -> None:
        missed_at, self._missed_at = self._missed_at, 0.0
        if missed_at and (within_s is None or time.monotonic() - missed_at < within_s):
            raise KeyboardInterrupt
