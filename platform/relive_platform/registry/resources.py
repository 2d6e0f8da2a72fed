"""Which resources the applications in service declare, and what a deploy does to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from relive_platform.registry.application import Application
from relive_platform.registry.application.model import Resource
from relive_platform.registry.model import DeployError
from relive_platform.resources.base import ResourceConfig

__all__ = [
    "ResourceChange",
    "ResourceRow",
    "delete_doomed",
    "forget_row",
    "plan",
    "read_doomed",
    "read_rows",
    "write",
]

_ROWS: Final = "SELECT name, app, declared, document FROM resources ORDER BY name"
_DECLARE: Final = (
    "INSERT INTO resources (name, app, declared, document) VALUES (?, ?, 1, ?) ON CONFLICT (name) DO"
    " UPDATE SET app = excluded.app, declared = 1, document = excluded.document"
)
_UNDECLARE: Final = "UPDATE resources SET declared = 0 WHERE name = ?"
_FORGET: Final = "DELETE FROM resources WHERE name = ?"
_DOOM: Final = "INSERT OR IGNORE INTO doomed (name, type) VALUES (?, ?)"
_DOOMED: Final = "SELECT name, type FROM doomed ORDER BY name"
_DELETED: Final = "DELETE FROM doomed WHERE name = ? AND type = ?"
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[ResourceConfig] = msgspec.json.Decoder(Resource)


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource as the registry has it. `declared`: by an application in service."""

    name: str
    app: str
    declared: bool
    config: ResourceConfig


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What a commit does. `doomed`: name and type of those whose data is to be deleted."""

    app: str = ""
    declared: Mapping[str, ResourceConfig] = field(default_factory=dict)
    gone: Sequence[str] = ()
    doomed: Sequence[tuple[str, str]] = ()
    outside: Mapping[str, str] = field(default_factory=dict)  # of those that are gone: the user's own folder

    def fate(self, name: str) -> str:
        """What becomes of the data of one that is gone."""
        if self.outside.get(name):
            return f"its files are yours, and are kept in {self.outside[name]}"
        return "its data is deleted" if name in dict(self.doomed) else "its data is kept"

    def __bool__(self) -> bool:
        return bool(self.declared or self.gone or self.doomed)


def read_rows(db: sqlite3.Connection) -> list[ResourceRow]:
    """All, by name."""
    return [
        ResourceRow(name, app, bool(declared), _decoder.decode(document))
        for name, app, declared, document in db.execute(_ROWS)
    ]


def read_doomed(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Name and type of those whose data is still to be deleted."""
    return db.execute(_DOOMED).fetchall()


def delete_doomed(db: sqlite3.Connection, name: str, kind: str) -> None:
    """Its data is deleted."""
    db.execute(_DELETED, (name, kind))


def forget_row(db: sqlite3.Connection, name: str) -> None:
    """A resource that nobody declares is no more."""
    db.execute(_FORGET, (name,))


def write(db: sqlite3.Connection, change: ResourceChange) -> None:
    """Within a transaction of the caller's."""
    doomed = {name for name, _ in change.doomed}
    for name in change.gone:
        db.execute(_FORGET if name in doomed else _UNDECLARE, (name,))
    for name, config in change.declared.items():
        db.execute(_DECLARE, (name, change.app, _encoder.encode(config)))
    db.executemany(_DOOM, change.doomed)


def plan(
    application: Application,
    rows: Sequence[ResourceRow],
    *,
    whole: bool = True,
    delete_data: bool = False,
    take_over: bool = False,
) -> ResourceChange:
    """What deploying `application` means for its resources. `whole`: it is all that the application has.

    Data is deleted only with `delete_data`: of what is gone, and of what cannot stay as it is. Raises
    DeployError.
    """
    known = {row.name: row for row in rows}
    where = application.file or str(application.root)
    declared: dict[str, ResourceConfig] = {}
    doomed: list[tuple[str, str]] = []
    for name, config in application.resources.items():
        row = known.get(name)
        if row is not None and row.declared and row.app != application.name and not take_over:
            raise DeployError(
                f"the resource {name!r} is already one of application {row.app!r}",
                where=where,
                hint="give it another name, or deploy with --take-over",
            )
        if row is not None and (why := config.replaces(row.config)):
            if not delete_data:
                raise DeployError(
                    f"the resource {name!r} cannot be changed to this: {why}",
                    where=where,
                    hint="give it another name; or delete its data with --delete-data",
                )
            doomed.append((name, row.config.kind))
        if row is None or not row.declared or row.app != application.name or row.config != config:
            declared[name] = config
    gone = list(_gone(application, rows, whole, forget=delete_data))
    if delete_data:
        doomed += [(name, known[name].config.kind) for name in gone]
    outside = {name: known[name].config.outside() for name in gone}
    return ResourceChange(application.name, declared, gone, doomed, outside)


def _gone(
    application: Application, rows: Sequence[ResourceRow], whole: bool, *, forget: bool
) -> Iterator[str]:
    """Those that the application had and its relive.toml has no more; those of before, too, if they are to
    be forgotten."""
    if whole and application.file:
        for row in rows:
            ours = row.app == application.name and row.name not in application.resources
            if ours and (row.declared or forget):
                yield row.name
