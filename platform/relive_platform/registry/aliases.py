"""Names for versions of a function: `live` is version 7, and for a tenth of the events version 8."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from relive_base.errors import NotFound, Refused, UsageError

from relive_platform.registry.notes import Notes

__all__ = ["Alias", "AliasExists", "Aliases", "UnknownAlias", "check_alias", "in_words", "new_revision"]

_KIND: Final = "alias"
_PROVISIONED: Final = "provisioned"
_NAME: Final = re.compile(r"(?!\d+$)[a-zA-Z0-9_-]{1,128}")
_MOST_OTHERS: Final = 10


class UnknownAlias(NotFound):
    """The function has no alias of that name."""


class AliasExists(Refused):
    """The function has an alias of that name already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """`weights`: of other versions, their shares of the events, from 0 to 1; the rest goes to `version`.
    `revision` changes with each change."""

    function: str
    name: str
    version: int
    weights: Mapping[int, float] = field(default_factory=dict)
    description: str = ""
    revision: str = ""


def check_alias(alias: Alias, has: Callable[[int], bool]) -> None:
    """`has`: whether the function has a version. Raises UsageError."""
    if not _NAME.fullmatch(alias.name):
        raise UsageError(
            f"{alias.name!r} is no name for an alias", hint="use a-z, A-Z, 0-9, _ and -, and not digits alone"
        )
    if len(alias.weights) > _MOST_OTHERS:
        raise UsageError(f"an alias shares its events with at most {_MOST_OTHERS} other versions")
    if not all(0 <= share <= 1 for share in alias.weights.values()) or sum(alias.weights.values()) > 1:
        raise UsageError("the shares of an alias are from 0 to 1, and no more than 1 together")
    if alias.version in alias.weights:
        raise UsageError(
            f"version {alias.version} is the alias's own", hint="name shares of other versions only"
        )
    for version in (alias.version, *alias.weights):
        if not has(version):
            raise NotFound(f"function {alias.function!r} has no version {version}")


class Aliases:
    """Kept with the functions. `on_change` is called after each change, in its thread."""

    def __init__(self, notes: Notes, on_change: Callable[[], None] = lambda: None) -> None:
        self._notes = notes
        self.on_change = on_change

    def of(self, function: str) -> list[Alias]:
        """Those of a function, by name."""
        return [_alias(function, name, kept) for name, kept in self._notes.of(_KIND, function).items()]

    def all(self) -> list[Alias]:
        """Those of all functions."""
        return [_alias(function, name, kept) for function, name, kept in self._notes.all(_KIND)]

    def get(self, function: str, name: str) -> Alias:
        """One. Raises UnknownAlias."""
        kept = self._notes.get(_KIND, function, name)
        if kept is None:
            raise UnknownAlias(
                f"function {function!r} has no alias {name!r}", hint=f"relive alias {function}"
            )
        return _alias(function, name, kept)

    def create(self, alias: Alias) -> Alias:
        """A new one. Raises AliasExists."""
        if self._notes.get(_KIND, alias.function, alias.name) is not None:
            raise AliasExists(f"function {alias.function!r} has an alias {alias.name!r} already")
        return self.put(alias)

    def put(self, alias: Alias) -> Alias:
        """Write one, new or not; gives it with its revision."""
        written = replace(alias, revision=new_revision())
        document = {
            "version": written.version,
            "weights": {str(version): share for version, share in written.weights.items()},
            "description": written.description,
            "revision": written.revision,
        }
        self._notes.put(_KIND, written.function, written.name, document)
        self.on_change()
        return written

    def remove(self, function: str, name: str) -> bool:
        """Whether it was there. The workers that waited for it go with it."""
        found = self._notes.drop(_KIND, function, name)
        self._notes.drop(_PROVISIONED, function, name)
        if found:
            self.on_change()
        return found


def in_words(alias: Alias) -> str:
    """`live v7, 10% v8`."""
    main = f"v{alias.version}" if alias.version else "the latest"
    shares = "".join(f", {share:.0%} v{version}" for version, share in alias.weights.items() if share)
    return f"{alias.name} {main}{shares}"


def new_revision() -> str:
    """A text that no other change has."""
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _alias(function: str, name: str, kept: dict[str, Any]) -> Alias:
    return Alias(
        function=function,
        name=name,
        version=kept["version"],
        weights={int(version): share for version, share in kept["weights"].items()},
        description=kept["description"],
        revision=kept["revision"],
    )
