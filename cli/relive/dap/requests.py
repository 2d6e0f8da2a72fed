"""Reading what a client has sent: every field may be missing, or anything."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["Bad", "Given"]

_LARGEST: Final = 1 << 31
_TEXT_CHARS: Final = 20_000
_HALF: Final = re.compile("[\ud800-\udfff]")
"""Surrogates: JSON can name them, UTF-8 has none."""


class Bad(Exception):
    """The request cannot be answered; the message says why."""


class Given:
    """The arguments of a request."""

    def __init__(self, request: dict[str, Any]) -> None:
        found = request.get("arguments")
        self._fields: dict[str, Any] = found if isinstance(found, dict) else {}

    def number(self, name: str, default: int | None = None) -> int:
        """A number from 0. Raises Bad."""
        found = self._fields.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < _LARGEST:
            raise Bad(f"{name} is to be a number")
        return found

    def text(self, name: str, default: str = "") -> str:
        """A text. Raises Bad."""
        found = self._fields.get(name, default)
        if not isinstance(found, str):
            raise Bad(f"{name} is to be a text")
        if len(found) > _TEXT_CHARS:
            raise Bad(f"{name} has {len(found):,} characters, {_TEXT_CHARS:,} is the limit")
        if "\0" in found or _HALF.search(found):
            raise Bad(f"{name} has a NUL or half of a character in it")
        return found

    def flag(self, name: str, default: bool) -> bool:
        """True or False."""
        found = self._fields.get(name)
        return found if isinstance(found, bool) else default

    def object(self, name: str) -> dict[str, Any]:
        """An object; {} if there is none."""
        found = self._fields.get(name)
        return found if isinstance(found, dict) else {}

    def objects(self, name: str, limit: int) -> list[dict[str, Any]]:
        """A list of objects. Raises Bad."""
        found = self._fields.get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Bad(f"{name} is to be a list of objects")
        if len(found) > limit:
            raise Bad(f"there are {len(found):,} {name}, {limit:,} is the limit")
        return found
