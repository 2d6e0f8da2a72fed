"""Text in lines of so many cells of a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

__all__ = ["wrapped"]


def wrapped(text: str, first: int, rest: int) -> list[str]:
    """`text` in lines, the first of at most `first` cells, the others of `rest`; broken at spaces if it
    can be. Runs of spaces within a line stay."""
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")):
        lines += _one(line, rest if number else first, rest)
    return lines


def _one(line: str, first: int, rest: int) -> Iterator[str]:
    room = max(first, 1)
    while cell_len(line) > room:
        head = chop_cells(line, room)[0]
        at = len(head) if line[len(head) : len(head) + 1] == " " else head.rfind(" ")
        if at <= 0:  # one long word
            at = len(head)
        yield line[:at]
        line = line[at:].lstrip(" ")
        room = max(rest, 1)
    yield line
