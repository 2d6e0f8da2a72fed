"""The `[alerts.NAME]` tables of a `relive.toml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from relive_platform.alerts.config import KEYS, AlertConfig, problems
from relive_platform.names import NAME, NAME_HINT
from relive_platform.registry.application.lines import KeyPath
from relive_platform.registry.application.resources import Reader

__all__ = ["read_alerts"]

_MAX_ALERTS: Final = 200


def read_alerts(
    reader: Reader, tables: Mapping[str, object], functions: Collection[str]
) -> dict[str, AlertConfig]:
    """Those that are right; of the others the reader has been told. `functions`: of the application."""
    found: dict[str, AlertConfig] = {}
    if len(tables) > _MAX_ALERTS:
        reader.problem(("alerts",), f"[alerts] has {len(tables)} alerts", f"write at most {_MAX_ALERTS}")
        return found
    for name, table in tables.items():
        path: KeyPath = ("alerts", name)
        if not NAME.fullmatch(name):
            reader.problem(path, f"the alert's name {name!r} is not allowed", NAME_HINT)
        elif not isinstance(table, dict):
            reader.problem(path, f"alerts.{name} is not a table", f"write [alerts.{name}]")
        elif (config := _alert(reader, path, table, functions)) is not None:
            found[name] = config
    return found


def _alert(
    reader: Reader, path: KeyPath, table: dict[str, Any], functions: Collection[str]
) -> AlertConfig | None:
    before = len(reader.problems)
    reader.check_table(path, table, KEYS, "the alert")
    if len(reader.problems) == before:
        for key, message, hint in problems(table):
            reader.problem((*path, key) if key in table else path, message, hint)
        name = table.get("function", "")
        if name and name not in functions:
            known = ", ".join(functions) or "none"
            reader.problem(
                (*path, "function"), f"there is no function {name!r}", f"the application has {known}"
            )
    return AlertConfig.of(table) if len(reader.problems) == before else None
