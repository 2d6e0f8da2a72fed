"""What is found while a template is read: places, what is ignored, what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from relive_platform.registry.application.document import Ignored
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.sam.yaml_text import Map, Seq

__all__ = ["Notes", "Place"]

_MAX_NOTES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """A key of the template and its line."""

    key: str = ""
    line: int = 0

    def below(self, found: object, name: str | int) -> Place:
        """The place of `name` in the mapping or sequence `found`, which is here."""
        key = f"{self.key}.{name}" if self.key else str(name)
        if isinstance(found, Map) and isinstance(name, str):
            return Place(key, found.line_of(name) or self.line)
        if isinstance(found, Seq) and isinstance(name, int):
            return Place(key, found.line_of(name) or self.line)
        return replace(self, key=key)


class Notes:
    """Everything that was noticed; each thing once."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.ignored: list[Ignored] = []
        self.problems: list[Problem] = []
        self.left_out = 0

    def ignore(self, at: Place, message: str, hint: str = "", *, describes: bool = False) -> None:
        """`at` has no effect here."""
        note = Ignored(self.shown, at.line, at.key, message, hint, describes)
        if note in self.ignored:
            return
        if len(self.ignored) >= _MAX_NOTES:
            self.left_out += 1
            return
        self.ignored.append(note)

    def wrong(self, at: Place, message: str, hint: str) -> None:
        """`at` cannot be deployed."""
        problem = self.problem(at, message, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def problem(self, at: Place, message: str, hint: str) -> Problem:
        """One that is not noted: for an error that is raised."""
        return Problem(self.shown, at.line, f"{at.key}: {message}" if at.key else message, hint)

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """Keep the problems of an error, and go on."""
        try:
            yield
        except ConfigError as error:
            self.problems.extend(problem for problem in error.problems if problem not in self.problems)

    def error(self, at: Place, message: str, hint: str) -> ConfigError:
        """The error that says so."""
        return ConfigError([self.problem(at, message, hint)])

    def all_ignored(self) -> tuple[Ignored, ...]:
        """By place; the last one says how many there is no room for."""
        found = sorted(self.ignored)
        if self.left_out:
            found.append(Ignored(self.shown, 0, "...", f"{self.left_out} more that are ignored"))
        return tuple(found)
