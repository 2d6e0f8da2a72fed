"""The exception behind an answer: what a framework logs, signals or prints before it answers with a 500."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["HANDLED", "LOGGED", "PRINTED", "SIGNALLED", "Noticed"]

SIGNALLED: Final = 4
"""The framework says that this is it, or it is logged as an error, with its traceback."""
PRINTED: Final = 3
"""An error is logged without it, or its traceback is printed, while it is handled."""
LOGGED: Final = 2
"""It is logged with its traceback, but not as an error."""
HANDLED: Final = 1
"""Something is printed while it is handled."""

_TRACEBACK: Final = "Traceback (most recent call last)"


class Noticed:
    """The latest exception of the surest kind. It is kept until its invocation ends, and only where somebody
    may want it: an exception keeps its frames, and what they hold, alive."""

    __slots__ = ("_error", "_rank", "_wanted")

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._rank = 0
        self._wanted = False

    def begin(self, wanted: bool) -> None:
        """An invocation begins; `wanted`: its answer has a status."""
        self._wanted = wanted
        self._error, self._rank = None, 0

    def note(self, error: BaseException | None, rank: int) -> None:
        """An exception came by; from any thread."""
        if self._wanted and error is not None and rank >= self._rank:
            self._error, self._rank = error, rank

    def note_text(self, text: str) -> None:
        """Something is printed; the exception that is being handled meanwhile, if any, may be the one."""
        if self._wanted:
            error = sys.exc_info()[1]
            if error is not None:
                self.note(error, PRINTED if _TRACEBACK in text else HANDLED)

    def take(self) -> BaseException | None:
        """What was noticed; from now on nothing is kept."""
        error = self._error
        self.begin(False)
        return error
