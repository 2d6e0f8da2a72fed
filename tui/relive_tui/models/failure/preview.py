"""A failure under the cursor, without opening it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Preview"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What the cursor's failure looks like without opening it."""

    title: str
    place: str = ""
    source: str = ""
    locals: tuple[tuple[str, str], ...] = ()
    line: int = 0
    around: tuple[
        tuple[int, list[tuple[str, str]]], ...
    ] = ()  # (number, coloured line) of the lines about it
