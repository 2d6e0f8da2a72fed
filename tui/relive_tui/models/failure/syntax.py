"""A little colour for Python and JSON. Not a parser: what it does not know stays plain."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from relive_tui.models.layout.text import Line, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["color_python", "highlight_json", "highlight_python", "hit_line", "margin_of", "shown_code"]

_PYTHON = re.compile(
    r"""(?P<comment>\#.*)|(?P<string>[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))"""
    r"""|(?P<decorator>^\s*@[\w.]+)|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)"""
)
_JSON = re.compile(
    r"""(?P<key>"(?:\\.|[^"\\])*"(?=\s*:))|(?P<string>"(?:\\.|[^"\\])*")|(?P<number>-?\d[\d.eE+-]*)"""
    r"""|(?P<word>\b(?:true|false|null)\b)"""
)
_TAB = "    "


def highlight_python(source: Sequence[str]) -> list[Line]:
    """The lines of a piece of source, dedented by what all share."""
    margin = margin_of(source)
    return [color_python(line, margin) for line in source]


def color_python(line: str, margin: int = 0) -> Line:
    """One line of source without its first `margin` cells."""
    return _color(shown_code(line)[margin:], _PYTHON)


def shown_code(line: str) -> str:
    """A line of source as it is shown: tabs as spaces, control characters visible."""
    return clean(line.replace("\t", _TAB).rstrip("\r\n"))


def margin_of(source: Sequence[str]) -> int:
    """The cells of indentation that all lines share."""
    filled = [line.replace("\t", _TAB) for line in source if line.strip()]
    return min((len(line) - len(line.lstrip(" ")) for line in filled), default=0)


def highlight_json(line: str) -> Line:
    """One line of indented JSON."""
    return _color(clean(line), _JSON)


def hit_line(line: Line, width: int) -> Line:
    """A line of source with the background of the line that matters, as wide as the panel."""
    return [*((text, f"hit {style}".strip()) for text, style in line), (" " * width, "hit")]


def _color(line: str, pattern: re.Pattern[str]) -> Line:
    result: Line = []
    position = 0
    for match in pattern.finditer(line):
        style = _style(match)
        if not style:
            continue
        if match.start() > position:
            result.append((line[position : match.start()], ""))
        result.append((match.group(), style))
        position = match.end()
    if position < len(line) or not result:
        result.append((line[position:], ""))
    return result


def _style(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "word":
        word = match.group()
        if word in ("True", "False", "None", "true", "false", "null"):
            return "number"
        return "keyword" if keyword.iskeyword(word) else ""
    return {"comment": "dim", "decorator": "keyword"}.get(kind, kind)
