"""Which version of a function an event is for: a number, an alias, or none, which is the one in service."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relive_base.errors import NotFound

__all__ = ["LATEST", "AliasTarget", "Qualifiers", "UnknownQualifier", "split_qualifier"]

LATEST: Final = "$LATEST"
"""As AWS writes the version that is in service."""


class UnknownQualifier(NotFound):
    """The function has no such version and no such alias."""


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """Where an alias leads: `version`, but for the shares of `others` (version -> 0.0 to 1.0)."""

    version: int
    others: Mapping[int, float]

    @property
    def versions(self) -> set[int]:
        """All that it leads to."""
        return {self.version, *self.others}


def split_qualifier(name: str) -> tuple[str, str]:
    """`checkout:live` as name and qualifier; the latter is "" if there is none."""
    function, _, qualifier = name.partition(":")
    return function, qualifier


class Qualifiers:
    """The aliases of the functions in service. `draw` gives a number from 0 up to 1."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._aliases: Mapping[str, Mapping[str, AliasTarget]] = {}

    def apply(self, aliases: Mapping[str, Mapping[str, AliasTarget]]) -> None:
        """These are there from now on."""
        self._aliases = aliases

    def pinned(self, function: str) -> set[int]:
        """Versions that stay ready though others are in service."""
        return set().union(*(target.versions for target in self._aliases.get(function, {}).values()))

    def version_of(self, function: str, qualifier: str) -> int:
        """Drawn, of an alias with shares; 0: the one in service. Raises UnknownQualifier."""
        if qualifier in ("", LATEST):
            return 0
        if qualifier.isascii() and qualifier.isdigit():
            return int(qualifier[:10])
        target = self._aliases.get(function, {}).get(qualifier)
        if target is None:
            raise UnknownQualifier(
                f"function {function!r} has no alias {qualifier!r}", hint=f"relive alias {function}"
            )
        left = self._draw() if target.others else 1.0
        for version, share in target.others.items():
            left -= share
            if left < 0:
                return version
        return target.version
