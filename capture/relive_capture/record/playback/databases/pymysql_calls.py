"""PyMySQL: its own connections, results and cursors, with recorded answers in the place of packets."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.databases.answering import answered, asked, connection, exception
from relive_capture.record.recording.databases.pymysql_calls import (
    ASKED,
    CALL,
    METHODS,
    around_cursors,
    target_of,
)

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play"]

_ERRORS: Final = ("pymysql.err", "builtins")
_STATUS: Final = 2  # autocommit


class _Silent:
    """In the place of a connection's socket and its file."""

    def close(self) -> None: ...

    def settimeout(self, seconds: float | None) -> None: ...

    def sendall(self, data: bytes) -> None: ...


def play(player: PlayedCalls, module: ModuleType) -> None:
    """Instead of what connections of pymysql.connections send and read."""
    cls, result = module.Connection, module.MySQLResult
    put = player.undo.set
    around_cursors(sys.modules["pymysql.cursors"].Cursor, put)
    put(cls, "connect", _connect(player))
    put(cls, "_execute_command", _command(player))
    put(cls, "_read_ok_packet", _read_ok)
    put(cls, "_read_packet", _read_packet)
    put(result, "read", partial_method(_read, False))
    put(result, "init_unbuffered_query", partial_method(_read, True))
    put(result, "_read_rowdata_packet_unbuffered", _next_row)
    put(result, "_finish_unbuffered_query", _finish)


def partial_method(function: Any, unbuffered: bool) -> Any:
    """As a method."""
    return lambda self: function(self, unbuffered)


def _connect(player: PlayedCalls) -> Any:
    def connect(self: Any, sock: Any = None) -> None:
        found = connection(player, target_of(self))
        facts = {} if found is None else answered(player, found).next()
        if "raises" in facts:
            raise exception(facts["raises"], _ERRORS)
        self._closed = False
        self._sock, self._rfile = _Silent(), _Silent()
        self._next_seq_id = 0
        self.host_info = "socket %s:%d" % (self.host, self.port)  # noqa: UP031
        self.server_version = facts.get("server_version", "")
        self.server_thread_id = (facts.get("thread", 0),)
        self.server_status = facts.get("status", _STATUS)
        self.server_capabilities = facts.get("capabilities", 0)
        self.server_charset = facts.get("charset", "")
        self.server_language = facts.get("language", 0)
        self.protocol_version = facts.get("protocol", 10)

    return connect


def _command(player: PlayedCalls) -> Any:
    def execute(self: Any, command: Any, sql: Any) -> None:
        if not self._sock:
            raise sys.modules["pymysql.err"].InterfaceError(0, "")
        statement, parameters = self.__dict__.get(ASKED) or (sql, None)
        answer = asked(player, METHODS.get(command, str(command)), target_of(self), statement, parameters)
        self.__dict__[CALL] = answer

    return execute


def _item(owner: Any, connection_of: Any) -> Any:
    """The next value of the answer that a connection reads. Raises what it raised."""
    value = owner.__dict__[CALL].next()
    if "raises" in value:
        if value["raises"].get("closed"):
            connection_of._force_close()
        raise exception(value["raises"], _ERRORS)
    return value


def _read_ok(self: Any) -> Any:
    value = _item(self, self)
    self.server_status = value["status"]
    return SimpleNamespace(
        affected_rows=value["affected"], insert_id=value["insert_id"], server_status=value["status"]
    )


def _read_packet(self: Any, packet_type: Any = None) -> Any:
    """After SET NAMES: the one packet that is read and not looked into."""
    return SimpleNamespace(is_ok_packet=lambda: True)


def _read(self: Any, unbuffered: bool) -> None:
    owner = self.connection
    value = _item(owner, owner)
    self.affected_rows, self.insert_id = value["affected"], value["insert_id"]
    self.server_status, self.message = value["status"], value["message"]
    self.warning_count, self.has_next = value["warnings"], value["more"]
    columns = value.get("columns")
    answer = owner.__dict__[CALL]
    if columns is None:
        self.connection = None
        return
    self.field_count = len(columns)
    self.description = tuple(tuple(column[:-1]) for column in columns)
    self.fields = [_Field(column) for column in columns]
    if unbuffered:
        self.unbuffered_active = True
        self.__dict__[CALL] = answer
        return
    self.connection = None
    self.rows = tuple(tuple(row) for row in answer.next()["rows"]) if self.affected_rows else ()


class _Field:
    """A column's head, as much as cursors ask of it."""

    def __init__(self, column: list[Any]) -> None:
        self.name, self.type_code, self.table_name = column[0], column[1], column[-1]
        self._column = tuple(column[:-1])

    def description(self) -> tuple[Any, ...]:
        """As a cursor's description has it."""
        return self._column


def _next_row(self: Any) -> Any:
    if not self.unbuffered_active:
        return None
    value = _item(self, self.connection)
    if "end" in value:
        self.warning_count, self.has_next = value["warnings"], value["more"]
        self.unbuffered_active = False
        self.connection = None
        self.rows = None
        return None
    row = tuple(value["rows"][0])
    self.affected_rows = 1
    self.rows = (row,)
    return row


def _finish(self: Any) -> None:
    """What the function has not read is not read here either."""
    self.unbuffered_active = False
    self.connection = None
