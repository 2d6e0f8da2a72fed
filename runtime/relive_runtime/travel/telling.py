"""What a journal's recorder is told by the events of sys.monitoring."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

from relive_runtime.travel.causes.recorder import Recorder
from relive_runtime.travel.frames import frame_of

__all__ = ["Telling"]


class Telling:
    """`first`: what to do about the start of a frame, and whether it is of the application."""

    def __init__(
        self, recorder: Recorder, known: dict[str, bool], first: Callable[[CodeType], tuple[bool, Any]]
    ) -> None:
        self._recorder = recorder
        self._known = known
        self._first = first

    def start(self, code: CodeType, offset: int) -> Any:
        """PY_START."""
        ours, answer = self._first(code)
        if ours:
            self._recorder.entered(frame_of(code))
        return answer

    def resume(self, code: CodeType, offset: int) -> None:
        """PY_RESUME."""
        self._recorder.entered(frame_of(code))

    def throw(self, code: CodeType, offset: int, error: BaseException) -> None:
        """PY_THROW."""
        if self._known.get(code.co_filename):
            self._recorder.entered(frame_of(code))

    def line(self, code: CodeType, number: int) -> None:
        """LINE."""
        self._recorder.line(frame_of(code))

    def left(self, code: CodeType, offset: int, value: object) -> None:
        """PY_RETURN and PY_YIELD."""
        self._recorder.left(frame_of(code), value)

    def unwind(self, code: CodeType, offset: int, error: BaseException) -> None:
        """PY_UNWIND."""
        if self._known.get(code.co_filename):
            self._recorder.left(frame_of(code), None)

    def raised(self, code: CodeType, offset: int, error: BaseException) -> None:
        """RAISE."""
        if self._known.get(code.co_filename):
            self._recorder.raised(frame_of(code), type(error), error)
