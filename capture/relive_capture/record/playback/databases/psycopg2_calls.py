"""psycopg2: connections and cursors that answer from the recording, of subclasses of the library's own."""

from __future__ import annotations

import importlib
import io
import sys
from collections import deque
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from relive_capture.record.playback.databases.answering import answered, asked, connection, exception
from relive_capture.record.recording.databases.psycopg2_calls import (
    CODEC,
    DIAG,
    copy_statement,
    dsn_target,
    sql_text,
    with_factory,
)
from relive_capture.record.recording.databases.subclassing import below

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer

__all__ = ["play"]

_extensions: Any = importlib.import_module("psycopg2.extensions")  # the function has imported it
_COLUMN: Any = getattr(_extensions, "Column", None)
_ERRORS: Final = ("psycopg2", "psycopg2.errors", "psycopg2.extensions", "builtins")
_READY, _BEGIN = 1, 2
_MANY: Final = 1_000
_IN_TRANSACTION: Final = {1: 0, 2: 2}
_DIAG: Final = "_relive_diag"


def play(player: PlayedCalls, module: ModuleType) -> None:
    """Have psycopg2.connect make connections that are played."""
    extensions: Any = sys.modules["psycopg2.extensions"]
    own = type("connection", (PlayedConnection,), {"_relive_player": player})
    made: dict[Any, Any] = {}
    with_factory(module, lambda cls: below(cls, own, extensions.connection, made), player.undo.set)
    connect: Any = module._connect

    def without_connecting(dsn: Any, connection_factory: Any = None, **options: Any) -> Any:
        factory = below(connection_factory or extensions.connection, own, extensions.connection, made)
        if isinstance(factory, type) and issubclass(factory, own):
            make: Any = factory
            return make(dsn)
        if options.get("async") or options.get("async_") or connection_factory is None:
            raise player.refuse(f"a connection to {dsn_target(dsn)}")
        return connect(dsn, connection_factory=connection_factory, **options)

    player.undo.set(module, "_connect", without_connecting)
    player.undo.set(extensions, "quote_ident", _quote_ident)


def _quote_ident(text: str, _scope: Any) -> str:
    return '"' + text.replace('"', '""') + '"'


def _error(player: PlayedCalls, value: Any, owner: Any) -> Exception:
    """The exception, with what the server said of it."""
    raised = value["raises"]
    if owner is not None:
        owner._relive_status = raised.get("status", owner._relive_status)
        owner._relive_closed = raised.get("closed", owner._relive_closed)
    error: Any = exception(raised, _ERRORS)
    if hasattr(error, "__setstate__") and "pgcode" in raised:
        error.__setstate__({"pgcode": raised["pgcode"], "pgerror": raised["pgerror"]})
        error.__dict__[_DIAG] = SimpleNamespace(**{**dict.fromkeys(DIAG), **(raised.get("diag") or {})})
        cls = type(error)
        if _DIAG not in vars(cls):
            player.undo.set(cls, _DIAG, None)
            player.undo.set(cls, "diag", property(lambda self: vars(self).get(_DIAG) or SimpleNamespace()))
    return error  # type: ignore[no-any-return]


def _session(name: str) -> property:
    def get(self: Any) -> Any:
        return self._relive_session[name]

    def put(self: Any, value: Any) -> None:
        self._relive_session[name] = value

    return property(get, put)


