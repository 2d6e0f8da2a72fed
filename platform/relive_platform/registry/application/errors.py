"""Errors of an application's configuration: each names file, line and hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relive_base.errors import UsageError

__all__ = ["ConfigError", "Problem"]

_MAX_REST_CHARS: Final = 4_000


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `line` is 1-based; 0 if the whole file is meant."""

    file: str
    line: int
    message: str
    hint: str = ""

    @property
    def where(self) -> str:
        """`file:line`, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ConfigError(UsageError):
    """The application cannot be deployed as it is written. `problems` lists everything that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        first = self.problems[0]
        # A server sends message, place and hint to its client: the other problems go with the hint.
        hint = "\n".join((first.hint, *_bounded(self.problems[1:])))
        super().__init__(first.message, where=first.where, hint=hint)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def _bounded(problems: Sequence[Problem]) -> list[str]:
    """As much text as fits into the headers of an answer, and how many problems do not."""
    told: list[str] = []
    room = _MAX_REST_CHARS
    for number, problem in enumerate(problems):
        text = str(problem)
        room -= len(text.encode())
        if room < 0:
            return [*told, f"... and {len(problems) - number} more"]
        told.append(text)
    return told
