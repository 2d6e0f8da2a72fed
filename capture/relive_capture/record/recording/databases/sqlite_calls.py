"""sqlite3: files that were there before are read as from a server, and recorded; a database in memory, and a
file that the invocation itself has made, are the function's own, and run in a replay.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from relive_capture.record.recording.databases.queries import answer, asks, begin, exception_parts, rows
from relive_capture.record.recording.databases.sqlite_parts import (
    StandIn,
    file_of,
    in_memory,
    path_of,
    with_factory,
)
from relive_capture.record.recording.databases.subclassing import below
from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder

__all__ = ["record"]

LIBRARY: Final = "sqlite3"
_MANY: Final = 1_000
_TOGETHER: Final = 256  # rows that are handed over at once
_ABSENT: Final = object()
_FACTORY_OF: Final[Any] = vars(sqlite3.Cursor)["row_factory"]


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Have sqlite3.connect make connections that are recorded."""
    connection = type("Connection", (RecordedConnection,), {"_relive_recorder": recorder})
    made: dict[Any, Any] = {}
    with_factory(module, lambda cls: below(cls, connection, sqlite3.Connection, made), setattr)


def _made_now(path: str) -> bool:
    """Whether there was nothing in that file."""
    try:
        return os.stat(file_of(path)).st_size == 0
    except OSError:
        return os.path.isdir(os.path.dirname(os.path.abspath(file_of(path))))
    except ValueError:
        return False


class _Opaque:
    """In the place of an answer that is not recorded."""

    __module__ = "sqlite3"


class RecordedConnection(StandIn):
    """A connection that is recorded."""

    _relive_recorder: Any = None
    _relive_own: CallRecording | None = None  # in which it was made

    def __init__(self, database: Any, *arguments: Any, **options: Any) -> None:
        path = path_of(database)
        kept_calls = self._relive_recorder.kept_calls
        if not path or in_memory(path):
            super().__init__(database, *arguments, **options)
            return
        self._relive_target = f"sqlite:///{file_of(path)}"
        if kept_calls is None or _made_now(path):
            self._relive_own = kept_calls
            super().__init__(database, *arguments, **options)
            return
        call = begin(kept_calls, LIBRARY, self._relive_target, "connect")
        try:
            super().__init__(database, *arguments, **options)
        except Exception as error:
            _fails(call, error)
            raise
        answer(call, None)

    def _relive_calls(self) -> CallRecording | None:
        """Where its calls go; None for one of the function's own."""
        if not self._relive_target:
            return None
        kept_calls = self._relive_recorder.kept_calls
        return None if kept_calls is self._relive_own else kept_calls

    def _relive_unknown(self, name: str) -> None:
        kept_calls = self._relive_calls()
        if kept_calls is not None:
            answer(begin(kept_calls, LIBRARY, self._relive_target, name), _Opaque())

    def _relive_ends(self, method: str, end: Callable[[], Any]) -> Any:
        kept_calls = self._relive_calls()
        if kept_calls is None or not self.in_transaction:
            return end()
        call = begin(kept_calls, LIBRARY, self._relive_target, method)
        try:
            result = end()
        except Exception as error:
            _fails(call, error, self)
            raise
        answer(call, {"tx": self.in_transaction})
        return result


class _Factory:
    """A row factory of the function's, which sees rows as they come, and so do we."""

    __slots__ = ("own", "seen")

    def __init__(self, own: Any, seen: Callable[[tuple[Any, ...]], None]) -> None:
        self.own = own
        self.seen = seen

    def __call__(self, cursor: Any, row: Any) -> Any:
        self.seen(row)
        return self.own(cursor, row)


