"""Making hostile text safe to show in a terminal."""

from __future__ import annotations

import re

from relive_base.patterns import LazyPattern

__all__ = ["cells", "escape_terminal", "one_line", "padded", "title_line"]

# C0 but tab and newline, DEL, C1, and the Unicode controls that reorder or hide text.
_UNSAFE = LazyPattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def escape_terminal(text: str) -> str:
    """`text` with every control character written as an escape; newlines and tabs stay."""
    return _UNSAFE.sub(_visible, text)


def title_line(text: str, width: int | None = None) -> str:
    """`one_line` for a message of several lines: `↵` where one ends."""
    lines = (line.strip() for line in text.split("\n"))
    return one_line(" ↵ ".join(line for line in lines if line), width)


def cells(text: str) -> int:
    """How many cells of a terminal `text`, on one line and escaped, takes: wide characters take two,
    combining ones none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text)


def one_line(text: str, width: int | None = None) -> str:
    """`text` escaped and on one line, cut to `width` cells with an ellipsis."""
    line = escape_terminal(text).replace("\n", "\\n").replace("\t", " ")
    if width is None or cells(line) <= width:
        return line
    room = max(width - 1, 0)
    if line.isascii():
        return line[:room] + "…"
    while cells(line) > room:  # each step takes off what is over, at most two cells a character
        line = line[: -max((cells(line) - room) // 2, 1)]
    return line + "…"


def padded(text: str, width: int) -> str:
    """`text` with spaces up to `width` cells."""
    return text + " " * max(width - cells(text), 0)
