"""Making hostile text safe to show in a terminal."""

from __future__ import annotations

import re

from relive_base.patterns import LazyPattern

__all__ = ["escape_terminal", "one_line", "title_line"]

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


def one_line(text: str, width: int | None = None) -> str:
    """`text` escaped and on one line, cut to `width` cells with an ellipsis."""
    line = escape_terminal(text).replace("\n", "\\n").replace("\t", " ")
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line