class PlayedConnection(_extensions.connection):  # type: ignore[misc]
    """A connection to nobody."""

    _relive_player: Any = None
    _relive_made: Final[dict[Any, Any]] = {}
    _relive_status = _READY
    _relive_closed = 0
    _relive_autocommit = False
    _relive_session: dict[str, Any]

    def __init__(self, dsn: Any, *_arguments: Any, **_options: Any) -> None:
        self._relive_session = {"isolation_level": None, "readonly": None, "deferrable": None}
        self._relive_target = dsn_target(dsn)
        self._relive_dsn = dsn
        found = connection(self._relive_player, self._relive_target)
        facts = {} if found is None else answered(self._relive_player, found).next()
        if "raises" in facts:
            raise _error(self._relive_player, facts, None)
        self._relive_facts = facts
        self._relive_status = facts.get("status", _READY)

    def _relive_check(self) -> None:
        if self._relive_closed:
            raise sys.modules["psycopg2"].InterfaceError("connection already closed")

    def cursor(self, name: Any = None, cursor_factory: Any = None, *arguments: Any, **options: Any) -> Any:
        self._relive_check()
        factory = cursor_factory or self.cursor_factory or _extensions.cursor
        factory = below(factory, PlayedCursor, _extensions.cursor, self._relive_made)
        cursor = factory(self, name) if name is not None else factory(self)
        for key in ("scrollable", "withhold"):
            if options.get(key):
                setattr(cursor, key, options[key])
        return cursor

    def commit(self) -> None:
        self._relive_ends("commit")

    def rollback(self) -> None:
        self._relive_ends("rollback")

    def _relive_ends(self, method: str) -> None:
        self._relive_check()
        if self._relive_status == _READY:
            return
        value = asked(self._relive_player, method, self._relive_target).next()
        if "raises" in value:
            raise _error(self._relive_player, value, self)
        self._relive_status = value["status"]

    def close(self) -> None:
        self._relive_closed = self._relive_closed or 1

    def cancel(self) -> None: ...

    def set_session(self, *arguments: Any, **options: Any) -> None:
        names = ("isolation_level", "readonly", "deferrable", "autocommit")
        for key, value in {**dict(zip(names, arguments, strict=False)), **options}.items():
            setattr(self, key, value)

    def set_client_encoding(self, encoding: Any) -> None: ...

    def set_isolation_level(self, level: Any) -> None:
        self.isolation_level = level or None
        self._relive_autocommit = level == 0

    @property
    def closed(self) -> int:
        return self._relive_closed

    @property
    def status(self) -> int:
        return self._relive_status

    @property
    def autocommit(self) -> bool:
        return self._relive_autocommit

    @autocommit.setter
    def autocommit(self, value: Any) -> None:
        self._relive_autocommit = bool(value)

    @property
    def server_version(self) -> int:
        return int(self._relive_facts.get("version", 150000))

    @property
    def protocol_version(self) -> int:
        return int(self._relive_facts.get("protocol", 3))

    @property
    def encoding(self) -> str:
        return str(self._relive_facts.get("encoding", "UTF8"))

    @property
    def dsn(self) -> str:
        return str(self._relive_dsn)

    @property
    def info(self) -> Any:
        return _Info(self)

    def get_parameter_status(self, parameter: str) -> Any:
        return (self._relive_facts.get("parameters") or {}).get(parameter)

    def get_dsn_parameters(self) -> dict[str, str]:
        return dict(self._relive_facts.get("dsn") or {})

    def get_backend_pid(self) -> int:
        return int(self._relive_facts.get("backend", 0))

    def get_transaction_status(self) -> int:
        return 4 if self._relive_closed else _IN_TRANSACTION.get(self._relive_status, 0)

    def __enter__(self) -> Any:
        self._relive_check()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.commit() if kind is None else self.rollback()


for _name in ("isolation_level", "readonly", "deferrable"):
    setattr(PlayedConnection, _name, _session(_name))


