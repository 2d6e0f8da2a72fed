"""Lines of styled text, cut and padded to terminal cells.

A span is (text, style); a style is a name of `relive_tui.theme`, so models need no terminal to be tested.
All text that came from data goes through `clean` here, once: no escape sequence and no markup survives it.
"""

from __future__ import annotations

from relive_base.terminal import one_line, title_line
from rich.cells import cell_len, chop_cells, set_cell_size

__all__ = [
    "Line",
    "Span",
    "clean",
    "clean_title",
    "fit",
    "fit_left",
    "join",
    "line_text",
    "line_width",
    "pad_line",
    "skip_cells",
    "width_of",
    "wrap_lines",
]

Span = tuple[str, str]
Line = list[Span]

MAX_TEXT = 4_000
"""Characters of one value that are looked at at all; a line of a terminal shows a few hundred."""


def clean(text: str) -> str:
    """`text` on one line, with every control character visible and nothing hidden."""
    return one_line(text[:MAX_TEXT])


def clean_title(text: str) -> str:
    """A message as `clean` gives it, with `↵` where a line ends."""
    return title_line(text[:MAX_TEXT])


def width_of(text: str) -> int:
    """Terminal cells of `text`."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: str = "left") -> str:
    """`text` in exactly `width` cells: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    cells = width_of(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - cells)
    return padding + text if align == "right" else text + padding


def fit_left(text: str, width: int) -> str:
    """Like `fit`, but what is cut is the beginning: for paths, whose end says more."""
    if width_of(text) <= width:
        return fit(text, width)
    tail = text
    while tail and width_of(tail) > width - 1:
        tail = tail[1:]
    return fit("…" + tail, width)


def line_width(line: Line) -> int:
    """Terminal cells of a line."""
    return sum(width_of(text) for text, _ in line)


def pad_line(line: Line, width: int) -> Line:
    """`line` in exactly `width` cells."""
    result: Line = []
    left = width
    for text, style in line:
        cells = width_of(text)
        if cells > left:
            if left > 0:
                result.append((fit(text, left) if text.strip() else " " * left, style))
            return result
        result.append((text, style))
        left -= cells
    if left:
        result.append((" " * left, ""))
    return result


def skip_cells(line: Line, cells: int) -> Line:
    """`line` without its first cells; half of a wide character becomes a space."""
    result: Line = []
    for text, style in line:
        if cells <= 0:
            result.append((text, style))
            continue
        width = width_of(text)
        if width <= cells:
            cells -= width
            continue
        position = 0
        while cells > 0:
            cells -= width_of(text[position])
            position += 1
        result.append((" " * -cells + text[position:], style))
        cells = 0
    return result


def line_text(line: Line) -> str:
    """The text of a line without its styles."""
    return "".join(text for text, _ in line)


def join(lines: list[Line], separator: Span = ("  ", "")) -> Line:
    """Several lines as one."""
    result: Line = []
    for line in lines:
        if result:
            result.append(separator)
        result.extend(line)
    return result


def wrap_lines(lines: list[Line], width: int) -> list[Line]:
    """The same lines; those of one style that are too long are broken between words, as far indented."""
    result: list[Line] = []
    for line in lines:
        if len(line) != 1 or width_of(line[0][0]) <= width or width < 8:
            result.append(line)
            continue
        text, style = line[0]
        indent = text[: min(len(text) - len(text.lstrip()), width // 2)]
        result += [[(indent + part, style)] for part in _wrap(text, width - len(indent))]
    return result


def _wrap(text: str, width: int) -> list[str]:
    parts = [""]
    for word in text.split():
        if parts[-1] and width_of(parts[-1]) + 1 + width_of(word) <= width:
            parts[-1] += f" {word}"
        elif width_of(word) <= width:
            parts.append(word)
        else:
            parts += chop_cells(word, width)
    return parts[1:] or parts
