"""A line of text for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Line"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `style`: "title", "meta", "heading", "source", "mark", "local", "frame", "error", "log",
    "dim", "command" or ""."""

    text: str
    style: str = ""
