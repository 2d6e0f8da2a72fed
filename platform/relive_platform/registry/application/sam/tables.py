"""The tables of a `relive.toml` as they are made of a template, each key with the line it comes from."""

from __future__ import annotations

from typing import Any

from relive_platform.registry.application.lines import KeyPath

__all__ = ["FunctionTable", "Tables"]


class Tables:
    """A document in the making."""

    def __init__(self, application: str) -> None:
        self.values: dict[str, Any] = {"app": {"name": application}, "functions": {}}
        self.lines: dict[KeyPath, int] = {}
        self.functions: dict[str, FunctionTable] = {}  # by the function's name
        self.logical: dict[str, FunctionTable] = {}  # by the resource's

    def function(self, name: str, logical: str, line: int) -> FunctionTable | None:
        """A new function; None if there is one of that name."""
        if name in self.functions:
            return None
        table = FunctionTable(name, logical, line, self.lines)
        self.values["functions"][name] = table.values
        self.functions[name] = self.logical[logical] = table
        return table

    def resource(self, name: str, table: dict[str, Any], line: int) -> bool:
        """A new `[resources.NAME]`. False if there is one of that name."""
        resources = self.values.setdefault("resources", {})
        if name in resources:
            return False
        resources[name] = table
        self.lines["resources", name] = line
        return True


class FunctionTable:
    """One `[functions.NAME]`."""

    def __init__(self, name: str, logical: str, line: int, lines: dict[KeyPath, int]) -> None:
        self.name = name
        self.logical = logical
        self.line = line
        self.values: dict[str, Any] = {}
        self._lines = lines
        lines["functions", name] = line

    def put(self, key: str, value: Any, line: int) -> None:
        """Set a key that comes from `line` of the template."""
        self.values[key] = value
        self._lines["functions", self.name, key] = line

    def put_in(self, key: str, name: str, value: Any, line: int) -> None:
        """Set an entry of a table, such as a variable of `environment`."""
        self.values.setdefault(key, {})[name] = value
        self._lines["functions", self.name, key, name] = line

    def trigger(self, values: dict[str, Any], line: int) -> None:
        """Add a trigger, once."""
        triggers = self.values.setdefault("triggers", [])
        if values not in triggers:
            self._lines["functions", self.name, "triggers", len(triggers)] = line
            triggers.append(values)
