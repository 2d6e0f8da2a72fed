"""Whether a replay leaves the places of the recorded failure without an exception.

A trace function for the functions that it stood in: it watches their lines alone, and costs any other call a
look into a dictionary."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from relive_capture.record.playback.leaving import goes_up, has_returned, suspends
from relive_capture.recording_format import Watched, WatchedPlace

__all__ = ["Passing"]


class Passing:
    """`place_of` says of a file whether it is the application's own, and how frames name it."""

    def __init__(self, places: list[WatchedPlace], place_of: Callable[[str], tuple[bool, str]]) -> None:
        self.found = [Watched() for _ in places]
        self._places = places
        self._place_of = place_of
        self._files: dict[str, dict[str, int]] = {}  # of the files that any is in: function -> its number

    def install(self) -> None:
        """From here on, in this thread and in those that are started later."""
        threading.settrace(self._call)
        sys.settrace(self._call)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        functions = self._files.get(code.co_filename)
        if functions is None:
            functions = self._files[code.co_filename] = self._functions(code.co_filename)
        if not functions:
            return None
        number = functions.get(code.co_qualname)
        if number is None:
            return None
        if frame.f_trace is not None:
            return frame.f_trace  # a generator or coroutine that goes on
        return _Frame(self._places[number], self.found[number]).trace

    def _functions(self, file: str) -> dict[str, int]:
        own, shown = self._place_of(file)
        if not own:
            return {}
        return {place.function: number for number, place in enumerate(self._places) if place.file == shown}


class _Frame:
    """One frame of a watched function."""

    __slots__ = (
        "_cleans",
        "_found",
        "_handled",
        "_hits",
        "_inside",
        "_meant",
        "_number",
        "_place",
        "_raised",
    )

    def __init__(self, place: WatchedPlace, found: Watched) -> None:
        found.entries += 1
        self._place = place
        self._found = found
        self._number = found.entries
        self._meant = found.entries == place.entry
        self._handled = sys.exc_info()[1]  # by those that have called it
        self._hits = 0
        self._inside = False
        self._raised = False  # and no line has run since
        self._cleans = False  # lines run for an exception, which may go on

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """For this frame."""
        if event == "line":
            self._line(frame.f_lineno)
        elif event == "exception":
            self._raised = self._raised or goes_up(frame, argument)
        elif event == "return":
            self._ends(frame)
        return self.trace

    def _line(self, line: int) -> None:
        place = self._place
        # Of the first line after an exception the interpreter does not say yet that it handles one.
        self._cleans = self._raised or (self._cleans and sys.exc_info()[1] is not self._handled)
        self._raised = False
        if place.first <= line <= place.last:
            if not self._inside:
                self._inside = True
                self._hits += 1
            return
        if self._cleans:
            return
        inside, self._inside = self._inside, False
        passed = inside and self._hits >= place.hit
        skipped = not inside and place.once and line > max(place.last, place.after)
        if self._meant and (passed or skipped):
            self._found.left = True

    def _ends(self, frame: FrameType) -> None:
        if has_returned(frame):
            self._found.left = self._found.left or self._meant
        elif suspends(frame) and not self._raised:
            return  # it waits
        elif self._inside:
            self._found.raised_entry, self._found.raised_hit = self._number, self._hits
