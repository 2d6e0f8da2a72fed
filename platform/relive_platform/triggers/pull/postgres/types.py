"""Types of a database by their oids: domains, arrays, enumerations, extensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from relive_platform.triggers.pull.postgres import statements as sql
from relive_platform.triggers.pull.postgres.values import BUILT_IN, Kind

__all__ = ["TypeBook"]

_TEXT: Final = Kind("text")
_MAX_STEPS: Final = 20  # of domains over domains


class TypeBook:
    """Asks the database once for each type that is not one of PostgreSQL's own scalars."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._rows: dict[int, tuple[str, int, int, str, str]] = {}

    async def learn(self, oids: Iterable[int]) -> None:
        """Know these."""
        wanted = {oid for oid in oids if oid not in BUILT_IN and oid not in self._rows}
        for _ in range(_MAX_STEPS):
            if not wanted:
                return
            cursor = await self._connection.execute(sql.TYPES, (list(wanted),))
            rows = {row[0]: tuple(row[1:]) for row in await cursor.fetchall()}
            self._rows.update({oid: rows.get(oid, ("b", 0, 0, "U", ",")) for oid in wanted})
            more = {part for _, base, element, _, _ in rows.values() for part in (base, element) if part}
            wanted = {oid for oid in more if oid not in BUILT_IN and oid not in self._rows}

    def kind(self, oid: int) -> Kind:
        """How a type is read; as text if nothing else is known."""
        for _ in range(_MAX_STEPS):
            if oid in BUILT_IN:
                return Kind(BUILT_IN[oid])
            found = self._rows.get(oid)
            if found is None:
                return _TEXT
            typtype, base, element, category, delimiter = found
            if typtype == "d":  # a domain reads like what it is over
                oid = base
            elif category == "A" and element:
                inner = self.kind(element)
                return _TEXT if inner.array else Kind(inner.scalar, True, delimiter)
            else:
                return _TEXT
        return _TEXT
