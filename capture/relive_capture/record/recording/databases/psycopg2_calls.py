"""psycopg2: connections and cursors of subclasses, with our methods below the function's and above C's."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.databases.pg_results import PARAMETERS, target_of
from relive_capture.record.recording.databases.queries import (
    answer,
    asks,
    begin,
    exception_parts,
    rows,
    statement_text,
)
from relive_capture.record.recording.databases.subclassing import below, described_as
from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder
from relive_capture.typed_values import Kind, ValueCodec

__all__ = ["DIAG", "KINDS", "cells_of", "copy_statement", "dsn_target", "record", "sql_text", "with_factory"]

_extensions: Any = importlib.import_module("psycopg2.extensions")  # the function has imported it

LIBRARY: Final = "psycopg2"
DIAG: Final = (
    "column_name", "constraint_name", "context", "datatype_name", "internal_position", "internal_query",
    "message_detail", "message_hint", "message_primary", "schema_name", "severity", "severity_nonlocalized",
    "source_file", "source_function", "source_line", "sqlstate", "statement_position", "table_name",
)  # fmt: skip
_MANY: Final = 1_000
_READY: Final = 1
_EXECUTE: Final = ("query", "vars")
_EXECUTEMANY: Final = ("query", "vars_list")
_CALLPROC: Final = ("procname", "parameters")
_COPY_EXPERT: Final = ("sql", "file", "size")
_COPY_TO: Final = ("file", "table", "sep", "null", "columns")
_COPY_FROM: Final = ("file", "table", "sep", "null", "size", "columns")


def _range_parts(value: Any) -> object:
    return [value.lower, value.upper, value._bounds]


def _range_made(cls: Any, parts: Any) -> object:
    return cls(empty=True) if parts[2] is None else cls(*parts)


KINDS: Final = tuple(
    Kind(name.lower(), f"psycopg2._range.{name}", _range_parts, _range_made)
    for name in ("NumericRange", "DateRange", "DateTimeRange", "DateTimeTZRange")
)
CODEC: Final = ValueCodec(*KINDS)


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Have psycopg2.connect make connections that are recorded."""
    connection = type("connection", (RecordedConnection,), {"_relive_recorder": recorder})
    made: dict[Any, Any] = {}
    with_factory(module, lambda cls: below(cls, connection, _c_class("connection"), made), setattr)


def _c_class(name: str) -> Any:
    return getattr(sys.modules["psycopg2.extensions"], name)


def with_factory(
    module: Any, factory_of: Callable[[Any], Any], put: Callable[[Any, str, object], None]
) -> None:
    """What psycopg2.connect calls, with another factory. A connection that is asynchronous stays as it is."""
    connect = module._connect

    def recorded(dsn: Any, connection_factory: Any = None, **options: Any) -> Any:
        factory = connection_factory
        if not options.get("async") and not options.get("async_"):
            factory = factory_of(factory or _c_class("connection"))
        with UNSEEN:
            return connect(dsn, connection_factory=factory, **options)

    put(module, "_connect", recorded)


def sql_text(query: Any, cursor: Any) -> str:
    """A statement as text; of a composed one its SQL."""
    if not isinstance(query, str | bytes) and hasattr(query, "as_string"):
        try:
            query = query.as_string(cursor)
        except Exception:
            return "<composed>"
    return statement_text(query)


def copy_statement(kind: str, table: Any, columns: Any = None) -> str:
    """What copy_to and copy_from do, in SQL's words."""
    names = f" ({', '.join(map(str, columns))})" if columns else ""
    return f"COPY {table}{names} {'TO STDOUT' if kind == 'copy_to' else 'FROM STDIN'}"


def cells_of(row: Any) -> Any:
    """The cells of a row of any of the library's kinds."""
    if type(row) is tuple:
        return row
    if isinstance(row, list):
        return list(list.__iter__(row))
    if isinstance(row, dict):
        return list(dict.values(row))
    return list(tuple.__iter__(row)) if isinstance(row, tuple) else [row]


def dsn_target(dsn: Any) -> str:
    """Host, port and database of a connection string, in both of its forms."""
    text = dsn if isinstance(dsn, str) else ""
    if "://" not in text:
        return target_of(None, text)
    try:
        found = sys.modules["psycopg2.extensions"].parse_dsn(text)
    except Exception:
        return target_of(None, "")
    return target_of(None, " ".join(f"{key}='{value}'" for key, value in found.items()))


def _facts(connection: Any) -> dict[str, object]:
    found = {name: connection.get_parameter_status(name) for name in PARAMETERS}
    return {
        "parameters": {name: value for name, value in found.items() if value},
        "version": connection.server_version,
        "protocol": connection.protocol_version,
        "encoding": connection.encoding,
        "backend": connection.get_backend_pid(),
        "status": connection.status,
        "dsn": {key: value for key, value in connection.get_dsn_parameters().items() if value},
    }


