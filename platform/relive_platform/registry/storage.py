"""The registry's table: one SQLite file, written by deploys only."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.wire.messages import FunctionSpec

from relive_platform.registry.alerts import SCHEMA as ALERTS
from relive_platform.registry.alerts import AlertChange, AlertRow, alert_rows, write_alerts
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.model import FunctionVersion
from relive_platform.registry.resources import (
    ResourceChange,
    ResourceRow,
    delete_doomed,
    forget_row,
    read_doomed,
    read_rows,
    write,
)

__all__ = ["RegistryError", "VersionTable"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS versions (
    function TEXT NOT NULL,
    version INTEGER NOT NULL,
    app TEXT NOT NULL,
    fingerprint TEXT NOT NULL,  -- code, configuration and dependencies
    created_ns INTEGER NOT NULL,
    document BLOB NOT NULL,     -- JSON of _Row
    PRIMARY KEY (function, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    function TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS resources (
    name TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    declared INTEGER NOT NULL,  -- whether the application in service still has it
    document BLOB NOT NULL      -- JSON of its configuration
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doomed (
    name TEXT NOT NULL,         -- of a resource whose data is to be deleted
    type TEXT NOT NULL,
    PRIMARY KEY (name, type)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applications (
    app TEXT PRIMARY KEY,
    origin TEXT NOT NULL        -- where it was deployed from last
) WITHOUT ROWID;
"""
_INSERT: Final = "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)"
_POINT: Final = (
    "INSERT INTO latest (function, version, retired) VALUES (?, ?, 0)"
    " ON CONFLICT (function) DO UPDATE SET version = excluded.version, retired = 0"
)
_RETIRE: Final = "UPDATE latest SET retired = 1 WHERE function = ?"
_SERVING: Final = (
    "SELECT v.document FROM versions v JOIN latest l USING (function, version)"
    " WHERE l.retired = 0 ORDER BY function"
)
_ONE: Final = "SELECT document FROM versions WHERE function = ? AND version = ?"
_LATEST: Final = (
    "SELECT v.document FROM versions v JOIN latest l USING (function, version)"
    " WHERE function = ? AND l.retired = 0"
)
_FINGERPRINT: Final = (
    "SELECT v.fingerprint FROM versions v JOIN latest l USING (function, version)"
    " WHERE function = ? AND l.retired = 0"
)
_WITH_CODE: Final = (
    "SELECT document FROM versions WHERE json_extract(CAST(document AS TEXT), '$.spec.code_hash') = ?"
    " ORDER BY created_ns DESC LIMIT 1"
)
_ORIGIN: Final = "SELECT origin FROM applications WHERE app = ?"
_CAME: Final = (
    "INSERT INTO applications (app, origin) VALUES (?, ?)"
    " ON CONFLICT (app) DO UPDATE SET origin = excluded.origin"
)
_BEFORE: Final = (
    "SELECT document FROM versions WHERE function = ? AND version < ? ORDER BY version DESC LIMIT 1"
)
_NUMBER: Final = "SELECT version FROM latest WHERE function = ?"
_NUMBERS: Final = "SELECT version FROM versions WHERE function = ? ORDER BY version"
_HIGHEST: Final = "SELECT coalesce(max(version), 0) FROM versions WHERE function = ?"


class RegistryError(ReliveError):
    """The registry's file cannot be used."""


class _Row(msgspec.Struct):
    """A version as it is kept on disk; folders are relative to the home, so that a home can be moved."""

    spec: FunctionSpec
    config: FunctionConfig
    code_dir: str
    deps_hash: str
    preload: tuple[str, ...]
    created_ns: int


