"""Which alerts the applications in service declare."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from relive_platform.alerts.config import AlertConfig
from relive_platform.registry.application import Application
from relive_platform.registry.model import DeployError

__all__ = ["SCHEMA", "AlertChange", "AlertRow", "alert_rows", "plan_alerts", "write_alerts"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alerts (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    document BLOB NOT NULL      -- JSON of its configuration
) WITHOUT ROWID;
"""
_ROWS: Final = "SELECT name, app, document FROM alerts ORDER BY name"
_PUT: Final = (
    "INSERT INTO alerts (name, app, document) VALUES (?, ?, ?) ON CONFLICT (name) DO"
    " UPDATE SET app = excluded.app, document = excluded.document"
)
_DROP: Final = "DELETE FROM alerts WHERE name = ?"
_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AlertConfig)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert of an application in service."""

    name: str
    app: str
    config: AlertConfig


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What a commit does."""

    app: str = ""
    declared: Mapping[str, AlertConfig] = field(default_factory=dict)
    gone: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.declared or self.gone)


def alert_rows(db: sqlite3.Connection) -> list[AlertRow]:
    """All, by name."""
    return [AlertRow(name, app, _decoder.decode(document)) for name, app, document in db.execute(_ROWS)]


def write_alerts(db: sqlite3.Connection, change: AlertChange) -> None:
    """Within a transaction of the caller's."""
    db.executemany(_DROP, [(name,) for name in change.gone])
    rows = [(name, change.app, _encoder.encode(config)) for name, config in change.declared.items()]
    db.executemany(_PUT, rows)


def plan_alerts(
    application: Application, rows: Sequence[AlertRow], *, whole: bool = True, take_over: bool = False
) -> AlertChange:
    """What deploying `application` means for its alerts. `whole`: it is all that the application has. Raises
    DeployError."""
    known = {row.name: row for row in rows}
    declared: dict[str, AlertConfig] = {}
    for name, config in application.alerts.items():
        row = known.get(name)
        if row is not None and row.app != application.name and not take_over:
            raise DeployError(
                f"the alert {name!r} is already one of application {row.app!r}",
                where=application.file or str(application.root),
                hint="give it another name, or deploy with --take-over",
            )
        if row is None or row.app != application.name or row.config != config:
            declared[name] = config
    gone = [
        row.name
        for row in rows
        if whole and application.file and row.app == application.name and row.name not in application.alerts
    ]
    return AlertChange(application.name, declared, gone)