def _fails(call: Call, error: BaseException, connection: Any = None) -> None:
    if call.raw.failure is not None:
        return
    call.failed(error, "")
    if not isinstance(error, Exception):
        return
    found = exception_parts(error)
    for name in ("pgcode", "pgerror"):
        found[name] = getattr(error, name, None)
    diag = getattr(error, "diag", None)
    found["diag"] = {name: value for name in DIAG if (value := getattr(diag, name, None)) is not None}
    if connection is not None:
        found["status"], found["closed"] = connection.status, connection.closed
    answer(call, {"raises": found}, CODEC)


class RecordedConnection(_extensions.connection):  # type: ignore[misc]
    """A connection that is recorded."""

    _relive_recorder: Any = None
    _relive_made: Final[dict[Any, Any]] = {}
    _relive_target = ""
    _relive_seen: CallRecording | None = None
    _relive_facts: dict[str, object] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._relive_target = dsn_target(arguments[0] if arguments else options.get("dsn"))
        kept_calls = self._relive_recorder.kept_calls
        call = None
        if kept_calls is not None:
            call = begin(kept_calls, LIBRARY, self._relive_target, "connect")
        try:
            super().__init__(*arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                _fails(call, error)
            raise
        if call is None:
            return
        self._relive_seen = kept_calls
        facts = self._relive_facts = _facts(self)
        answer(call, lambda: facts)

    def _relive_call(self, method: str, statement: Any = "") -> Call | None:
        kept_calls = self._relive_recorder.kept_calls
        if kept_calls is None or self.closed:
            return None
        if self._relive_seen is not kept_calls:
            self._relive_seen = kept_calls
            facts = self._relive_facts = self._relive_facts or _facts(self)
            answer(begin(kept_calls, LIBRARY, self._relive_target, "open"), lambda: facts)
        return begin(kept_calls, LIBRARY, self._relive_target, method, statement)

    def cursor(self, name: Any = None, cursor_factory: Any = None, *arguments: Any, **options: Any) -> Any:
        factory = cursor_factory or self.cursor_factory or _extensions.cursor
        factory = below(factory, RecordedCursor, _extensions.cursor, self._relive_made)
        try:
            return super().cursor(name, factory, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            raise

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

    def _relive_ends(self, method: str, end: Callable[[], None]) -> None:
        call = None if self.status == _READY else self._relive_call(method)
        if call is None:
            end()
            return
        try:
            end()
        except BaseException as error:
            _fails(call, error, self)
            raise
        answer(call, {"status": self.status})


class _Copied:
    """A file that COPY writes to, and what it wrote."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.data: list[Any] = []

    def write(self, data: Any) -> Any:
        """To both."""
        self.data.append(data)
        with UNSEEN:
            return self._file.write(data)


class _CopiedText(_Copied, io.TextIOBase):
    """The same for text."""


def _fits(
    arguments: tuple[Any, ...], options: dict[str, Any], names: tuple[str, ...], needed: int = 1
) -> bool:
    """Whether a method with such parameters takes them, of which it needs the first ones."""
    count = len(arguments)
    if count > len(names) or count + len(options) < needed:
        return False
    return not options or options.keys() <= set(names[count:])


def _first_two(
    arguments: tuple[Any, ...], options: dict[str, Any], first: str, second: str
) -> tuple[Any, Any]:
    """What was given for the first two parameters, by place or by name; None for what was not."""
    return (
        arguments[0] if arguments else options.get(first),
        arguments[1] if len(arguments) > 1 else options.get(second),
    )


def _with(
    arguments: tuple[Any, ...], options: dict[str, Any], at: int, name: str, value: Any
) -> tuple[Any, ...]:
    """The same arguments with another value for one parameter, if it was given."""
    if len(arguments) > at:
        return (*arguments[:at], value, *arguments[at + 1 :])
    if name in options:
        options[name] = value
    return arguments


class RecordedCursor(_extensions.cursor):  # type: ignore[misc]
    """A cursor that is recorded."""

    _relive_call: Call | None = None
    _relive_named = False  # whether the columns of a named one have been told

    # What is wrong with their arguments, C says.

    def execute(self, *arguments: Any, **options: Any) -> Any:
        run = super().execute
        query, parameters = _first_two(arguments, options, "query", "vars")
        try:
            if not _fits(arguments, options, _EXECUTE):
                return run(*arguments, **options)
            return self._relive_run("execute", query, parameters, partial(run, *arguments, **options))
        except BaseException as error:
            without_this_frame(error)
            raise

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        run = super().executemany
        query, given = _first_two(arguments, options, "query", "vars_list")
        with UNSEEN:
            if not _fits(arguments, options, _EXECUTEMANY, 2):
                return run(*arguments, **options)
            if type(given) not in (list, tuple):
                given = list(given)
            return self._relive_run("executemany", query, list(given[:_MANY]), lambda: run(query, given))

    def callproc(self, *arguments: Any, **options: Any) -> Any:
        run = super().callproc
        name, given = _first_two(arguments, options, "procname", "parameters")
        with UNSEEN:
            if not _fits(arguments, options, _CALLPROC):
                return run(*arguments, **options)
            return self._relive_run("callproc", name, given, partial(run, *arguments, **options))

    def copy_expert(self, *arguments: Any, **options: Any) -> Any:
        run = super().copy_expert
        sql, file = _first_two(arguments, options, "sql", "file")

        def other(copied: Any) -> Any:
            return run(*_with(arguments, options, 1, "file", copied), **options)

        with UNSEEN:
            if not _fits(arguments, options, _COPY_EXPERT, 2):
                return run(*arguments, **options)
            return self._relive_copy("copy_expert", sql, file, other)

    def copy_to(self, *arguments: Any, **options: Any) -> Any:
        run = super().copy_to
        file, table = _first_two(arguments, options, "file", "table")

        def other(copied: Any) -> Any:
            return run(*_with(arguments, options, 0, "file", copied), **options)

        with UNSEEN:
            if not _fits(arguments, options, _COPY_TO, 2):
                return run(*arguments, **options)
            statement = copy_statement("copy_to", table, options.get("columns"))
            return self._relive_copy("copy_to", statement, file, other)

    def copy_from(self, *arguments: Any, **options: Any) -> Any:
        run = super().copy_from
        file, table = _first_two(arguments, options, "file", "table")
        with UNSEEN:
            if not _fits(arguments, options, _COPY_FROM, 2):
                return run(*arguments, **options)
            statement = copy_statement("copy_from", table, options.get("columns"))
            return self._relive_copy("copy_from", statement, file, lambda _other: run(*arguments, **options))

    def _relive_copy(self, method: str, sql: Any, file: Any, run: Callable[[Any], Any]) -> Any:
        copied: Any = file
        if (hasattr(file, "write") and not hasattr(file, "read")) or " to " in str(sql).lower():
            copied = _CopiedText(file) if isinstance(file, io.TextIOBase) else _Copied(file)
        result = self._relive_run(method, sql, None, lambda: run(copied))
        call = self._relive_call
        if call is not None and isinstance(copied, _Copied):
            for data in copied.data:
                answer(call, {"data": data})
        return result

    def _relive_run(self, method: str, query: Any, parameters: Any, run: Callable[[], Any]) -> Any:
        connection = self.connection
        self._relive_named = False
        call = self._relive_call = (
            None if self.closed else connection._relive_call(method, sql_text(query, self))
        )
        if call is None:
            return run()
        try:
            if parameters is not None:
                asks(call, parameters, CODEC)
            result = run()
        except BaseException as error:
            self._relive_call = None
            _fails(call, error, connection)
            raise
        self._relive_told(call, connection)
        return result

    def _relive_told(self, call: Call, connection: Any) -> None:
        call.timed()
        description, rowcount = self.description, self.rowcount
        message, last, status = self.statusmessage, self.lastrowid, connection.status

        def head() -> dict[str, object]:
            found: dict[str, object] = {
                "rowcount": rowcount,
                "message": message,
                "lastrowid": last,
                "status": status,
            }
            if description is not None:
                found["columns"] = [
                    [*column, column.table_oid, column.table_column] for column in description
                ]
            return found

        answer(call, head)

    # -------------------------------------------------------- rows

    def fetchone(self, *arguments: Any, **options: Any) -> Any:
        fetch = super().fetchone
        try:
            if arguments or options:
                return fetch(*arguments, **options)  # it raises
            return self._relive_fetch(fetch, one=True)
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
        try:
            return self._relive_fetch(partial(fetch, *arguments, **options))
        except BaseException as error:
            without_this_frame(error)
            raise

    def fetchall(self, *arguments: Any, **options: Any) -> Any:
        fetch = super().fetchall
        try:
            if arguments or options:
                return fetch(*arguments, **options)  # it raises
            return self._relive_fetch(fetch, whole=True)
        except BaseException as error:
            without_this_frame(error)
            raise

    def _relive_fetch(self, fetch: Callable[[], Any], *, one: bool = False, whole: bool = False) -> Any:
        call = self._relive_call
        if call is None or not call.kept_calls.open:
            return fetch()
        try:
            found = fetch()
        except StopIteration:
            self._relive_end(call)
            raise
        except BaseException as error:
            _fails(call, error, self.connection)
            raise
        if self.name and not self._relive_named:
            self._relive_named = True
            self._relive_told(call, self.connection)
        if found is None or (not one and not found):
            self._relive_end(call)
        else:
            rows(call, [cells_of(found)] if one else [cells_of(row) for row in found], CODEC)
            if whole:
                self._relive_end(call)
        return found

    def _relive_end(self, call: Call) -> None:
        end = {"end": True, "rowcount": self.rowcount}
        answer(call, lambda: end)

    def nextset(self, *arguments: Any, **options: Any) -> Any:
        with UNSEEN:
            found = super().nextset(*arguments, **options)
        if self._relive_call is not None and found:
            self._relive_told(self._relive_call, self.connection)
        return found


described_as(RecordedConnection, _extensions.connection)
described_as(RecordedCursor, _extensions.cursor)
