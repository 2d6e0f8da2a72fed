"""Data in the titles of panels, where Textual would read markup."""

from __future__ import annotations

from relive_tui.models.layout.text import clean

__all__ = ["safe_title", "short_path"]


def safe_title(text: str) -> str:
    """`text` escaped for a border title."""
    return clean(text).replace("[", "\\[")


def short_path(path: str) -> str:
    """The last two parts of a path, for a title."""
    return safe_title("/".join(path.rsplit("/", 2)[-2:]))
