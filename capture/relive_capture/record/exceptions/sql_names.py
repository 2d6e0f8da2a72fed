"""Which column a positional parameter of an SQL statement is for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relive_base.patterns import LazyPattern

__all__ = ["named_parameters"]

_MAX_SQL: Final = 20_000
_MAX_NAMES: Final = 500
_MARK: Final = r"(?:\?|%s|%\(\w+\)s|:\w+|\$\d+)"
_INSERT: Final = LazyPattern(r"\binto\s+[\w.\"`\[\]]+\s*\(([^()]*)\)\s*values\s*\(([^()]*)\)", flags=re.I)
_COMPARED: Final = LazyPattern(
    rf"([A-Za-z_]\w*)[\"`\]]?\s*(?:=|<|>|<=|>=|<>|!=|\blike\b)\s*({_MARK})", flags=re.I
)


def named_parameters(statement: str, parameters: Any) -> Iterator[tuple[str, Any]]:
    """(column, value) pairs as far as the statement says which is which; a number if it does not."""
    if isinstance(parameters, Mapping):
        yield from ((str(name), value) for name, value in list(parameters.items())[:_MAX_NAMES])
        return
    if not isinstance(parameters, Sequence) or isinstance(parameters, str | bytes):
        return
    if parameters and isinstance(parameters[0], list | tuple | Mapping):  # executemany
        yield from named_parameters(statement, parameters[0])
        return
    names = _names(statement[:_MAX_SQL])
    for index, value in enumerate(parameters[:_MAX_NAMES]):
        yield (names[index] if index < len(names) else f"#{index + 1}"), value


def _names(statement: str) -> list[str]:
    """Names of the positional marks in their order, as far as all of them are known."""
    found = _INSERT.search(statement)
    if found:
        columns = [name.strip().strip('"`[]') for name in found.group(1).split(",")]
        marks = [mark.strip() for mark in found.group(2).split(",")]
        return [name for name, mark in zip(columns, marks, strict=False) if mark in ("?", "%s")]
    compared = [(match.start(2), match.group(1)) for match in _COMPARED.finditer(statement)]
    places = [match.start() for match in re.finditer(r"\?|%s", statement)]
    names = dict(compared)
    return [names.get(place, f"#{number + 1}") for number, place in enumerate(places)]
