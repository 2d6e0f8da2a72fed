"""Databases as resources: files of SQLite that Relive makes, and what it can say of a PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

from relive_platform.resources.base import (
    Declared,
    ResourceConfig,
    ResourceError,
    ResourceInUse,
    ResourceState,
    UnknownResource,
)
from relive_platform.resources.database.config import SCHEMES, DatabaseConfig
from relive_platform.resources.folders import make_folder, remove_folder, remove_left
from relive_platform.server_urls import AddressError, hide, resolve

__all__ = ["DatabaseProvider"]

_FILE: Final = "database.db"
_ENDINGS: Final = ("", "-wal", "-shm", "-journal")
_FOLDER_MODE: Final = 0o777  # workers may have users of their own; Relive's home is closed to others
_FILE_MODE: Final = 0o666  # SQLite gives its other files the same
_ANSWER_S: Final = 2.0
_TABLES: Final = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_SIZE: Final = "SELECT pg_database_size(current_database())"


class DatabaseProvider:
    """`environment` is the server's: it has the addresses with passwords."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._folders = home.absolute() / "databases"
        self._environment = environment
        self._declared: dict[str, Declared] = {}

    async def apply(self, declared: Sequence[Declared]) -> None:
        """Make files that are not there."""
        self._declared = {entry.name: entry for entry in declared}
        await asyncio.to_thread(remove_left, self._folders)
        problems = []
        for name, entry in self._declared.items():
            config = _config(entry)
            try:
                if not config.url:
                    await asyncio.to_thread(self._make, self._file(name, config), not config.path)
            except (OSError, sqlite3.Error) as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise ResourceError(f"databases could not be made: {'; '.join(problems)}")

    def _make(self, path: Path, ours: bool) -> None:
        """Killed at any time, it goes on at the next start: a file is there when all of this is done."""
        if ours:
            self._folders.mkdir(parents=True, exist_ok=True)
            self._folders.chmod(0o755)
            if not path.parent.is_dir():
                make_folder(path.parent, _FOLDER_MODE)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(draft)) as database:
            database.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
        if ours:
            draft.chmod(_FILE_MODE)
        draft.rename(path)

    def _file(self, name: str, config: DatabaseConfig) -> Path:
        return Path(config.path) if config.path else self._folders / name / _FILE

    def attributes(self, name: str, config: ResourceConfig) -> Mapping[str, str]:
        """Its URL, and the path of a file. The URL is empty while the server's environment has none."""
        assert isinstance(config, DatabaseConfig)
        if config.url:
            try:
                return {"url": resolve(config.url, SCHEMES, self._environment), "path": ""}
            except AddressError:
                return {"url": "", "path": ""}  # the listing says why
        path = self._file(name, config)
        return {"url": f"sqlite:///{path}", "path": str(path)}

    def environment(self, app: str) -> Mapping[str, str]:
        """Nothing beside the attributes."""
        return {}

    def folders(self, config: Mapping[str, ResourceConfig]) -> list[str]:
        """Of an application's resources, the folders that its functions read and write."""
        return [
            str(self._file(name, one).parent)
            for name, one in config.items()
            if isinstance(one, DatabaseConfig) and not one.url
        ]

    async def start(self) -> None:
        """Nothing runs."""

    async def close(self) -> None:
        """Nothing runs."""

    # ------------------------------------------------------------ what people ask

    async def listing(self) -> Sequence[ResourceState]:
        """The declared ones, and files in the home that nobody declares any more."""
        found = await asyncio.gather(*(self._state(entry) for entry in self._declared.values()))
        kept = await asyncio.to_thread(
            lambda: sorted(path.parent.name for path in self._folders.glob(f"[!.]*/{_FILE}"))
        )
        for name in kept:
            if (
                name not in self._declared
                or _config(self._declared[name]).url
                or _config(self._declared[name]).path
            ):
                path = self._folders / name / _FILE
                figures = await asyncio.to_thread(_figures, path)
                found.append(
                    ResourceState(
                        name=name, type="database", state="undeclared", detail="SQLite", figures=figures
                    )
                )
        return found

    async def _state(self, entry: Declared) -> ResourceState:
        config = _config(entry)
        state = ResourceState(name=entry.name, type="database", app=entry.app, detail=config.describe())
        address = ""
        try:
            if config.url:
                address = resolve(config.url, SCHEMES, self._environment)
                state.figures = {"bytes": await _size(address)}
            else:
                path = self._file(entry.name, config)
                state.attributes = {"path": str(path)}
                state.figures = await asyncio.to_thread(_figures, path)
        except Exception as error:
            text = error.message if isinstance(error, ReliveError) else f"{type(error).__name__}: {error}"
            state.state, state.detail = "failed", hide(text.strip(), address)
        return state

    async def purge(self, name: str) -> int:
        """Drop all tables of a file; how many. Raises UnknownResource, ResourceError."""
        path = self._ours(name)
        return await asyncio.to_thread(_emptied, path)

    async def delete(self, name: str) -> None:
        """Delete a file in the home. Raises UnknownResource, ResourceInUse."""
        if name in self._declared:
            app = self._declared[name].app
            raise ResourceInUse(f"application {app!r} declares the database {name!r}")
        folder = self._folders / name
        if not (folder / _FILE).exists():
            raise UnknownResource(f"there is no database {name!r}")
        await asyncio.to_thread(remove_folder, folder)

    def _ours(self, name: str) -> Path:
        entry = self._declared.get(name)
        path = self._folders / name / _FILE if entry is None else self._file(name, _config(entry))
        if entry is not None and _config(entry).url:
            hint = "do it there, with psql"
            raise ResourceError(f"what is in the PostgreSQL {name!r} is not Relive's to delete", hint=hint)
        if not path.exists():
            raise UnknownResource(f"there is no database {name!r}")
        return path


def _config(entry: Declared) -> DatabaseConfig:
    assert isinstance(entry.config, DatabaseConfig)
    return entry.config


def _figures(path: Path) -> dict[str, str | int | float | None]:
    size = sum(os.stat(f"{path}{ending}").st_size for ending in _ENDINGS if os.path.exists(f"{path}{ending}"))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_ANSWER_S)) as database:
        tables = sum(kind == "table" for kind, _ in database.execute(_TABLES))
    return {"tables": tables, "bytes": size}


def _emptied(path: Path) -> int:
    """In one transaction: whoever has the file open sees it."""
    with closing(sqlite3.connect(path, timeout=_ANSWER_S * 5, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        found = [(kind, name) for kind, name in database.execute(_TABLES) if kind in ("table", "view")]
        for kind, name in found:
            quoted = name.replace('"', '""')
            database.execute(f'DROP {kind.upper()} IF EXISTS "{quoted}"')
        database.execute("COMMIT")
        database.execute("VACUUM")
    return sum(kind == "table" for kind, _ in found)


async def _size(address: str) -> int:
    try:
        import psycopg
    except ImportError as error:
        raise ResourceError("how it is cannot be asked", hint="pip install 'relive[postgres]'") from error
    async with asyncio.timeout(_ANSWER_S):
        connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
        async with connection:
            cursor = await connection.execute(_SIZE)
            row = await cursor.fetchone()
    return int(row[0]) if row is not None else 0
