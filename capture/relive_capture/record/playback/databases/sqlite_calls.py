"""sqlite3: a connection to a recorded file is one to an empty database in memory, whose cursors answer from
the recording. Databases of the function's own are what they are."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.databases.answering import asked, exception
from relive_capture.record.recording.databases.sqlite_parts import (
    StandIn,
    file_of,
    in_memory,
    path_of,
    with_factory,
)
from relive_capture.record.recording.databases.subclassing import below

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer

__all__ = ["play"]

_ERRORS: Final = ("sqlite3", "builtins")
_SCHEME: Final = "sqlite:///"
_MANY: Final = 1_000
_ABSENT: Final = object()
_FACTORY_OF: Final[Any] = vars(sqlite3.Cursor)["row_factory"]
_ROWCOUNT_OF: Final[Any] = vars(sqlite3.Cursor)["rowcount"]
_LASTROWID_OF: Final[Any] = vars(sqlite3.Cursor)["lastrowid"]


def play(player: PlayedCalls, module: ModuleType) -> None:
    """Have sqlite3.connect make connections that are played."""
    names = {"_relive_player": player, "_relive_opened": set()}
    connection = type("Connection", (PlayedConnection,), names)
    made: dict[Any, Any] = {}
    with_factory(module, lambda cls: below(cls, connection, sqlite3.Connection, made), player.undo.set)


def _target_of(player: PlayedCalls, path: str) -> str:
    """The recorded file: the same one, or the only one of that name, as the code may be elsewhere now."""
    target = f"{_SCHEME}{file_of(path)}"
    if player.recorded_calls.has_values(target):
        return target
    name = os.path.basename(file_of(path))
    found = [
        other
        for other in player.recorded_calls.targets(_SCHEME)
        if os.path.basename(other) == name and not os.path.exists(file_of(path))
    ]
    return found[0] if len(found) == 1 else ""


def _own(path: str) -> bool:
    """Whether it is in a folder of this process, and not there yet."""
    place = os.path.realpath(file_of(path))
    folders = (tempfile.gettempdir(), os.getcwd())
    return any(place.startswith(os.path.realpath(folder) + os.sep) for folder in folders)


def _raise(value: Any, connection: Any) -> None:
    raised = value["raises"]
    connection._relive_follow(raised)
    error = exception(raised, _ERRORS)
    for name in ("sqlite_errorcode", "sqlite_errorname"):
        if name in raised:
            setattr(error, name, raised[name])
    raise error


class PlayedConnection(StandIn):
    """A connection that is played, or one of the function's own."""

    _relive_player: Any = None
    _relive_opened: set[str]  # files of the function's own
    _relive_tx = False
    _relive_changes = 0

    def __init__(self, database: Any, *arguments: Any, **options: Any) -> None:
        path = path_of(database)
        if not path or in_memory(path):
            super().__init__(database, *arguments, **options)
            return
        target = _target_of(self._relive_player, path)
        if target:
            self._relive_target = target
            if self._relive_player.recorded_calls.has_values(target, "connect"):
                value = asked(self._relive_player, "connect", target).next()
                if value is not None and "raises" in value:
                    _raise(value, self)
            options.pop("uri", None)
            super().__init__(":memory:", *arguments, **options)
            return
        if file_of(path) not in self._relive_opened and (not _own(path) or _there(path)):
            raise self._relive_player.refuse(f"the database {path}")
        self._relive_opened.add(file_of(path))
        super().__init__(database, *arguments, **options)

    def _relive_follow(self, value: Any) -> None:
        self._relive_tx = value.get("tx", self._relive_tx)
        self._relive_changes = value.get("changes", self._relive_changes)

    @property
    def in_transaction(self) -> bool:
        return self._relive_tx if self._relive_target else super().in_transaction

    @property
    def total_changes(self) -> int:
        return self._relive_changes if self._relive_target else super().total_changes

    def _relive_unknown(self, name: str) -> None:
        if self._relive_target:
            asked(self._relive_player, name, self._relive_target).next()

    def _relive_ends(self, method: str, end: Callable[[], Any]) -> Any:
        result = end()
        if self._relive_target and self._relive_tx:
            value = asked(self._relive_player, method, self._relive_target).next()
            if "raises" in value:
                _raise(value, self)
            self._relive_follow(value)
        return result


def _there(path: str) -> bool:
    try:
        return os.stat(file_of(path)).st_size > 0
    except (OSError, ValueError):
        return False


class PlayedCursor(sqlite3.Cursor):
    """A cursor that answers from the recording."""

    connection: Any
    _relive_answer: TypedAnswer | None = None
    _relive_head: dict[str, Any] | None = None

    @property
    def rowcount(self) -> Any:
        return _ROWCOUNT_OF.__get__(self) if self._relive_head is None else self._relive_head["rowcount"]

    @property
    def lastrowid(self) -> Any:
        head = self._relive_head
        return _LASTROWID_OF.__get__(self) if head is None else head["lastrowid"]

    def execute(self, sql: Any, parameters: Any = (), /) -> Any:
        return self._relive_run("execute", sql, parameters or None)

    def executemany(self, sql: Any, parameters: Any, /) -> Any:
        sent = list(parameters)[:_MANY]
        return self._relive_run(
            "executemany", sql, sent if sent or type(parameters) in (list, tuple) else None
        )

    def executescript(self, sql: Any, /) -> Any:
        return self._relive_run("executescript", sql, None)

    def _relive_run(self, method: str, sql: Any, parameters: Any) -> Any:
        connection: Any = self.connection
        super().execute("")  # raises what a closed one raises
        self._relive_answer = found = asked(
            connection._relive_player, method, connection._relive_target, sql, parameters
        )
        self._relive_rows: deque[tuple[Any, ...]] = deque()
        self._relive_head = None
        try:
            head = self._relive_next()
        except BaseException:
            self._relive_answer = None
            raise
        connection._relive_follow(head)
        self._relive_head = head
        columns = head.get("columns")
        if columns is None:
            self._relive_answer = None
        else:
            shown = ", ".join('NULL AS "' + str(name).replace('"', '""') + '"' for name in columns)
            super().execute(f"SELECT {shown} LIMIT 0")  # names alone; none of them is a value
            self._relive_answer = found
        return self

    def _relive_next(self) -> Any:
        assert self._relive_answer is not None
        value = self._relive_answer.next()
        if "raises" in value:
            _raise(value, self.connection)
        return value

    def _relive_row(self) -> Any:
        """The next row, or None after the last."""
        while not self._relive_rows:
            if self._relive_answer is None:
                return None
            value = self._relive_next()
            if "end" in value:
                self._relive_answer = None
                self.connection._relive_follow(value)
                assert self._relive_head is not None
                self._relive_head["rowcount"] = value["rowcount"]
                return None
            self._relive_rows += [tuple(row) for row in value["rows"]]
        row = self._relive_rows.popleft()
        factory = _FACTORY_OF.__get__(self)
        return row if factory is None else factory(self, row)

    def fetchone(self) -> Any:
        none = super().fetchone()  # raises what a closed one raises
        return none if self._relive_head is None else self._relive_row()

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def fetchmany(self, size: Any = _ABSENT) -> Any:
        wanted = self.arraysize if size is _ABSENT else size
        found: list[Any] = []
        while len(found) < wanted:
            row = self.fetchone()
            if row is None:
                break
            found.append(row)
        return found

    def fetchall(self) -> Any:
        return list(self)


PlayedConnection._relive_cursors = PlayedCursor
