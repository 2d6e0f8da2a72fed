"""Regular expressions that are compiled when they are first used: only a failure needs them, and to compile
all of redaction's takes a process 6 ms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

__all__ = ["LazyPattern"]

_Match = re.Match[str]


class LazyPattern:
    """As a compiled pattern of text. Its methods are those of the pattern itself from the first use on."""

    __slots__ = ("_flags", "_text", "finditer", "fullmatch", "match", "search", "sub")
    _made: ClassVar[list[LazyPattern]] = []

    finditer: Callable[..., Iterator[_Match]]
    fullmatch: Callable[..., _Match | None]
    match: Callable[..., _Match | None]
    search: Callable[..., _Match | None]
    sub: Callable[..., str]

    def __init__(self, *parts: str, flags: int = 0) -> None:
        self._text = "".join(parts)
        self._flags = flags
        self._made.append(self)

    def compile(self) -> None:
        """Be ready. Raises re.error."""
        pattern = re.compile(self._text, self._flags)
        self.finditer, self.fullmatch, self.match = pattern.finditer, pattern.fullmatch, pattern.match
        self.search, self.sub = pattern.search, pattern.sub

    @classmethod
    def compile_all(cls) -> None:
        """For a process that others are forked from."""
        for pattern in cls._made:
            pattern.compile()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self.compile()  # a method that is not there yet
        return object.__getattribute__(self, name)
