"""From method and path to a function: `/fn/NAME/...` for each, and the paths of http triggers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["MethodNotAllowed", "Route", "Routes", "Target"]

FUNCTION_PREFIX: Final = "/fn/"
_TARGETS_KEPT: Final = 1_024
_PATH_KEPT: Final = 256
_REST: Final = re.compile(r"\\\{[A-Za-z_][A-Za-z0-9_]*\\\+\\\}")
_PARAMETER: Final = re.compile(r"\\\{[A-Za-z_][A-Za-z0-9_]*\\\}")


class MethodNotAllowed(Exception):
    """The path is known, the method is not. Holds the methods that are."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = sorted(set(allowed))
        super().__init__(", ".join(self.allowed))


@dataclass(frozen=True, slots=True)
class Route:
    """An http trigger. `path` is exact, or `{name}` stands for one segment, `{name+}` for the rest, a last
    `/*` for all below it.

    No methods means any.
    """

    path: str
    function: str
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `mount` was taken off the path."""

    function: str
    path: str
    mount: str
    route: str


class Routes:
    """Immutable; a deploy builds a new one. Exact paths win over patterns, longer patterns over others."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._exact: dict[str, list[Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if "{" in route.path or route.path.endswith("*"):
                self._patterns.append((_compile(route.path), route))
            else:
                self._exact.setdefault(route.path, []).append(route)
        self._found: dict[tuple[str, str], Target] = {}
        self._patterns.sort(key=lambda item: (_open_ended(item[1].path), -len(item[1].path)))

    def find(self, method: str, path: str) -> Target | None:
        """The target, or None. Raises MethodNotAllowed."""
        found = self._found.get((method, path))
        if found is None:
            found = self._search(method, path)
            if found is not None and len(path) <= _PATH_KEPT:
                if len(self._found) >= _TARGETS_KEPT:
                    self._found.clear()
                self._found[method, path] = found
        return found

    def _search(self, method: str, path: str) -> Target | None:
        if path.startswith(FUNCTION_PREFIX):
            name, slash, rest = path[4:].partition("/")
            return Target(name, slash + rest or "/", f"/fn/{name}", "")
        candidates = self._exact.get(path)
        if candidates is None:
            candidates = [route for pattern, route in self._patterns if pattern.fullmatch(path)]
            if not candidates:
                return None
        for route in candidates:
            if not route.methods or method in route.methods:
                return Target(route.function, path, "", route.path)
        if method == "HEAD":
            for route in candidates:
                if "GET" in route.methods:
                    return Target(route.function, path, "", route.path)
        raise MethodNotAllowed(name for route in candidates for name in route.methods)


def _open_ended(path: str) -> bool:
    return path.endswith("*") or "+}" in path


def _compile(path: str) -> re.Pattern[str]:
    if path.endswith("/*"):
        return re.compile(re.escape(path[:-2]) + "(?:/.*)?")
    pattern = re.escape(path.removesuffix("*")) + (".*" if path.endswith("*") else "")
    return re.compile(_PARAMETER.sub("[^/]+", _REST.sub(".+", pattern)))
