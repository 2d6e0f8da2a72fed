"""The lines of code around a failing one."""

from __future__ import annotations

from relive_base.terminal import cells, one_line

from relive_capture.explore.text.lines import Line
from relive_capture.model import FrameView

__all__ = ["source_lines"]


def source_lines(frame: FrameView, width: int = 120) -> list[Line]:
    """The lines around the failing one, which is marked with > and ^."""
    lines: list[Line] = []
    last = frame.source_first_line + len(frame.source) - 1
    digits = len(str(max(last, 1)))
    for offset, text in enumerate(frame.source):
        number = frame.source_first_line + offset
        hit = number == frame.line
        shown = one_line(text.expandtabs(4), max(width - digits - 4, 10))
        lines.append(
            Line(f"{'>' if hit else ' '} {number:>{digits}}  {shown}".rstrip(), "mark" if hit else "source")
        )
        if hit:
            marks = _marks(frame, text)
            if marks:
                lines.append(Line(one_line(f"  {'':>{digits}}  {marks}", width), "mark"))
    return lines


def _marks(frame: FrameView, text: str) -> str:
    """^ under the failing expression; nothing if it is the whole line or not known."""
    if frame.column < 0 or frame.end_column < 0:
        return ""
    raw = text.encode("utf-8", "replace")
    start = _cells(raw[: frame.column])
    end_column = frame.end_column if frame.end_line == frame.line else len(raw)
    end = _cells(raw[:end_column])
    if end <= start or raw[frame.column : end_column].strip() == raw.strip():
        return ""
    return " " * start + "^" * (end - start)


def _cells(beginning: bytes) -> int:
    """How many columns of a terminal the beginning of a line takes, as it is shown."""
    return cells(one_line(beginning.decode("utf-8", "replace").expandtabs(4)))
