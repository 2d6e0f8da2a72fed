"""What has been found to be a secret, so that it is hidden wherever else it stands in the same scene."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["SecretMemory", "pattern_of"]

_MOST: Final = 200
_MIN_CHARS: Final = 6
_MAX_CHARS: Final = 1024
_WORD_CHARS: Final = 12  # a shorter one of small letters alone may be any word of the program
_EDGES: Final = "\"'`\\ \t\r\n,;"


class SecretMemory:
    """Up to 200 secret texts. They are never written anywhere; `dropped` counts what had no room."""

    __slots__ = ("_values", "dropped")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: dict[str, None] = {}
        self.dropped = 0
        for value in values:
            self.add(value)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> list[str]:
        """The secrets, in the order in which they were found."""
        return list(self._values)

    def add(self, text: str) -> None:
        """Keep a secret, and the key in `Bearer KEY`, if it is long and odd enough not to stand in every
        other text by chance."""
        value = text.removeprefix("b'").removeprefix('b"').strip(_EDGES)
        scheme, _, key = value.partition(" ")
        alone = scheme.isalpha() and len(key) >= 2 * _MIN_CHARS and " " not in key
        for part in (value, key) if alone else (value,):
            if not _is_telling(part) or part in self._values:
                continue
            if len(self._values) >= _MOST:
                self.dropped += 1
                return
            self._values[part] = None


def _is_telling(value: str) -> bool:
    if not _MIN_CHARS <= len(value) <= _MAX_CHARS or "[redacted" in value:
        return False
    return len(value) >= _WORD_CHARS or not (value.isalpha() and value.islower())


def pattern_of(values: Iterable[str]) -> re.Pattern[str] | None:
    """Finds each of `values` if it is not a part of a longer word; None if there are none."""
    longest_first = sorted(values, key=len, reverse=True)
    if not longest_first:
        return None
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")
