"""Where a debugger stands, for the questions of an editor."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final, Protocol

from relive_base.wire.inspection import ErrorAt

from relive_runtime.debugger.chain import cause_of, exception_chain, exception_name, user_frames
from relive_runtime.debugger.views import View

__all__ = ["PdbMoment"]

_ERRORS: Final = 20
_FRAMES: Final = 100


class _Debugger(Protocol):
    prompt: str

    @property
    def views(self) -> list[View]: ...
    @property
    def shown(self) -> int: ...
    def is_own(self, file: str) -> bool: ...
    def stand_at(self, number: int, index: int) -> None: ...
    def value_of(self, text: str) -> Any: ...


class PdbMoment:
    """See inspecting.Moment."""

    def __init__(self, debugger: _Debugger, shown: Callable[[str], str]) -> None:
        self._debugger = debugger
        self._name = shown

    @property
    def stack_names(self) -> list[str]:
        return [view.name for view in self._debugger.views]

    @property
    def stack_shown(self) -> int:
        return self._debugger.shown

    @property
    def moment(self) -> str:
        return self._debugger.prompt.strip()

    def _view(self, number: int) -> View:
        if number < 0:
            raise IndexError
        return self._debugger.views[number]

    def stack_of(self, number: int) -> Sequence[tuple[FrameType, int]]:
        return self._view(number).stack

    def error_of(self, number: int) -> BaseException | None:
        return self._view(number).error

    def place(self, file: str) -> tuple[bool, str]:
        return self._debugger.is_own(file), self._name(file)

    def select(self, stack: int, index: int) -> None:
        self._debugger.stand_at(stack, index)

    def evaluated(self, text: str) -> Any:
        return self._debugger.value_of(text)

    def described(self, error: BaseException) -> list[ErrorAt]:
        """The exception, and what it was raised from; no code of theirs runs."""
        found = []
        relation = ""
        for one in reversed(exception_chain(error)[-_ERRORS:]):
            kind, _, message = exception_name(one).partition(": ")
            found.append(ErrorAt(kind, message, relation, self._traceback(one)))
            relation = "context" if cause_of(one) is None else "cause"
        return found

    def _traceback(self, error: BaseException) -> str:
        frames = user_frames(error)
        lines = []
        for frame, line in frames[-_FRAMES:]:
            file = frame.f_code.co_filename
            lines.append(f"  File {self._name(file)!r}, line {line}, in {frame.f_code.co_qualname}")
            source = linecache.getline(file, line).strip()
            if source:
                lines.append(f"    {source[:200]}")
        return "\n".join(lines)
