"""From a method and a path to an operation of a REST service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from relive_platform.api.aws.model.loading import ServiceModel

__all__ = ["Match", "PathRoutes"]

_ANY: Final = "{}"


@dataclass(frozen=True, slots=True)
class _End:
    """An operation at the end of a path. `query`: what has to be in the query."""

    operation: str
    names: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Node:
    below: dict[str, _Node] = field(default_factory=dict)
    ends: dict[str, list[_End]] = field(default_factory=dict)  # by method


@dataclass(frozen=True, slots=True)
class Match:
    """An operation, and the parameters in its path, decoded."""

    operation: str
    parameters: dict[str, str]


class PathRoutes:
    """A tree of the model's paths, by their segments."""

    def __init__(self, model: ServiceModel) -> None:
        self._root = _Node()
        for operation in model.operations:
            http = model.http(operation)
            path, _, query = http["requestUri"].partition("?")
            self._add(operation, http["method"], path, query)

    def _add(self, operation: str, method: str, path: str, query: str) -> None:
        node = self._root
        names = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}+"))
                segment = _ANY
            node = node.below.setdefault(segment, _Node())
        wanted = tuple(
            (name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)
        )
        ends = node.ends.setdefault(method, [])
        ends.append(_End(operation, tuple(names), wanted))
        ends.sort(key=lambda end: -len(end.query))

    def find(self, method: str, path: str, query: Mapping[str, list[str]]) -> Match | None:
        """`path`: not decoded, so that a parameter may hold a slash."""
        node = self._root
        values: list[str] = []
        for segment in path.strip("/").split("/"):
            following = node.below.get(segment)
            if following is None:
                following = node.below.get(_ANY) if segment else None
                values.append(unquote(segment))
            if following is None:
                return None
            node = following
        for end in node.ends.get(method, ()):
            if all(value in query.get(name, ()) for name, value in end.query):
                return Match(end.operation, dict(zip(end.names, values, strict=True)))
        return None
