"""What `relive.toml` says of a function's callers over HTTP: `public`, `cors`, `payload`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from relive_platform.registry.application.lines import KeyPath
from relive_platform.registry.application.model import Trigger
from relive_platform.triggers.http.config import HTTP_METHODS, CorsConfig
from relive_platform.triggers.http.origins import parse_origin_pattern

__all__ = ["caller_problems", "cors_of"]

_MAX_ORIGINS: Final = 100
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_Problems = Iterator[tuple[KeyPath, str, str]]  # key below the function's table, message, hint


def cors_of(table: Mapping[str, Any]) -> CorsConfig:
    """The checked `cors` table of a function."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    values["methods"] = tuple(method.upper() for method in values.get("methods", ()))
    return CorsConfig(**values)


def caller_problems(table: Mapping[str, Any], triggers: Sequence[Trigger]) -> _Problems:
    """What does not fit together; types and ranges have been checked."""
    if table.get("public") and not any(any(trigger.paths()) for trigger in triggers):
        message = "public = true, but the function has no http trigger: it has no public URL"
        yield ("public",), message, "add an http trigger, or leave public out"
    if "cors" in table:
        yield from _cors_problems(table["cors"])
    most, least = table.get("reserved_concurrency") or table.get("max_workers"), table.get("min_workers", 0)
    if most is not None and least > most:
        key = "reserved_concurrency" if table.get("reserved_concurrency") else "max_workers"
        yield ("min_workers",), f"min_workers = {least} is over {key} = {most}", f"raise {key}"
    for index, trigger in enumerate(table.get("triggers", ())):
        if "payload" in trigger and trigger.get("type") == "http" and table.get("kind") == "http":
            message = "payload is the format of an event, but this is an HTTP function"
            yield ("triggers", index, "payload"), message, "leave payload out"


def _cors_problems(cors: Mapping[str, Any]) -> _Problems:
    origins = cors["origins"]
    if not 1 <= len(origins) <= _MAX_ORIGINS:
        message = f"cors has {len(origins)} origins"
        yield ("cors", "origins"), message, f"name 1 to {_MAX_ORIGINS}"
    for text in origins:
        if parse_origin_pattern(text) is None:
            hint = "write as in https://shop.example, https://*.shop.example, http://localhost:*, or *"
            yield ("cors", "origins"), f"{text!r} is not a web origin", hint
    if cors.get("credentials") and "*" in origins:
        message = "credentials for every origin would let any web page act for its reader"
        yield ("cors", "credentials"), message, "name the origins"
    for method in cors.get("methods", ()):
        if method.upper() not in HTTP_METHODS:
            hint = f"use one of {', '.join(HTTP_METHODS)}"
            yield ("cors", "methods"), f"the method {method!r} is not known", hint
    for key in ("headers", "expose_headers"):
        for name in cors.get(key, ()):
            if not _HEADER.fullmatch(name):
                yield ("cors", key), f"{name!r} is not the name of a header", "use letters, digits and -"