class VersionTable:
    """All versions. Every method may be called from any thread."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        path = home / "registry.db"
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            # A rollback journal, not WAL: a deploy and another process may write, and commits are rare.
            self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA + ALERTS)
        except sqlite3.Error as error:
            raise RegistryError(f"it cannot be opened: {error}", where=str(path)) from error
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(_Row)

    def commit(
        self,
        added: Sequence[tuple[FunctionVersion, str]],
        retired: Sequence[str],
        origins: Mapping[str, str] = {},
        resources: ResourceChange | None = None,
        alerts: AlertChange | None = None,
    ) -> None:
        """Add versions (with their fingerprints) and put them in service, all or none, with their resources
        and alerts.
        `origins`: where their applications came from."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for version, fingerprint in added:
                    self._db.execute(_INSERT, self._values(version, fingerprint))
                    self._db.execute(_POINT, (version.name, version.version))
                for name in retired:
                    self._db.execute(_RETIRE, (name,))
                self._db.executemany(_CAME, origins.items())
                if resources is not None:
                    write(self._db, resources)
                if alerts is not None:
                    write_alerts(self._db, alerts)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _values(self, version: FunctionVersion, fingerprint: str) -> tuple[object, ...]:
        row = _Row(
            spec=msgspec.structs.replace(version.spec, source=""),
            config=msgspec.structs.replace(version.config, source=""),
            code_dir=str(Path(version.code_dir).relative_to(self._home)),
            deps_hash=version.deps_hash,
            preload=version.preload,
            created_ns=version.created_ns,
        )
        spec, created_ns = version.spec, version.created_ns
        return spec.name, spec.version, spec.app, fingerprint, created_ns, self._encoder.encode(row)

    def _read(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def serving(self) -> list[FunctionVersion]:
        """The version in service of every function, by name."""
        return [self._version(document) for (document,) in self._read(_SERVING)]

    def get(self, name: str, version: int) -> FunctionVersion | None:
        """One version; 0 is the one in service."""
        rows = self._read(_ONE, name, version) if version else self._read(_LATEST, name)
        return self._version(rows[0][0]) if rows else None

    def with_code(self, code_hash: str) -> FunctionVersion | None:
        """The newest version of any function that has this code."""
        rows = self._read(_WITH_CODE, code_hash)
        return self._version(rows[0][0]) if rows else None

    def before(self, name: str, version: int) -> FunctionVersion | None:
        """The newest version with a lower number."""
        rows = self._read(_BEFORE, name, version)
        return self._version(rows[0][0]) if rows else None

    def number(self, name: str) -> int:
        """The version in service, or the last one that was; 0 if there was none."""
        rows = self._read(_NUMBER, name)
        return int(rows[0][0]) if rows else 0

    def serve(self, name: str, version: int, resources: ResourceChange) -> None:
        """Put a version that is there in service, with the resources that it needs."""
        with self._lock, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(_POINT, (name, version))
            write(self._db, resources)

    def resources(self) -> list[ResourceRow]:
        """All that were declared and have not been deleted, by name."""
        with self._lock:
            return read_rows(self._db)

    def alerts(self) -> list[AlertRow]:
        """Of the applications in service, by name."""
        with self._lock:
            return alert_rows(self._db)

    def doomed(self) -> list[tuple[str, str]]:
        """Name and type of the resources whose data is to be deleted."""
        with self._lock:
            return read_doomed(self._db)

    def deleted(self, name: str, kind: str) -> None:
        """The data of a doomed resource is gone."""
        with self._lock:
            delete_doomed(self._db, name, kind)

    def forget(self, name: str) -> None:
        """A resource that nobody declares was deleted."""
        with self._lock:
            forget_row(self._db, name)

    def fingerprint(self, name: str) -> str:
        """The fingerprint of the version in service, or ""."""
        rows = self._read(_FINGERPRINT, name)
        return str(rows[0][0]) if rows else ""

    def origin(self, app: str) -> str:
        """Where an application was deployed from last, or ""."""
        rows = self._read(_ORIGIN, app)
        return str(rows[0][0]) if rows else ""

    def numbers(self, name: str) -> list[int]:
        """Of all versions, the lowest first."""
        return [int(row[0]) for row in self._read(_NUMBERS, name)]

    def highest(self, name: str) -> int:
        """The highest number that was ever in service; 0 for none."""
        return int(self._read(_HIGHEST, name)[0][0])

    def _version(self, document: bytes) -> FunctionVersion:
        row = self._decoder.decode(document)
        code_dir = str(self._home / row.code_dir)
        return FunctionVersion(
            spec=msgspec.structs.replace(row.spec, source=code_dir),
            config=row.config,
            code_dir=code_dir,
            deps_dir=str(self._home / "deps" / row.deps_hash) if row.deps_hash else "",
            deps_hash=row.deps_hash,
            preload=row.preload,
            created_ns=row.created_ns,
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
