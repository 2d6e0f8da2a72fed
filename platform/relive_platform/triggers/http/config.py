"""What `relive.toml` says of a function's callers over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from relive_platform.triggers.base import Claim, Key, Path, TriggerConfig

__all__ = ["HTTP_METHODS", "CorsConfig", "HttpTrigger", "path_claims", "path_problems"]

HTTP_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*,;=:@%+-]+|\{[A-Za-z_][A-Za-z0-9_]*\+?\}|/)*")


class HttpTrigger(TriggerConfig, frozen=True, tag="http", kw_only=True):
    """Requests for `path` (`{name}` matches one segment, `{name+}` the rest). No methods: all of them.

    `payload`: what an event function gets, Lambda's format "1.0" (REST API, load balancer) or "2.0".
    """

    KEYS: ClassVar[Mapping[str, Key]] = {
        "path": Key("text", "Begins with /; `{name}` is one segment, `{name+}` the rest.", required=True),
        "methods": Key("texts", "Default: all."),
        "payload": Key("text", "Lambda's payload format of the event.", choices=("1.0", "2.0")),
    }

    path: str
    methods: tuple[str, ...] = ()
    payload: str = "2.0"

    def describe(self) -> str:
        """As people read it: "http POST /checkout"."""
        return f"http {','.join(self.methods) or '*'} {self.path}"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> HttpTrigger:
        methods = tuple(dict.fromkeys(method.upper() for method in values.get("methods", ())))
        return cls(path=values["path"], methods=methods, payload=values.get("payload", "2.0"))

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from path_problems(self.path)
        for method in self.methods:
            if method not in HTTP_METHODS:
                yield (
                    "methods", f"the method {method!r} is not known", f"use one of {', '.join(HTTP_METHODS)}"
                )  # fmt: skip

    def claims(self) -> Iterator[Claim]:
        return path_claims(self.path, self.methods)

    def paths(self) -> Iterator[Path]:
        yield Path(self.path, self.methods, self.payload)


def path_problems(path: str) -> Iterator[tuple[str, str, str]]:
    """Key, message and hint of a path that no trigger may have."""
    if len(path) > 1024 or not _PATH.fullmatch(path) or "+}" in path.rstrip("/").removesuffix("+}"):
        yield "path", f"the path {path!r} is not allowed", "write as in /orders/{id}"
    if path == "/fn" or path.startswith("/fn/"):
        yield "path", "paths under /fn/ are the functions' own URLs", "choose another path"


def path_claims(path: str, methods: Sequence[str]) -> Iterator[Claim]:
    """The routes that nobody else may have then. No methods: all of them."""
    place = re.sub(r"\{[^}+]*", "{", path).rstrip("/") or "/"
    for method in methods or HTTP_METHODS:
        taken = f"{method} {path} is already a route"
        yield Claim("route", f"{method} {place}", "path", taken, "give one of them another path or method")


class CorsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which web pages may call a function. No methods: all; no headers: those that a page asks for."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = 600
