"""The embedded engine (chDB) on a directory. One process owns a directory; normally that is the store
process.

The engine is not safe to fork with: import this module only if it is used.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

from relive_store.chunks import chunk_token, chunked, row_count
from relive_store.columns import Columns
from relive_store.embedded.damage import not_opened, not_usable
from relive_store.embedded.loading import engine_module
from relive_store.embedded.unfinished import take_back_notes
from relive_store.errors import QueryError, QueryTimeout, StoreUnavailable
from relive_store.interface import DEFAULT_MAX_ROWS, DEFAULT_TIMEOUT_S, ColumnData
from relive_store.native import codec as native
from relive_store.packing import unpack
from relive_store.query.engine_errors import from_text
from relive_store.query.guard import FORM_OF, Checked, check_name, check_query, check_query_id, quoted
from relive_store.query.parameters import render_parameters
from relive_store.tables.schema import embedded_settings, migrate

__all__ = ["ChdbStore", "DirectoryLock"]

READERS = 4
WRITERS = 3
MAX_RESULT_BYTES = 256 * 1024 * 1024
MOST_READ_BYTES = 4 * 1024**3
"""Memory of one query that reads; on a small machine half of what there is."""

# {{}} of the engine: settings of a session. SET takes no parameters; every value here is a number or a
# checked name.
_SET_WRITER = (
    "SET async_insert = 0, max_partitions_per_insert_block = 0, insert_deduplicate = 1,"
    " deduplicate_blocks_in_dependent_materialized_views = 1, flatten_nested = 1,"
    " compile_expressions = 0, compile_aggregate_expressions = 0, compile_sort_description = 0"
)
_COMPILED_LATE = ", ".join(
    f"min_count_to_compile_{what} = 100"
    for what in ("expression", "aggregate_expression", "sort_description")
)
"""To machine code: that takes 60 ms of processor time each, which a batch of rows never gets back, and a
query only if it is made again and again over millions of rows. The engine's default is the third time."""
_TABLE_COLUMNS = (
    "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
    " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')"
)
_KILL = "KILL QUERY WHERE Settings['log_comment'] = {id:String} ASYNC"


