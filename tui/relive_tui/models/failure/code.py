"""The source around a frame's line, with the failing expression underlined as Python does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_views.scenes.relevance import last_line

from relive_tui.models.failure.syntax import color_python, hit_line, margin_of, shown_code
from relive_tui.models.layout.text import Line, clean, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.scenes.model import FrameView

__all__ = ["SourceRows", "shown_source"]

_MARGIN_CELLS = 7
"""The mark, the line's number and a space."""


class SourceRows:
    """Source around a line; the line itself is marked with `❱`, the expression in it with `^^^`.

    Lines are coloured when they are looked at: a file may have thousands.
    """

    def __init__(self, frame: FrameView | None, why: str = "") -> None:
        self.frame = frame
        self._why = why  # there is no frame
        self._source: Sequence[str] = frame.source if frame else ()
        self._margin = margin_of(self._source)
        self._colored: dict[int, Line] = {}
        self._last = last_line(frame) if frame else 0
        self._carets = self._caret_line() if frame else ""

    def __len__(self) -> int:
        return len(self._source) + bool(self._carets) or 1

    def row_of_line(self) -> int:
        """The row of the marked line."""
        if self.frame is None or not self._source:
            return 0
        return min(max(self.frame.line - self.frame.source_first_line, 0), len(self._source) - 1)

    def pan_for(self, width: int) -> int:
        """How many cells to scroll so that the carets are seen in a panel of `width`, with as much before
        them as there is room for; 0 if they are seen anyway."""
        end = _MARGIN_CELLS + len(self._carets)
        if not self._carets or end <= width:
            return 0
        start = _MARGIN_CELLS + len(self._carets) - len(self._carets.lstrip())
        return min(end + 1 - width, max(start - _MARGIN_CELLS, 0))

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        if self.frame is None:
            why = f": {clean(self._why)}" if self._why else ""
            return [(f"no frame was captured{why}", "warn" if why else "dim")]
        if not self._source:
            return [("the source of this frame was not at hand", "dim")]
        if self._carets and index > self.row_of_line():
            if index == self.row_of_line() + 1:
                return [(" " * _MARGIN_CELLS, ""), (self._carets, "error")]
            index -= 1
        number = self.frame.source_first_line + index
        hit = self.frame.line <= number <= self._last
        head = [("❱" if hit else " ", "error"), (f"{number:>5} ", "error" if hit else "dim")]
        body = self._colored.get(index)
        if body is None:
            body = self._colored[index] = color_python(self._source[index], self._margin)
        return [*head, *(hit_line(body, width) if hit else body)]

    def _caret_line(self) -> str:
        """Spaces and carets under the failing expression; empty if it is the whole line or not known."""
        frame = self.frame
        assert frame is not None
        row = frame.line - frame.source_first_line
        if frame.column < 0 or not 0 <= row < len(self._source):
            return ""
        raw = self._source[row].encode("utf-8", "replace")
        if frame.end_line > frame.line:
            return ""  # several lines: each has its mark
        whole = shown_code(self._source[row])
        start = width_of(shown_code(raw[: frame.column].decode("utf-8", "replace"))) - self._margin
        end = width_of(shown_code(raw[: frame.end_column].decode("utf-8", "replace"))) - self._margin
        if start < 0 or end <= start or end - start >= width_of(whole.strip()):
            return ""
        return " " * start + "^" * (end - start)


def shown_source(frame: FrameView) -> Line:
    """The frame's line alone, without its indentation; empty if the source is not at hand."""
    row = frame.line - frame.source_first_line
    if not 0 <= row < len(frame.source):
        return []
    return color_python(frame.source[row], margin_of([frame.source[row]]))
