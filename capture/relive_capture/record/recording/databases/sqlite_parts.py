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

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.databases.subclassing import below, described_as

__all__ = ["StandIn", "file_of", "in_memory", "path_of", "with_factory"]

_FACTORY: Final = 5  # place of `factory` among connect's arguments
_ONE_MORE: Final = 2  # than a cursor takes
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
        with UNSEEN:
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

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """One of ours, below the class of the function's. What is wrong with its arguments, C says."""
        make = super().cursor
        try:
            if self._relive_target and len(arguments) + len(options) < _ONE_MORE:
                factory = arguments[0] if arguments else options.get("factory", sqlite3.Cursor)
                if not options or "factory" in options:
                    return make(below(factory, self._relive_cursors, sqlite3.Cursor, self._relive_made))
            return make(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """In C, no method of a subclass is asked for the cursor."""
        run = StandIn.cursor(self).execute if self._relive_target and arguments else super().execute
        try:
            return run(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        run = StandIn.cursor(self).executemany if self._relive_target and arguments else super().executemany
        try:
            return run(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

    def executescript(self, *arguments: Any, **options: Any) -> Any:
        one = self._relive_target and len(arguments) == 1
        run = StandIn.cursor(self).executescript if one else super().executescript
        with UNSEEN:
            return run(*arguments, **options)

    def commit(self, *arguments: Any, **options: Any) -> Any:
        end = super().commit
        with UNSEEN:
            if arguments or options:
                return end(*arguments, **options)  # it raises
            return self._relive_ends("commit", end)

    def rollback(self, *arguments: Any, **options: Any) -> Any:
        end = super().rollback
        with UNSEEN:
            if arguments or options:
                return end(*arguments, **options)  # it raises
            return self._relive_ends("rollback", end)

    def __exit__(self, *arguments: Any, **options: Any) -> Any:
        leave = super().__exit__
        with UNSEEN:
            return self._relive_ends("exit", lambda: leave(*arguments, **options))

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
        with UNSEEN:
            self._relive_unknown(name)
            return original(self, *arguments, **options)

    return method


for _name in _UNKNOWN:
    if hasattr(sqlite3.Connection, _name):
        setattr(StandIn, _name, _unknown(_name))
described_as(StandIn, sqlite3.Connection)
