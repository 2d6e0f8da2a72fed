"""From lines of a model to strips of the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from relive_tui.models.layout.text import Line, pad_line
from relive_tui.theme import style_of

if TYPE_CHECKING:
    from rich.style import Style

__all__ = ["strip_of"]


def strip_of(line: Line, width: int, base: Style, over: str = "") -> Strip:
    """A strip of exactly `width` cells on the background of `base`; `over`: a style for the whole line."""
    if over:
        base += style_of(over)
    return Strip([Segment(text, base + style_of(name)) for text, name in pad_line(line, width)], width)
