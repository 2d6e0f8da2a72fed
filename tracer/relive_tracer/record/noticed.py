"""The exception behind an answer: what a framework logs, signals or prints before it answers with a 500."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

__all__ = ["HANDLED", "LOGGED", "PRINTED", "SIGNALLED", "Noticed", "NoticedBeside"]

SIGNALLED: Final = 4
"""The framework tells of it, or asks for its handler; or it is logged, with its traceback, as an error."""
PRINTED: Final = 3
"""An error is logged without it, or its traceback is printed, while it is handled."""
LOGGED: Final = 2
"""It is logged with its traceback, but not as an error."""
HANDLED: Final = 1
"""Something is printed, or a response is made, while it is handled."""

_TRACEBACK: Final = "Traceback (most recent call last)"
_TRACEBACK_OF: Final[Any] = vars(BaseException)["__traceback__"]  # a class of the user's may have its own


class Noticed:
    """The latest exception of the surest kind. It is kept until its invocation ends, and only if somebody
    may want it: an exception keeps its frames, and what they hold, alive. Its traceback is kept beside it:
    Starlette takes it away once the application's handler has answered."""

    __slots__ = ("_error", "_rank", "_traceback", "_wanted")

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._rank = 0
        self._wanted = False

    def begin(self, wanted: bool) -> None:
        """An invocation begins; `wanted`: its answer has a status."""
        self._wanted = wanted
        self._error, self._traceback, self._rank = None, None, 0

    def note(self, error: BaseException | None, rank: int) -> None:
        """An exception came by; from any thread."""
        if self._wanted and error is not None and rank >= self._rank:
            traceback = _traceback_of(error)
            if traceback is not None or error is not self._error:
                self._traceback = traceback
            self._error, self._rank = error, rank

    def note_text(self, text: str) -> None:
        """Something is printed; the exception that is being handled meanwhile, if any, may be the one."""
        if self._wanted:
            error = sys.exc_info()[1]
            if error is not None:
                self.note(error, PRINTED if _TRACEBACK in text else HANDLED)

    def take(self) -> BaseException | None:
        """What was noticed; from now on nothing is kept."""
        error, traceback = self._error, self._traceback
        self.begin(False)
        if error is not None and traceback is not None and _traceback_of(error) is None:
            BaseException.with_traceback(error, traceback)
        return error


class NoticedBeside(Noticed):
    """Hands on what comes by to the invocation whose code it is, of those that run beside each other."""

    __slots__ = ("_own",)

    def __init__(self, own: Callable[[], Noticed | None]) -> None:
        super().__init__()
        self._own = own

    def note(self, error: BaseException | None, rank: int) -> None:
        own = self._own()
        if own is not None:
            own.note(error, rank)

    def note_text(self, text: str) -> None:
        own = self._own()
        if own is not None:
            own.note_text(text)


def _traceback_of(error: BaseException) -> TracebackType | None:
    found: TracebackType | None = _TRACEBACK_OF.__get__(error)
    return found
