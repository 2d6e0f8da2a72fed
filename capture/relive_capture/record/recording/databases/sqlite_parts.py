"""What a connection of sqlite3 that is recorded and one that is played have in common.

`connect` gets a subclass of the factory that was asked for, with our methods below the function's and above
those in C.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from relive_capture.record.recording.databases.subclassing import below

__all__ = ["StandIn", "file_of", "in_memory", "path_of", "with_factory"]

_FACTORY: Final = 5  # place of `factory` among connect's arguments
_UNKNOWN: Final = ("backup", "serialize", "deserialize", "blobopen")


def with_factory(
    module: Any, factory_of: Callable[[Any], Any], put: Callable[[Any, str, object], None]
) -> None:
    """`connect` of sqlite3, and of the module it comes from, with another factory."""
    connect = module.connect

    @wraps(connect)
    def recorded(*arguments: Any, **options: Any) -> Any:
        if len(arguments) > _FACTORY:
            factory = factory_of(arguments[_FACTORY])
            arguments = (*arguments[:_FACTORY], factory, *arguments[_FACTORY + 1 :])
        else:
            options["factory"] = factory_of(options.get("factory", sqlite3.Connection))
        return connect(*arguments, **options)

    put(module, "connect", recorded)
    inner: Any = sys.modules.get("sqlite3.dbapi2")
    if getattr(inner, "connect", None) is connect:
        put(inner, "connect", recorded)


def path_of(database: Any) -> str:
    """A database's path as text."""
    try:
        return os.fsdecode(database)
    except TypeError:
        return ""


def in_memory(path: str) -> bool:
    """Whether there is no file."""
    return path in ("", ":memory:") or (
        path.startswith("file:") and ("mode=memory" in path or path.startswith("file::memory:"))
    )


def file_of(path: str) -> str:
    """The file that a path, or a URI, names."""
    return path.removeprefix("file:").partition("?")[0] if path.startswith("file:") else path


class StandIn(sqlite3.Connection):
    """Its cursors are of `_relive_cursors`, if it has a target; else it is the function's own."""

    _relive_cursors: Any = sqlite3.Cursor
    _relive_made: dict[Any, Any]
    _relive_target = ""

    def __init_subclass__(cls) -> None:
        cls._relive_made = {}

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        return super().cursor(
            below(factory, self._relive_cursors, sqlite3.Cursor, self._relive_made)
            if self._relive_target
            else factory
        )

    def execute(self, sql: Any, *parameters: Any) -> Any:
        if not self._relive_target:
            return super().execute(sql, *parameters)
        return StandIn.cursor(self).execute(sql, *parameters)  # in C, no method of a subclass is asked

    def executemany(self, sql: Any, *parameters: Any) -> Any:
        if not self._relive_target:
            return super().executemany(sql, *parameters)
        return StandIn.cursor(self).executemany(sql, *parameters)

    def executescript(self, sql: Any, /) -> Any:
        if not self._relive_target:
            return super().executescript(sql)
        return StandIn.cursor(self).executescript(sql)

    def commit(self) -> None:
        self._relive_ends("commit", super().commit)

    def rollback(self) -> None:
        self._relive_ends("rollback", super().rollback)

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        leave = super().__exit__
        return self._relive_ends("exit", lambda: leave(kind, error, traceback))

    def _relive_ends(self, method: str, end: Callable[[], Any]) -> Any:
        """A transaction ends, by `end`."""
        raise NotImplementedError

    def _relive_unknown(self, name: str) -> None:
        """A method is called whose answer nobody knows."""
        raise NotImplementedError


def _unknown(name: str) -> Any:
    original = getattr(sqlite3.Connection, name)

    @wraps(original)
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        self._relive_unknown(name)
        return original(self, *arguments, **options)

    return method


for _name in _UNKNOWN:
    if hasattr(sqlite3.Connection, _name):
        setattr(StandIn, _name, _unknown(_name))