class DirectoryLock:
    """An flock on `<directory>/relive.lock`, with the owner's pid in it. Raises StoreUnavailable if it
    is taken, or cannot be made."""

    def __init__(self, directory: Path) -> None:
        path = directory / "relive.lock"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise not_usable(directory, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreUnavailable(
                f"the store directory is in use by process {owner}",
                where=str(directory),
                hint="stop that process, or open the store through its socket (unix:///...)",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others in. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Pool:
    """A bounded set of engine sessions; who finds none free waits."""

    def __init__(self, sessions: Sequence[Any]) -> None:
        self._free: LifoQueue[Any] = LifoQueue()
        self.sessions = list(sessions)
        for session in sessions:
            self._free.put(session)

    @contextmanager
    def session(self, timeout_s: float) -> Iterator[Any]:
        """One session of one's own. Raises QueryTimeout if none gets free."""
        try:
            session = self._free.get(timeout=max(timeout_s, 0.001))
        except Empty:
            raise QueryTimeout(
                f"all {len(self.sessions)} sessions of the store were busy for {timeout_s:g} s",
                hint="try again, or cancel what is running",
            ) from None
        try:
            yield session
        finally:
            self._free.put(session)


class ChdbStore:
    """A Store on a chDB directory, in this process."""

    engine = "chdb"

    def __init__(self, directory: Path | str) -> None:
        path = Path(directory).absolute()
        if "?" in str(path):
            raise QueryError("a store directory must not have a question mark in its name", where=str(path))
        self.url = f"chdb://{path}"
        self._lock = DirectoryLock(path)
        self._closing = threading.Lock()
        self._types: dict[str, dict[str, str]] = {}
        try:
            connect = engine_module().connect
            # The engine's own sub-folder: a listing of tables must not meet our lock file.
            where = str(path / "data")
            # A reader's session serves one query: with `readonly = 1` it can never be given another limit.
            self._readers = _Pool([None] * READERS)
            self._connect: Callable[[], Any] = lambda: connect(where)
            self._checked = Checked(self._form_of)
            try:
                take_back_notes(path / "data")
                self._writers = _Pool([connect(where) for _ in range(WRITERS)])
                self._admin = connect(where)
            except RuntimeError as error:
                raise not_opened(path, error) from error
            except OSError as error:
                raise not_usable(path, error) from error
            self._admin_lock = threading.Lock()
            for session in self._writers.sessions:
                session.query(_SET_WRITER)
        except BaseException:
            self._lock.release()
            raise

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_rows: int = DEFAULT_MAX_ROWS,
        read_only: bool = True,
        query_id: str = "",
        bytes_columns: Sequence[str] = (),
    ) -> Columns:
        """See Store.query."""
        statement = check_query(sql, read_only=read_only)
        rendered = render_parameters(statement, parameters)
        limits = f"max_execution_time = {max(timeout_s, 0.001):.3f}, max_result_rows = {int(max_rows)}"
        scope = f"SET {limits}, result_overflow_mode = 'throw', log_comment = '{check_query_id(query_id)}'"
        if not read_only:
            with self._writers.session(timeout_s) as session:
                _run(session, scope)
                self._types.clear()
                return native.decode(_run(session, statement, rendered), bytes_columns)
        with self._reader(timeout_s) as session:
            self._checked.check(statement)
            bytes_ = f"max_result_bytes = {MAX_RESULT_BYTES}, max_memory_usage = {_read_bytes()}"
            _run(session, f"{scope}, {bytes_}, {_COMPILED_LATE}, readonly = 1")
            data = _run(session, statement, rendered)
            if not data:
                return self._header(session, statement, rendered)
        return native.decode(data, bytes_columns)

    @contextmanager
    def _reader(self, timeout_s: float) -> Iterator[Any]:
        """A new session, which takes a millisecond, in one of the READERS places."""
        with self._readers.session(timeout_s):
            session = self._connect()
            try:
                yield session
            finally:
                session.close()

    def _form_of(self, statement: str) -> str:
        with self._admin_lock:
            data = _run(self._admin, FORM_OF, render_parameters(FORM_OF, {"query": statement}))
        return str(native.decode(data).scalar())

    def _header(self, session: Any, statement: str, rendered: Mapping[str, str]) -> Columns:
        """Names and types of a result without rows, which the engine leaves out."""
        try:
            described = native.decode(_run(session, f"DESCRIBE TABLE (\n{statement}\n)", rendered))
        except QueryError:
            return Columns((), (), [])  # SHOW, EXPLAIN: not a SELECT
        return Columns(
            [str(c) for c in described.column("name")], [str(c) for c in described.column("type")], []
        )

    def insert(self, table: str, columns: ColumnData, *, token: str = "", timeout_s: float = 60.0) -> int:
        """See Store.insert."""
        rows = row_count(columns)
        for index, part in enumerate(chunked(columns, rows)):
            self.insert_block(table, part, token=chunk_token(token, index), timeout_s=timeout_s)
        return rows

    def insert_packed(self, table: str, packed: bytes, *, token: str = "", timeout_s: float = 60.0) -> int:
        """As insert, with the columns as msgpack."""
        return self.insert(table, unpack(packed), token=token, timeout_s=timeout_s)

    def insert_block(self, table: str, columns: ColumnData, *, token: str, timeout_s: float) -> int:
        """One block, at once or not at all per partition."""
        types = self._column_types(table, timeout_s)
        unknown = [name for name in columns if name not in types]
        if unknown:
            self._types.pop(table, None)
            raise QueryError(f"table {table} has no column {', '.join(unknown)[:500]}")
        data = native.encode(columns, types)
        names = ", ".join(f"`{check_name(name)}`" for name in columns)
        options = f"max_execution_time = {max(timeout_s, 0.001):.3f}"
        if token:
            options += f", insert_deduplication_token = '{check_query_id(token)}'"
        statement = f"INSERT INTO {quoted(table)} ({names}) SETTINGS {options}"  # names are checked
        with self._writers.session(timeout_s) as session:
            try:
                stream = session.send_insert(statement, "Native")
                session.insert_append(stream, data)
                session.insert_done(stream)
            except RuntimeError as error:
                self._types.pop(table, None)
                raise from_text(str(error)) from error
        return row_count(columns)

    def _column_types(self, table: str, timeout_s: float) -> dict[str, str]:
        known = self._types.get(table)
        if known is None:
            found = self.query(_TABLE_COLUMNS, {"table": check_name(table)}, timeout_s=timeout_s)
            if not len(found):
                raise QueryError(f"there is no table {table}", hint="run the migrations")
            known = self._types[table] = {str(name): str(spec) for name, spec in found.rows()}
        return known

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> None:
        """See Store.execute."""
        self.query(sql, parameters, timeout_s=timeout_s, max_rows=0, read_only=False)

    def cancel(self, query_id: str) -> bool:
        """See Store.cancel."""
        if not check_query_id(query_id):
            return False
        with self._admin_lock:
            return bool(_run(self._admin, _KILL, render_parameters(_KILL, {"id": query_id})))

    def migrate(self) -> list[str]:
        """See Store.migrate."""
        return migrate(self, settings=embedded_settings())

    def close(self) -> None:
        """Wait for nothing: close the engine and let others have the directory."""
        with self._closing:
            sessions = [*self._writers.sessions, self._admin]
            self._readers, self._writers = _Pool([]), _Pool([])
            for session in sessions:
                session.close()
            self._lock.release()


def _read_bytes() -> int:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(MOST_READ_BYTES, machine // 2) if machine > 0 else MOST_READ_BYTES


def _run(session: Any, sql: str, parameters: Mapping[str, str] | None = None) -> bytes:
    try:
        return bytes(session.query(sql, "Native", params=dict(parameters or {})).bytes())
    except RuntimeError as error:
        raise from_text(str(error)) from error