class RecordedCursor(sqlite3.Cursor):
    """A cursor that is recorded."""

    _relive_call: Call | None = None
    _relive_read: list[Any] | None = None

    @property
    def row_factory(self) -> Any:
        found = _FACTORY_OF.__get__(self)
        return found.own if type(found) is _Factory else found

    @row_factory.setter
    def row_factory(self, factory: Any) -> None:
        _FACTORY_OF.__set__(self, factory)
        self._relive_see_rows()

    def _relive_see_rows(self) -> None:
        """Behind a factory of the function's rows are seen before it has made something of them."""
        factory = _FACTORY_OF.__get__(self)
        if factory is None or factory is sqlite3.Row or type(factory) is _Factory:
            return
        if self._relive_call is not None:
            _FACTORY_OF.__set__(self, _Factory(factory, self._relive_seen))

    def execute(self, sql: Any, parameters: Any = (), /) -> Any:
        return self._relive_run("execute", sql, parameters, super().execute)

    def executemany(self, sql: Any, parameters: Any, /) -> Any:
        return self._relive_run("executemany", sql, parameters, super().executemany)

    def executescript(self, sql: Any, /) -> Any:
        run = super().executescript
        return self._relive_run("executescript", sql, None, lambda sql, _none: run(sql))

    def _relive_run(self, method: str, sql: Any, parameters: Any, run: Callable[[Any, Any], Any]) -> Any:
        connection: Any = self.connection
        kept_calls = connection._relive_calls()
        self._relive_flush()
        if kept_calls is None:
            self._relive_call = None
            return run(sql, parameters)
        call = begin(kept_calls, LIBRARY, connection._relive_target, method, sql)
        sent: list[Any] = []
        if method == "executemany":
            parameters = parameters if type(parameters) in (list, tuple) else _noted(parameters, sent)
        self._relive_call = call
        self._relive_see_rows()
        try:
            if method == "execute":
                if parameters:
                    asks(call, parameters)
            elif method == "executemany" and not sent and type(parameters) in (list, tuple):
                asks(call, list(parameters[:_MANY]))
            result = run(sql, parameters)
        except Exception as error:
            self._relive_call = None
            _fails(call, error, connection)
            raise
        if sent:
            asks(call, sent)
        self._relive_head(call, connection)
        return result

    def _relive_head(self, call: Call, connection: Any) -> None:
        found = self.description
        head: dict[str, object] = {
            "rowcount": self.rowcount,
            "lastrowid": self.lastrowid,
            "tx": connection.in_transaction,
            "changes": connection.total_changes,
        }
        if found is not None:
            head["columns"] = [column[0] for column in found]
        answer(call, lambda: head)

    # -------------------------------------------------------- rows

    def fetchone(self) -> Any:
        return self._relive_fetch(super().fetchone, one=True)

    def __next__(self) -> Any:
        return self._relive_fetch(super().__next__, one=True)

    def fetchmany(self, size: Any = _ABSENT) -> Any:
        fetch = super().fetchmany
        wanted = self.arraysize if size is _ABSENT else size
        return self._relive_fetch(lambda: fetch(wanted), size=wanted)

    def fetchall(self) -> Any:
        return self._relive_fetch(super().fetchall)

    def _relive_fetch(self, fetch: Callable[[], Any], *, one: bool = False, size: Any = None) -> Any:
        call = self._relive_call
        if call is None or not call.kept_calls.open:
            return fetch()
        try:
            found = fetch()
        except StopIteration:
            self._relive_end(call)
            raise
        except Exception as error:
            self._relive_flush()
            _fails(call, error, self.connection)
            raise
        factory = _FACTORY_OF.__get__(self)
        if one:
            if found is None:
                self._relive_end(call)
            elif type(factory) is not _Factory:
                self._relive_seen(found if type(found) is tuple else tuple(found))
            return found
        if type(factory) is not _Factory and found:
            self._relive_flush()
            rows(call, [row if type(row) is tuple else tuple(row) for row in found])
        if size is None or len(found) < size:
            self._relive_end(call)
        return found

    def _relive_seen(self, row: tuple[Any, ...]) -> None:
        read = self._relive_read
        if read is None:
            read = self._relive_read = []
            call = self._relive_call
            if call is not None:
                call.later.append(self._relive_flush_told)
        read.append(row)
        if len(read) >= _TOGETHER:
            self._relive_flush()

    def _relive_flush(self) -> None:
        read, call = self._relive_read, self._relive_call
        self._relive_read = None
        if read and call is not None:
            rows(call, read)

    def _relive_flush_told(self) -> None:
        """The invocation has failed while rows were waiting."""
        read, call = self._relive_read, self._relive_call
        self._relive_read = None
        if read and call is not None:
            before = call.later
            call.later = []
            rows(call, read)
            told, call.later = call.later, before
            for tell in told:
                tell()

    def _relive_end(self, call: Call) -> None:
        self._relive_flush()
        self._relive_call = None
        connection: Any = self.connection
        end = {
            "end": True,
            "rowcount": self.rowcount,
            "tx": connection.in_transaction,
            "changes": connection.total_changes,
        }
        answer(call, lambda: end)


def _noted(parameters: Iterable[Any], sent: list[Any]) -> Iterator[Any]:
    for item in parameters:
        if len(sent) < _MANY:
            sent.append(item)
        yield item


def _fails(call: Call, error: Exception, connection: Any = None) -> None:
    if call.raw.failure is not None:
        return
    call.failed(error, "")
    found = exception_parts(error)
    for name in ("sqlite_errorcode", "sqlite_errorname"):
        if (value := getattr(error, name, None)) is not None:
            found[name] = value
    if connection is not None:
        try:
            found["tx"], found["changes"] = connection.in_transaction, connection.total_changes
        except sqlite3.Error:  # it is closed
            pass
    answer(call, {"raises": found})


RecordedConnection._relive_cursors = RecordedCursor
