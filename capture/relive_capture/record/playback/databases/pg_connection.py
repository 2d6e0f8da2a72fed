"""libpq's connection and result, played: subclasses of psycopg's own, so that what asks for their types finds
them."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.databases.answering import exception, taken
from relive_capture.record.recording.databases.pg_results import parameters_of
from relive_capture.record.recording.databases.pg_values import to_wire

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer

__all__ = ["PlayedConnection", "Waits"]

_pq: Any = importlib.import_module("psycopg.pq")  # the function has imported it
_errors: Any = importlib.import_module("psycopg.errors")
_OK, _BAD = 0, 1
_COMMAND_OK, _TUPLES_OK, _COPY_OUT, _COPY_IN, _FATAL, _PIPELINE_SYNC = 1, 2, 3, 4, 7, 10
_MODULES: Final = ("psycopg", "psycopg.errors", "builtins")
_ENCODINGS: Final = {"UTF8": "utf-8", "LATIN1": "iso8859-1", "SQL_ASCII": "ascii", "WIN1252": "cp1252"}


@dataclass(frozen=True, slots=True)
class Waits:
    """So much time passes before the answer is there; `for_ever`: it was given up."""

    seconds: float
    for_ever: bool = False


class PlayedResult(_pq.PGresult):  # type: ignore[misc]
    """A result from the recording."""

    __module__ = "psycopg.pq"

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value
        self._columns = value.get("columns") or []
        self._rows = value.get("rows") or []
        self._fields = value.get("error") or {}

    def __new__(cls, _value: object) -> PlayedResult:
        return _pq.PGresult.__new__(cls)  # type: ignore[no-any-return]

    def clear(self) -> None: ...

    def __del__(self) -> None: ...

    @property
    def status(self) -> int:
        return int(self._value.get("status", _COMMAND_OK))

    @property
    def error_message(self) -> bytes:
        return str(self._value.get("message", "")).encode()

    def get_error_message(self, encoding: str = "utf-8") -> str:
        shown = self.error_message.decode()
        severity = self._fields.get("S", "")
        return shown.removeprefix(f"{severity}:").strip() or "no error details available"

    def error_field(self, fieldcode: int) -> bytes | None:
        found = self._fields.get(chr(fieldcode))
        return None if found is None else str(found).encode()

    @property
    def ntuples(self) -> int:
        return len(self._rows)

    @property
    def nfields(self) -> int:
        return len(self._columns)

    def fname(self, column_number: int) -> bytes | None:
        return str(self._columns[column_number][0]).encode() if self._has(column_number) else None

    def _has(self, number: int) -> bool:
        return 0 <= number < len(self._columns)

    def _of_column(self, number: int, place: int) -> int:
        return int(self._columns[number][place]) if self._has(number) else 0

    def ftype(self, column_number: int) -> int:
        return self._of_column(column_number, 1)

    def fmod(self, column_number: int) -> int:
        return self._of_column(column_number, 2)

    def fsize(self, column_number: int) -> int:
        return self._of_column(column_number, 3)

    def fformat(self, column_number: int) -> int:
        return self._of_column(column_number, 4)

    def ftable(self, column_number: int) -> int:
        return self._of_column(column_number, 5)

    def ftablecol(self, column_number: int) -> int:
        return self._of_column(column_number, 6)

    @property
    def binary_tuples(self) -> int:
        return self._of_column(0, 4)

    def get_value(self, row_number: int, column_number: int) -> bytes | None:
        column = self._columns[column_number]
        return to_wire(self._rows[row_number][column_number], column[4], column[1])

    @property
    def nparams(self) -> int:
        return 0

    @property
    def command_status(self) -> bytes | None:
        return str(self._value.get("command", "")).encode()

    @property
    def command_tuples(self) -> int | None:
        last = str(self._value.get("command", "")).rpartition(" ")[2]
        return int(last) if last.isdigit() else None

    @property
    def oid_value(self) -> int:
        return 0


class PlayedConnection(_pq.PGconn):  # type: ignore[misc]
    """A connection to nobody."""

    __module__ = "psycopg.pq"

    def __new__(cls, *_arguments: object) -> PlayedConnection:
        return _pq.PGconn.__new__(cls)  # type: ignore[no-any-return]

    def __init__(self, player: PlayedCalls, target: str, conninfo: str, facts: dict[str, Any]) -> None:
        self._player = player
        self._target = target
        self._conninfo = {
            option.keyword.decode(): option.val
            for option in _pq.Conninfo.parse(conninfo.encode())
            if option.val is not None
        }
        self._facts = facts
        self._prepared: dict[bytes, tuple[bytes, Any]] = {}
        self._sent: deque[Any] = deque()  # answers, or results that need none
        self._results: deque[Any] = deque()
        self._copying: Any = None
        self._pipeline = 0
        self._status = _OK
        self._tx = int(facts.get("tx", 0))
        if "raises" in facts:
            raise exception(facts["raises"], _MODULES)

    # -------------------------------------------------------- facts

    nonblocking = 1

    def finish(self) -> None:
        self._status = _BAD

    @property
    def status(self) -> int:
        return self._status

    @property
    def transaction_status(self) -> int:
        return 4 if self._status == _BAD else self._tx

    @property
    def pipeline_status(self) -> int:
        return self._pipeline

    @property
    def error_message(self) -> bytes:
        return b""

    def get_error_message(self, encoding: str = "") -> str:
        return "the connection is lost" if self._status == _BAD else "no error details available"

    def parameter_status(self, name: bytes) -> bytes | None:
        found = (self._facts.get("parameters") or {}).get(name.decode())
        return None if found is None else str(found).encode()

    @property
    def _encoding(self) -> str:
        found = (self.parameter_status(b"client_encoding") or b"UTF8").decode()
        return _ENCODINGS.get(found, "utf-8")

    @property
    def server_version(self) -> int:
        return int(self._facts.get("version", 150000))

    @property
    def backend_pid(self) -> int:
        return int(self._facts.get("backend", 0))

    @property
    def protocol_version(self) -> int:
        return int(self._facts.get("protocol", 3))

    @property
    def full_protocol_version(self) -> int:
        return self.protocol_version * 10_000

    @property
    def socket(self) -> int:
        return -1

    @property
    def used_gssapi(self) -> bool:
        return False

    @property
    def used_password(self) -> bool:
        return "password" in self._conninfo

    @property
    def needs_password(self) -> bool:
        return False

    @property
    def ssl_in_use(self) -> bool:
        return bool(self._facts.get("ssl"))

    @property
    def info(self) -> list[Any]:
        options = _pq.Conninfo.get_defaults()
        found = []
        for option in options:
            option.val = self._conninfo.get(option.keyword.decode(), option.val)
            found.append(option)
        return found

    def _of_target(self, part: int) -> bytes:
        place, _, database = self._target.partition("://")[2].rpartition("/")
        host, _, port = place.rpartition(":")
        return (host, port, database)[part].encode()

    @property
    def host(self) -> bytes:
        return self._of_target(0)

    @property
    def port(self) -> bytes:
        return self._of_target(1)

    @property
    def db(self) -> bytes:
        return self._of_target(2)

    @property
    def hostaddr(self) -> bytes:
        return str(self._facts.get("hostaddr", "")).encode()

    @property
    def user(self) -> bytes:
        return str(self._facts.get("user", "")).encode() or bytes(self._conninfo.get("user", b""))

    @property
    def password(self) -> bytes:
        return bytes(self._conninfo.get("password", b""))

    @property
    def options(self) -> bytes:
        return bytes(self._conninfo.get("options", b""))

    @property
    def tty(self) -> bytes:
        return b""

    # -------------------------------------------------------- sending

    def _ask(self, method: str, statement: bytes, parameters: Any = None) -> None:
        if self._status == _BAD:
            raise _errors.OperationalError("the connection is lost")
        self._results.clear()
        if not self._pipeline:
            self._sent.clear()
        self._sent.append(taken(self._player, method, self._target, statement, parameters))

    def send_query(self, command: bytes) -> None:
        self._ask("execute", command)

    def send_query_params(
        self,
        command: bytes,
        param_values: Any,
        param_types: Any = None,
        param_formats: Any = None,
        result_format: int = 0,
    ) -> None:
        self._ask("execute", command, _parameters(param_values, param_types, param_formats))

    def send_prepare(self, name: bytes, command: bytes, param_types: Any = None) -> None:
        self._prepared[name] = (command, param_types)
        if self._player.recorded_calls.has_statement("prepare", self._target, command.decode()):
            self._ask("prepare", command)
        else:  # it was prepared in an earlier invocation, or is prepared sooner than then
            self._sent.append({"status": _COMMAND_OK, "tx": self._tx})

    def send_query_prepared(
        self, name: bytes, param_values: Any, param_formats: Any = None, result_format: int = 0
    ) -> None:
        command, types = self._prepared[name]
        self._ask("execute", command, _parameters(param_values, types, param_formats))

    def send_describe_portal(self, name: bytes) -> None:
        self._ask("describe", name)

    def send_close_prepared(self, name: bytes) -> None:
        self._sent.append({"status": _COMMAND_OK, "tx": self._tx})

    def pipeline_sync(self) -> None:
        self._sent.append({"status": _PIPELINE_SYNC, "tx": self._tx})

    def send_flush_request(self) -> None: ...

    def enter_pipeline_mode(self) -> None:
        self._pipeline = 1

    def exit_pipeline_mode(self) -> None:
        self._pipeline = 0

    def set_single_row_mode(self) -> None: ...

    def set_chunked_rows_mode(self, size: int) -> None: ...

    def get_cancel(self) -> Any:
        return self

    def cancel(self) -> None: ...

    # -------------------------------------------------------- receiving

    def flush(self) -> int:
        return 0

    def is_busy(self) -> int:
        return 0

    def consume_input(self) -> None: ...

    def notifies(self) -> None:
        return None

    def notified(self) -> list[Any]:
        """What the next wait for notifications gave."""
        found = taken(self._player, "notifies", self._target).next()
        return [_pq.PGnotify(*item) for item in found]

    def waits(self) -> Waits | None:
        """How long the next answer takes; None if it is there."""
        if self._results or not self._sent or isinstance(self._sent[0], dict):
            return None
        answer: TypedAnswer = self._sent[0]
        return Waits(self._player.took_s(answer.recorded_call), answer.given_up)

    def _next(self) -> None:
        """The results of what was sent first."""
        sent = self._sent.popleft()
        if isinstance(sent, dict):
            self._results += [PlayedResult(sent), None]
            return
        self._copying = None
        while sent.more:
            value = sent.next()
            if "raises" in value:
                self._status = _BAD if value["raises"].get("broken") else self._status
                raise exception(value["raises"], _MODULES)
            self._follow(value)
            if "none" in value:
                break
            self._results.append(PlayedResult(value))
            if value["status"] in (_COPY_IN, _COPY_OUT):
                self._copying = sent
                break
        self._results.append(None)

    def _follow(self, value: dict[str, Any]) -> None:
        self._tx = int(value.get("tx", self._tx))
        if "session" in value:
            self._facts["parameters"] = {**(self._facts.get("parameters") or {}), **value["session"]}

    def get_result(self) -> Any:
        if not self._results:
            if self._copying is not None:
                self._end_of_copy()
            elif self._sent:
                self._next()
            else:
                return None
        return self._results.popleft() if self._results else None

    def pipelined(self) -> Iterator[list[Any]]:
        """What was sent so far and is answered, each with its results."""
        while self._sent:
            self._next()
            results = [result for result in self._results if result is not None]
            self._results.clear()
            yield results

    # -------------------------------------------------------- COPY

    def put_copy_data(self, buffer: Any) -> int:
        return 1

    def put_copy_end(self, error: bytes | None = None) -> int:
        self._results.clear()
        return 1

    def get_copy_data(self, async_: int) -> tuple[int, Any]:
        self._results.clear()
        copying = self._copying
        value = copying.next()
        if "data" in value:
            data = value["data"]
            data = data.encode() if isinstance(data, str) else data
            return len(data), memoryview(data)
        self._results += [PlayedResult(value), None]
        self._follow(value)
        self._copying = None
        return -1, memoryview(b"")

    def _end_of_copy(self) -> None:
        copying, self._copying = self._copying, None
        value = copying.next()
        if "raises" in value:
            raise exception(value["raises"], _MODULES)
        self._follow(value)
        self._results += [PlayedResult(value), None]


def _parameters(values: Any, types: Any, formats: Any) -> Any:
    if not values:
        return None
    found = parameters_of(values, types or [0] * len(values), formats or [0] * len(values))
    return found["parameters"]
