"""From method and path to a function: `/fn/NAME/...` for each, and the paths of http triggers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from relive_platform.triggers.http.cors import Cors
from relive_platform.triggers.http.doors import Door

__all__ = ["MethodNotAllowed", "Policy", "Route", "Routes", "Target"]

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
    payload: str = ""
    public: bool = False  # whatever the function's policy says
    door: Door | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a function says of its callers."""

    public: bool = False  # its routes need no token
    cors: Cors | None = None
    route_details: bool = True  # callers of its routes are told what went wrong
    details: bool = True  # ... and those of /fn/NAME/
    event: bool = False  # an event function: it does not see `Target.mount`
    service: bool = False  # it reads bodies as they come, and takes websockets


_PRIVATE: Final = Policy()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `mount` was taken off the path."""

    function: str
    path: str
    mount: str
    route: str
    cors: Cors | None = None
    public: bool = False
    details: bool = True  # of a failure
    payload: str = ""
    hidden: str = ""  # the mount, if the function does not see it
    door: Door | None = None  # stands before the function
    service: bool = False
    qualifier: str = ""  # of /fn/NAME:QUALIFIER/


class Routes:
    """Immutable; a deploy builds a new one. Exact paths win over patterns, longer patterns over others."""

    def __init__(self, routes: Iterable[Route] = (), policies: Mapping[str, Policy] | None = None) -> None:
        self._policies = policies or {}
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

    def has(self, path: str) -> bool:
        """Whether `path` is one of an http trigger."""
        if path.startswith(FUNCTION_PREFIX):
            return False
        try:
            return self.find("GET", path) is not None
        except MethodNotAllowed:
            return True

    def _search(self, method: str, path: str) -> Target | None:
        if path.startswith(FUNCTION_PREFIX):
            asked, slash, rest = path[4:].partition("/")
            name, _, qualifier = asked.partition(":")
            policy = self._policies.get(name, _PRIVATE)
            mount = FUNCTION_PREFIX + asked
            hidden = mount if policy.event else ""
            path = slash + rest or "/"
            return Target(
                name,
                path,
                mount,
                "",
                cors=policy.cors,
                details=policy.details,
                hidden=hidden,
                service=policy.service,
                qualifier=qualifier,
            )
        candidates = self._exact.get(path)
        if candidates is None:
            candidates = [route for pattern, route in self._patterns if pattern.fullmatch(path)]
            if not candidates:
                return None
        for route in candidates:
            if not route.methods or method in route.methods:
                return self._target(route, path)
        if method == "HEAD":
            for route in candidates:
                if "GET" in route.methods:
                    return self._target(route, path)
        raise MethodNotAllowed(name for route in candidates for name in route.methods)

    def _target(self, route: Route, path: str) -> Target:
        policy = self._policies.get(route.function, _PRIVATE)
        return Target(
            function=route.function,
            path=path,
            mount="",
            route=route.path,
            cors=policy.cors,
            public=policy.public or route.public,
            details=policy.route_details,
            payload=route.payload,
            door=route.door,
            service=policy.service,
        )


def _open_ended(path: str) -> bool:
    return path.endswith("*") or "+}" in path


def _compile(path: str) -> re.Pattern[str]:
    if path.endswith("/*"):
        return re.compile(re.escape(path[:-2]) + "(?:/.*)?")
    pattern = re.escape(path.removesuffix("*")) + (".*" if path.endswith("*") else "")
    return re.compile(_PARAMETER.sub("[^/]+", _REST.sub(".+", pattern)))
