"""PyMySQL: at the commands that connections send and the results that they read, below its cursors."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.databases.queries import answer, asks, begin, fails, rows
from relive_capture.record.recording.recorded import INSIDE, Call, CallRecordingHolder

__all__ = ["ASKED", "CALL", "METHODS", "around_cursors", "record", "target_of"]

LIBRARY: Final = "pymysql"
CALL: Final = "_relive_call"  # on a connection: the call whose results it reads
ASKED: Final = "_relive_asked"  # on a connection: the statement and parameters that a cursor was given
_CONNECTING: Final = "_relive_connecting"
METHODS: Final = {2: "select_db", 3: "execute", 14: "ping"}


def target_of(connection: Any) -> str:
    """Host, port and database."""
    place = connection.unix_socket or f"{connection.host}:{connection.port}"
    database = connection.db
    name = database.decode("utf-8", "replace") if isinstance(database, bytes) else database or ""
    return f"mysql://{place}/{name}"


def record(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Copy what connections of pymysql.connections send and read."""
    import sys

    cls = module.Connection
    _patch_connect(recorder, cls)
    _patch_commands(recorder, cls)
    _patch_results(module.MySQLResult)
    around_cursors(sys.modules["pymysql.cursors"].Cursor, setattr)


def _patch_connect(recorder: CallRecordingHolder, cls: Any) -> None:
    connect = cls.connect

    @wraps(connect)
    def recorded(self: Any, sock: Any = None) -> Any:
        kept_calls = recorder.kept_calls
        if kept_calls is None or INSIDE.get():
            with UNSEEN:
                return connect(self, sock)
        call = begin(kept_calls, LIBRARY, target_of(self), "connect")
        token = INSIDE.set(True)
        self.__dict__[_CONNECTING] = True
        try:
            result = connect(self, sock)
        except BaseException as error:
            without_this_frame(error)
            fails(call, error)
            raise
        finally:
            INSIDE.reset(token)
            self.__dict__.pop(_CONNECTING, None)
            self.__dict__.pop(CALL, None)
        answer(call, _facts(self))
        return result

    cls.connect = recorded


def _facts(connection: Any) -> dict[str, object]:
    thread = getattr(connection, "server_thread_id", None) or (0,)
    return {
        "server_version": getattr(connection, "server_version", ""),
        "thread": thread[0],
        "status": getattr(connection, "server_status", 2),
        "capabilities": getattr(connection, "server_capabilities", 0),
        "charset": getattr(connection, "server_charset", ""),
        "language": getattr(connection, "server_language", 0),
        "protocol": getattr(connection, "protocol_version", 10),
    }


def _patch_commands(recorder: CallRecordingHolder, cls: Any) -> None:
    execute, read_ok = cls._execute_command, cls._read_ok_packet

    @wraps(execute)
    def recorded(self: Any, command: Any, sql: Any) -> Any:
        state = self.__dict__
        kept_calls = recorder.kept_calls
        if kept_calls is None or _CONNECTING in state or self._sock is None:
            call = None
            state.pop(CALL, None)
        else:
            statement, parameters = state.get(ASKED) or (sql, None)
            call = begin(kept_calls, LIBRARY, target_of(self), METHODS.get(command, str(command)), statement)
            if parameters is not None:
                asks(call, parameters)
            state[CALL] = call
        try:
            return execute(self, command, sql)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                _lost(call, self, error)
            raise

    @wraps(read_ok)
    def recorded_ok(self: Any) -> Any:
        call: Call | None = self.__dict__.get(CALL)
        try:
            found = read_ok(self)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                _lost(call, self, error)
            raise
        if call is not None:
            status = found.server_status
            answer(call, {"affected": found.affected_rows, "insert_id": found.insert_id, "status": status})
        return found

    cls._execute_command = recorded
    cls._read_ok_packet = recorded_ok


def _lost(call: Call, connection: Any, error: BaseException) -> None:
    fails(call, error, {"closed": connection is not None and connection._sock is None})


def _kept(self: Any, original: Any, *, unbuffered: bool = False) -> Any:
    connection = self.connection
    call: Call | None = None if connection is None else connection.__dict__.get(CALL)
    if call is None:
        return original(self)
    try:
        result = original(self)
    except BaseException as error:
        _lost(call, connection, error)
        raise
    _answered(call, self)
    if unbuffered and self.unbuffered_active:
        self.__dict__[CALL] = call
    return result


def _patch_results(cls: Any) -> None:
    read, unbuffered, next_row = (
        cls.read,
        cls.init_unbuffered_query,
        cls._read_rowdata_packet_unbuffered,
    )

    @wraps(read)
    def recorded(self: Any) -> Any:
        try:
            return _kept(self, read)
        except BaseException as error:
            without_this_frame(error)
            raise

    @wraps(unbuffered)
    def recorded_unbuffered(self: Any) -> Any:
        try:
            return _kept(self, unbuffered, unbuffered=True)
        except BaseException as error:
            without_this_frame(error)
            raise

    @wraps(next_row)
    def recorded_row(self: Any) -> Any:
        call: Call | None = self.__dict__.get(CALL)
        connection = self.connection
        try:
            row = next_row(self)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                _lost(call, connection, error)
            raise
        if call is None:
            return row
        if row is None:
            answer(call, {"end": True, "warnings": self.warning_count, "more": bool(self.has_next)})
            self.__dict__.pop(CALL)
        else:
            rows(call, (row,))
        return row

    cls.read = recorded
    cls.init_unbuffered_query = recorded_unbuffered
    cls._read_rowdata_packet_unbuffered = recorded_row


def _answered(call: Call, result: Any) -> None:
    """A result's head, and its rows."""
    call.timed()
    affected, insert_id, status = result.affected_rows, result.insert_id, result.server_status
    warnings, message, more = result.warning_count, result.message, bool(result.has_next)
    description = result.description
    fields = getattr(result, "fields", ())

    def head() -> dict[str, object]:
        found: dict[str, object] = {
            "affected": affected,
            "insert_id": insert_id,
            "status": status,
            "warnings": warnings,
            "message": message,
            "more": more,
        }
        if description is not None:
            found["columns"] = [
                [*column, field.table_name] for column, field in zip(description, fields, strict=False)
            ]
        return found

    answer(call, head)
    if result.rows:
        rows(call, result.rows)


def around_cursors(cls: Any, put: Any) -> None:
    """Note the statement and its parameters before they become one text. `put` sets an attribute."""
    execute, executemany = cls.execute, cls.executemany

    @wraps(execute)
    def noted(self: Any, query: Any, args: Any = None) -> Any:
        connection = self.connection
        own = args is not None and connection is not None and connection.__dict__.get(ASKED) is None
        if own:
            connection.__dict__[ASKED] = (query, args)
        try:
            return execute(self, query, args)
        except BaseException as error:
            without_this_frame(error)
            raise
        finally:
            if own:
                connection.__dict__.pop(ASKED, None)

    @wraps(executemany)
    def noted_many(self: Any, query: Any, args: Any) -> Any:
        connection = self.connection
        own = connection is not None and args and type(args) in (list, tuple)
        if own:
            connection.__dict__[ASKED] = (query, list(args))
        try:
            return executemany(self, query, args)
        except BaseException as error:
            without_this_frame(error)
            raise
        finally:
            if own:
                connection.__dict__.pop(ASKED, None)

    put(cls, "execute", noted)
    put(cls, "executemany", noted_many)
