"""The frames of a stack as rows, innermost first: a list beside the source, or, if they are few, a strip on
top of it, with each frame's line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relive_tui.models.failure.code import shown_source
from relive_tui.models.layout.text import Line, Span, clean, fit, fit_left, width_of

if TYPE_CHECKING:
    from relive_views.scenes.model import FrameView

    from relive_tui.models.failure.page import FailureModel

__all__ = ["MAX_STRIP", "FrameRows"]

MAX_STRIP = 4
"""So many rows are a strip."""
WIDE = 60
"""From so many cells on a row has the frame's line."""
MOST_NAME, MOST_PLACE = 32, 32


class FrameRows:
    """The list of frames."""

    def __init__(self, model: FailureModel) -> None:
        self.model = model
        self.frames = model.frames
        self.entries = model.entries()
        shown = [self.frames[entry.index] for entry in self.entries]
        self._names = min(max((width_of(clean(frame.function)) for frame in shown), default=0), MOST_NAME)
        self._places = min(max((width_of(_place(frame)) for frame in shown), default=0), MOST_PLACE)

    def __len__(self) -> int:
        return len(self.entries)

    def row_of_current(self) -> int:
        """The row of the frame that is shown."""
        shown = self.model.frame
        return next((row for row, entry in enumerate(self.entries) if entry.index == shown), 0)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        entry = self.entries[index]
        mark = ("▸ " if selected else "  ", "accent")
        if entry.cut:
            return [mark, (f"⋮ {entry.cut:,} frames in between were not kept", "dim")]
        if entry.repeated:
            return [mark, (f"↻ {entry.repeated} more of the same line (u)", "dim")]
        if entry.folded:
            noun = "frame" if entry.folded == 1 else "frames"
            return [mark, (f"… {entry.folded} library {noun} (u shows)", "dim")]
        frame = self.frames[entry.index]
        draw = self._strip if width >= WIDE else self._list
        return draw(frame, entry.index, mark, width)

    def _list(self, frame: FrameView, index: int, mark: Span, width: int) -> Line:
        raised = self._raised(index)
        where = _place(frame)
        room = max(width - 4, 4)
        function = clean(frame.function)
        place = fit_left(where, min(width_of(where), max(room * 3 // 5, room - width_of(function) - 1)))
        name = fit(function, max(room - width_of(place) - 1, 1))
        return [
            mark,
            (name + " ", "name" if frame.in_app else "dim"),
            (place, "path" if frame.in_app else "dim"),
            (" ✖" if raised else "", "error"),
        ]

    def _strip(self, frame: FrameView, index: int, mark: Span, width: int) -> Line:
        """`price  cart.py:88 ✖  total += plist[item['sku']]`."""
        own = frame.in_app
        return [
            mark,
            (fit(clean(frame.function), self._names) + "  ", "name" if own else "dim"),
            (fit_left(_place(frame), self._places), "path" if own else "dim"),
            (" ✖  " if self._raised(index) else "    ", "error"),
            *shown_source(frame),
        ]

    def _raised(self, index: int) -> bool:
        """Whether this is the frame in which the exception was raised."""
        return index == len(self.frames) - 1 and self.model.exception is not None


def _place(frame: FrameView) -> str:
    return f"{clean(os.path.basename(frame.file))}:{frame.line}"
