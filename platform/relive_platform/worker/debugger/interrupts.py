"""Ctrl-C in a debugging session: it ends the command that runs, never the session around it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

__all__ = ["Interrupts"]

T = TypeVar("T")


class Interrupts:
    """While entered, SIGINT raises KeyboardInterrupt in code that runs as a command, and nowhere else.

    The debugger's own reading and writing is shielded: an exception in the middle of a frame, or with a lock
    taken, would leave the worker's connection unusable.
    """

    def __init__(self) -> None:
        self._shield = True
        self._missed = False
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
            self._missed = True
        else:
            raise KeyboardInterrupt

    @contextmanager
    def running(self) -> Iterator[None]:
        """A command runs: it may be interrupted."""
        self._missed = False
        self._shield = False
        try:
            yield
        finally:
            self._shield = True

    def shielded(self, work: Callable[[], T], *, late: bool) -> T:
        """What `work` gives. With `late`, an interruption that came meanwhile is raised after it; without, it
        is dropped."""
        before, self._shield = self._shield, True
        try:
            return work()
        finally:
            missed, self._missed = self._missed, False
            self._shield = before
            if missed and late and not before:
                raise KeyboardInterrupt
