"""One line for a container: `{'a': 1, 'b': […], …}`, at most about 80 characters."""

from __future__ import annotations

from typing import Final

__all__ = ["preview"]

_WIDTH: Final = 80
_PART: Final = 28  # characters of one child in a line that would be too long
_OPENING: Final = "([{"


def preview(open_: str, close: str, shown: list[str], texts: list[str], more: bool) -> str:
    """The line. `shown` has what stands before the children's texts, or is empty; `more`: some are cut."""
    parts: list[str] = []
    size = len(open_) + len(close)
    for index, text in enumerate(texts):
        part = shown[index] + text if shown else text
        size += len(part) + 2
        if size > _WIDTH:
            size -= len(part)
            part = (shown[index] if shown else "") + _shorter(text)
            size += len(part)
            if size > _WIDTH:
                more = True
                break
        parts.append(part)
    if more:
        parts.append("…")
    return f"{open_}{', '.join(parts)}{close}"


def _shorter(text: str) -> str:
    """The head of a text: `Order(…)`, `'The quick brown…'`."""
    if len(text) <= _PART:
        return text
    if text[-1] in ")]}":
        for index, char in enumerate(text[:_PART]):
            if char in _OPENING:
                return f"{text[: index + 1]}…{text[-1]}"
    quote = text[0] if text[0] in "'\"" else ""
    return f"{text[: _PART - 2]}…{quote}"
