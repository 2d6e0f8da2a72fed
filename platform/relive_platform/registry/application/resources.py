"""The `[resources.NAME]` tables of a `relive.toml`, and what functions say of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from relive_platform.keys import Key
from relive_platform.names import NAME, NAME_HINT
from relive_platform.registry.application.lines import KeyPath
from relive_platform.registry.application.schema import RESOURCES
from relive_platform.resources.base import ResourceConfig
from relive_platform.resources.references import reference_problems
from relive_platform.resources.table import KINDS

__all__ = ["environment_problems", "read_resources"]

_MAX_RESOURCES: Final = 1_000


class Reader(Protocol):
    """Who reads the file, and gathers what is wrong in it."""

    problems: list[Any]

    def problem(self, path: KeyPath, message: str, hint: str) -> None: ...
    def check_table(
        self, path: KeyPath, table: Mapping[str, object], keys: Mapping[str, Key], where: str
    ) -> None: ...


def read_resources(reader: Reader, tables: Mapping[str, object]) -> dict[str, ResourceConfig]:
    """Those that are right; of the others the reader has been told."""
    found: dict[str, ResourceConfig] = {}
    if len(tables) > _MAX_RESOURCES:
        message = f"[resources] has {len(tables)} resources"
        reader.problem(("resources",), message, f"write at most {_MAX_RESOURCES}")
        return found
    for name, table in tables.items():
        path: KeyPath = ("resources", name)
        if not NAME.fullmatch(name):
            reader.problem(path, f"the resource's name {name!r} is not allowed", NAME_HINT)
        elif not isinstance(table, dict):
            reader.problem(path, f"resources.{name} is not a table", f"write [resources.{name}]")
        elif config := _resource(reader, path, table):
            found[name] = config
    if not reader.problems:
        for name, config in found.items():
            for key, message, hint in config.problems_among(name, found):
                reader.problem(("resources", name, key), message, hint)
    return found


def _resource(reader: Reader, path: KeyPath, table: dict[str, Any]) -> ResourceConfig | None:
    kind = str(table.get("type", ""))
    if kind not in KINDS:
        close = difflib.get_close_matches(kind, list(KINDS), n=1)
        hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(KINDS)}"
        message = f"the resource type {kind!r} is not known" if kind else "the resource has no type"
        reader.problem((*path, "type"), message, hint)
        return None
    before = len(reader.problems)
    reader.check_table(path, table, RESOURCES[kind], f"the {kind}")
    if len(reader.problems) > before:
        return None
    config = KINDS[kind].of({key: value for key, value in table.items() if key != "type"})
    for key, message, hint in config.problems():
        reader.problem((*path, key), message, hint)
    return config


def environment_problems(
    values: Mapping[str, str], resources: Mapping[str, ResourceConfig]
) -> Iterator[tuple[str, str, str]]:
    """Variable, message and hint of each reference to a resource that leads nowhere."""
    for name, value in values.items():
        for message, hint in reference_problems(value, resources):
            yield name, message, hint
