"""sqlite3: files that were there before are read as from a server, and recorded; a database in memory, and a
file that the invocation itself has made, are the function's own, and run in a replay.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.databases.queries import answer, asks, begin, exception_parts, rows
from relive_capture.record.recording.databases.sqlite_parts import (
    StandIn,
    file_of,
    in_memory,
    path_of,
    with_factory,
)
from relive_capture.record.recording.databases.subclassing import below, described_as
from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder

__all__ = ["record"]

LIBRARY: Final = "sqlite3"
_MANY: Final = 1_000
_THREE: Final = 3
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

    def __init__(self, *arguments: Any, **options: Any) -> None:
        path = path_of(arguments[0] if arguments else options.get("database"))
        kept_calls = self._relive_recorder.kept_calls
        call = None
        if path and not in_memory(path):
            self._relive_target = f"sqlite:///{file_of(path)}"
            if kept_calls is None or _made_now(path):
                self._relive_own = kept_calls
            else:
                call = begin(kept_calls, LIBRARY, self._relive_target, "connect")
        try:
            super().__init__(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                _fails(call, error)
            raise
        if call is not None:
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
        except BaseException as error:
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
        try:
            return self.own(cursor, row)
        except BaseException as error:
            without_this_frame(error)
            raise


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

    # What is wrong with their arguments, C says.

    def execute(self, *arguments: Any, **options: Any) -> Any:
        run = super().execute
        try:
            if options or not 0 < len(arguments) < _THREE:
                return run(*arguments, **options)
            return self._relive_run("execute", arguments, run)
        except BaseException as error:
            without_this_frame(error)
            raise

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        run = super().executemany
        with UNSEEN:
            if options or len(arguments) != _THREE - 1:
                return run(*arguments, **options)
            return self._relive_run("executemany", arguments, run)

    def executescript(self, *arguments: Any, **options: Any) -> Any:
        run = super().executescript
        with UNSEEN:
            if options or len(arguments) != 1:
                return run(*arguments, **options)
            return self._relive_run("executescript", arguments, run)

    def _relive_run(self, method: str, arguments: tuple[Any, ...], run: Callable[..., Any]) -> Any:
        connection: Any = self.connection
        kept_calls = connection._relive_calls()
        self._relive_flush()
        if kept_calls is None:
            self._relive_call = None
            return run(*arguments)
        sql, *rest = arguments
        parameters = rest[0] if rest else ()
        call = begin(kept_calls, LIBRARY, connection._relive_target, method, sql)
        sent: list[Any] = []
        self._relive_call = call
        self._relive_see_rows()
        try:
            if method == "execute":
                if parameters:
                    asks(call, parameters)
            elif method == "executemany":
                if type(parameters) in (list, tuple):
                    asks(call, list(parameters[:_MANY]))
                else:
                    arguments = (sql, _noted(iter(parameters), sent))
            result = run(*arguments)
        except BaseException as error:
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

    def fetchone(self, *arguments: Any) -> Any:
        fetch = super().fetchone
        try:
            return fetch(*arguments) if arguments else self._relive_fetch(fetch, one=True)
        except BaseException as error:
            without_this_frame(error)
            raise

    def __next__(self) -> Any:
        try:
            return self._relive_fetch(super().__next__, one=True)
        except BaseException as error:
            without_this_frame(error)
            raise

    def fetchmany(self, *arguments: Any, **options: Any) -> Any:
        fetch = super().fetchmany
        wanted = arguments[0] if arguments else options.get("size", _ABSENT)
        try:
            return self._relive_fetch(
                lambda: fetch(*arguments, **options), size=self.arraysize if wanted is _ABSENT else wanted
            )
        except BaseException as error:
            without_this_frame(error)
            raise

    def fetchall(self, *arguments: Any) -> Any:
        fetch = super().fetchall
        try:
            return fetch(*arguments) if arguments else self._relive_fetch(fetch)
        except BaseException as error:
            without_this_frame(error)
            raise

    def _relive_fetch(self, fetch: Callable[[], Any], *, one: bool = False, size: Any = None) -> Any:
        call = self._relive_call
        if call is None or not call.kept_calls.open:
            return fetch()
        try:
            found = fetch()
        except StopIteration:
            self._relive_end(call)
            raise
        except BaseException as error:
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


def _noted(parameters: Iterator[Any], sent: list[Any]) -> Iterator[Any]:
    try:
        for item in parameters:
            if len(sent) < _MANY:
                sent.append(item)
            yield item
    except BaseException as error:
        without_this_frame(error)
        raise


def _fails(call: Call, error: BaseException, connection: Any = None) -> None:
    if call.raw.failure is not None or not issubclass(type(error), Exception):
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
described_as(RecordedCursor, sqlite3.Cursor)
