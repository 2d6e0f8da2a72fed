"""Migrations, as an empty database needs them: tables are made as they will be, not changed after it."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["folded"]

_CREATE = re.compile(r"CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS (\w+)\s")
_DROP = re.compile(r"DROP VIEW IF EXISTS (\w+)")
_ADD = re.compile(r"ALTER TABLE (\w+)\s+(ADD\s.+)", re.DOTALL)
_NEXT = re.compile(r",\s*(?=(?:ADD|CLEAR|COMMENT|DROP|MATERIALIZE|MODIFY|REMOVE|RENAME|RESET)\s)")
_ADDED = re.compile(r"ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS\s+(.+)", re.DOTALL)
_AFTER = re.compile(r"\s+AFTER\s+(\w+)\s*$")
_FIRST = re.compile(r"\sFIRST\s*$")
_SET = re.compile(r"ALTER TABLE (\w+)\s+MODIFY SETTING\s+(.+)", re.DOTALL)
_FILL = re.compile(
    r"TRUNCATE TABLE (\w+)|INSERT INTO (\w+)\s+SELECT\s.+?\sFROM\s+(\w+)\s.*\bGROUP BY\b.+", re.DOTALL
)
_OF_ROWS = re.compile(r"ALTER TABLE (\w+)\s+MATERIALIZE (?:PROJECTION|COLUMN) \w+")
_SETTING = re.compile(r"(\w+)\s*=")
_BEHIND = re.compile(r"\n\)\nENGINE")
_MARKS = re.compile(r"'(?:[^'\\]|\\.)*'|[(),]")
_END = {"COLUMN": re.compile(r",?\n    INDEX |\n\)\nENGINE"), "INDEX": _BEHIND, "PROJECTION": _BEHIND}


def folded(statements: Iterable[str]) -> list[str]:
    """Fewer statements that make the same of an empty database: a third of the time, of which an ALTER takes
    most. One that cannot be folded, and all behind it, stay as they are."""
    made: dict[str, str] = {}
    left = list(statements)
    while left and _fold(made, left[0]):
        del left[0]
    return [*made.values(), *left]


def _fold(made: dict[str, str], statement: str) -> bool:
    """Work `statement` into what was made before it, by name; whether that could be done."""
    if (found := _CREATE.match(statement)) and found[1] not in made:
        made[found[1]] = statement
    elif found := _DROP.fullmatch(statement):
        made.pop(found[1], None)
    elif (found := _FILL.fullmatch(statement)) and made.keys() >= set(filter(None, found.groups())):
        pass  # of nothing comes nothing
    elif (found := _OF_ROWS.fullmatch(statement)) and found[1] in made:
        pass  # nor has it an order, or columns to fill
    elif (found := _ADD.fullmatch(statement)) and found[1] in made:
        return _add(made, found[1], _NEXT.split(found[2]))
    elif (found := _SET.fullmatch(statement)) and found[1] in made:
        return _add_settings(made, found[1], found[2])
    else:
        return False
    return True


def _add(made: dict[str, str], table: str, clauses: list[str]) -> bool:
    whole = made[table]
    for clause in clauses:
        after = _AFTER.search(clause)
        added = _ADDED.fullmatch(clause[: after.start()] if after else clause)
        if added is None or _FIRST.search(clause):
            return False
        end = _end_of_column(whole, after[1]) if after else _end_of_all(whole, added[1])
        if end < 0:
            return False
        entry = added[2] if added[1] == "COLUMN" else f"{added[1]} {added[2]}"
        whole = f"{whole[:end]},\n    {entry}{whole[end:]}"
    made[table] = whole
    return True


def _end_of_all(whole: str, kind: str) -> int:
    found = _END[kind].search(whole)
    return found.start() if found else -1


def _end_of_column(whole: str, name: str) -> int:
    """Behind the definition of a column in CREATE TABLE; -1 if there is none of that name."""
    found = re.search(rf"\n    {name} ", whole)
    depth = 0
    for mark in _MARKS.finditer(whole, found.end()) if found else ():
        if depth == 0 and mark[0] in (",", ")"):
            return len(whole[: mark.start()].rstrip())
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
    return -1


def _add_settings(made: dict[str, str], table: str, settings: str) -> bool:
    before, named, known = made[table].partition("\nSETTINGS ")
    if set(_SETTING.findall(settings)) & set(_SETTING.findall(known)):
        return False
    made[table] = f"{before}\nSETTINGS {known + ', ' if named else ''}{settings}"
    return True