class _Info:
    """As psycopg2.extensions.ConnectionInfo."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        place, _, self.dbname = owner._relive_target.partition("://")[2].rpartition("/")
        self.host, _, port = place.rpartition(":")
        self.port = int(port) if port.isdigit() else 5432
        self.dsn_parameters = owner.get_dsn_parameters()
        self.user = self.dsn_parameters.get("user", "")
        self.options = self.dsn_parameters.get("options", "")
        self.server_version, self.protocol_version = owner.server_version, owner.protocol_version
        self.backend_pid, self.status = owner.get_backend_pid(), 1 if owner.closed else 0
        self.transaction_status = owner.get_transaction_status()

    def parameter_status(self, name: str) -> Any:
        """A parameter of the session."""
        return self._owner.get_parameter_status(name)


class PlayedCursor(_extensions.cursor):  # type: ignore[misc]
    """A cursor that answers from the recording."""

    _relive_answer: TypedAnswer | None = None
    _relive_head: dict[str, Any]
    _relive_query: bytes | None = None
    _relive_at = 0
    name: Any = None
    withhold = False
    scrollable: Any = None

    def __init__(self, conn: Any, name: Any = None, **_options: Any) -> None:
        super().__init__(conn)
        self.name = name

    def execute(self, query: Any, vars: Any = None) -> None:
        self._relive_run("execute", query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._relive_run("executemany", query, list(vars_list)[:_MANY])

    def callproc(self, procname: Any, *parameters: Any) -> Any:
        given = parameters[0] if parameters else None
        self._relive_run("callproc", procname, given)
        return given

    def copy_expert(self, sql: Any, file: Any, *_size: Any) -> None:
        self._relive_copy("copy_expert", sql, file)

    def copy_to(self, file: Any, table: Any, *_arguments: Any, **options: Any) -> None:
        self._relive_copy("copy_to", copy_statement("copy_to", table, options.get("columns")), file)

    def copy_from(self, file: Any, table: Any, *_arguments: Any, **options: Any) -> None:
        self._relive_copy("copy_from", copy_statement("copy_from", table, options.get("columns")), file)

    def _relive_copy(self, method: str, sql: Any, file: Any) -> None:
        self._relive_run(method, sql, None)
        found = self._relive_answer
        while found is not None and found.more:
            data = found.next()["data"]
            text = isinstance(file, io.TextIOBase)
            file.write(data.decode() if text and isinstance(data, bytes) else data)

    def _relive_run(self, method: str, query: Any, parameters: Any) -> None:
        owner = self.connection
        self._relive_check()
        self._relive_answer = None
        text = sql_text(query, self)
        found = asked(owner._relive_player, method, owner._relive_target, text, parameters, CODEC)
        self._relive_query = text.encode()
        value = found.next()
        if "raises" in value:
            raise _error(owner._relive_player, value, owner)
        self._relive_answer = found
        self._relive_take_head(value)

    def _relive_take_head(self, value: dict[str, Any]) -> None:
        self._relive_head = value
        self.connection._relive_status = value["status"]
        self._relive_rows: deque[Any] = deque()
        self._relive_ended = False
        self._relive_at = 0

    def _relive_check(self) -> None:
        if self.closed:
            raise sys.modules["psycopg2"].InterfaceError("cursor already closed")
        self.connection._relive_check()

    # -------------------------------------------------------- what it says of itself

    @property
    def closed(self) -> bool:
        return bool(_extensions.cursor.closed.__get__(self)) or bool(self.connection._relive_closed)

    @property
    def description(self) -> Any:
        columns = self._relive_head_or_none("columns")
        if columns is None:
            return None
        return tuple(_column(column, _COLUMN) for column in columns)

    def _relive_head_or_none(self, name: str) -> Any:
        return vars(self).get("_relive_head", {}).get(name)

    @property
    def rowcount(self) -> int:
        found = self._relive_head_or_none("rowcount")
        return -1 if found is None else found

    @property
    def rownumber(self) -> int:
        return self._relive_at

    @property
    def statusmessage(self) -> Any:
        return self._relive_head_or_none("message")

    @property
    def lastrowid(self) -> Any:
        return self._relive_head_or_none("lastrowid") or 0

    @property
    def query(self) -> Any:
        return self._relive_query

    def close(self) -> None:
        super().close()
        self._relive_answer = None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.close()

    # -------------------------------------------------------- rows

    def _relive_row(self) -> Any:
        self._relive_check()
        found = self._relive_answer
        if found is None or (self.name is None and self._relive_head_or_none("columns") is None):
            raise sys.modules["psycopg2"].ProgrammingError("no results to fetch")
        while not self._relive_rows:
            if self._relive_ended:
                return None
            value = found.next()
            if "raises" in value:
                raise _error(self.connection._relive_player, value, self.connection)
            if "message" in value:  # of a named one the columns are known with the first rows
                self._relive_head = value
            elif "end" in value:
                self._relive_ended = True
                self._relive_head["rowcount"] = value["rowcount"]
            else:
                self._relive_rows += value["rows"]
        self._relive_at += 1
        return _made_row(self, self._relive_rows.popleft())

    def fetchone(self) -> Any:
        return self._relive_row()

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def fetchmany(self, size: Any = None) -> Any:
        return self._relive_many(self.arraysize if size is None else size)

    def fetchall(self) -> Any:
        return self._relive_many(-1)

    def _relive_many(self, size: int) -> list[Any]:
        found: list[Any] = []
        while len(found) != size:
            row = self._relive_row()
            if row is None:
                break
            found.append(row)
        return found

    def scroll(self, value: int, mode: str = "relative") -> None: ...

    def nextset(self) -> Any:
        found = self._relive_answer
        if found is None or not found.more:
            return None
        self._relive_take_head(found.next())
        return True


def _made_row(cursor: Any, cells: Any) -> Any:
    """As the library makes one: of the cursor's own kind, cell by cell."""
    factory: Callable[[Any], Any] | None = cursor.row_factory
    if factory is None:
        return tuple(cells)
    row = factory(cursor)
    for number, cell in enumerate(cells):
        row[number] = cell
    return row


def _column(values: list[Any], column_class: Any) -> Any:
    *shown, table_oid, table_column = values
    if column_class is None:
        return tuple(shown)
    column = column_class(*shown)
    try:
        column.__setstate__((*shown, table_oid, table_column))
    except (TypeError, ValueError):
        pass
    return column
