"""A ClickHouse server, over its native protocol."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, LifoQueue
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError
from clickhouse_driver.errors import ServerException
from relive_base.addresses import without_password
from relive_base.errors import UsageError

from relive_store.chunks import chunk_token, chunked, row_count
from relive_store.columns import Columns
from relive_store.errors import QueryError, QueryTimeout, StoreError, StoreUnavailable
from relive_store.interface import DEFAULT_MAX_ROWS, DEFAULT_TIMEOUT_S, ColumnData
from relive_store.native import codec as native
from relive_store.packing import unpack
from relive_store.query.engine_errors import from_code
from relive_store.query.guard import FORM_OF, Checked, check_name, check_query, check_query_id, quoted
from relive_store.query.parameters import render_parameters
from relive_store.tables.schema import migrate
from relive_store.text import clean_columns

__all__ = ["ClickHouseStore"]

MAX_CONNECTIONS = 8
CONNECT_TIMEOUT_S = 5.0
GRACE_S = 10.0
"""The server enforces a query's timeout; this much later the connection is given up."""
MAX_RESULT_BYTES = 256 * 1024 * 1024

# The driver logs each attempt that fails with its traceback. We raise what it raises, with a reason.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)

_KILL = "KILL QUERY WHERE query_id = {id:String} ASYNC"
_INSERT_SETTINGS = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}


class _Rendered:
    """A parameter that is text already. The driver quotes what it does not know, and the server unquotes
    it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text.replace("\\", "\\\\").replace("'", "\\'")


class _Pool:
    """Connections, made on demand, at most MAX_CONNECTIONS in use."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._free: LifoQueue[Client | None] = LifoQueue()
        for _ in range(MAX_CONNECTIONS):
            self._free.put(None)

    @contextlib.contextmanager
    def client(self, timeout_s: float) -> Iterator[Client]:
        """A connection of one's own. Raises QueryTimeout if none gets free."""
        try:
            client = self._free.get(timeout=max(timeout_s, 0.001))
        except Empty:
            raise QueryTimeout(f"all {MAX_CONNECTIONS} connections were busy for {timeout_s:g} s") from None
        try:
            client = client or _connect(self._options)
            yield client
        finally:
            self._free.put(client)

    def close(self) -> None:
        """Close what is idle."""
        for _ in range(MAX_CONNECTIONS):
            with contextlib.suppress(Empty):
                client = self._free.get_nowait()
                if client is not None:
                    client.disconnect()
                self._free.put(None)


def _connect(options: Mapping[str, Any]) -> Client:
    client = Client(
        **options,
        connect_timeout=CONNECT_TIMEOUT_S,
        client_name="relive",
        settings={key: value for key, value in native.driver_settings().items() if value is not None},
    )
    connection = client.connection
    connection.get_block_in_stream = lambda: native.ExactBlockInput(connection.fin, connection.context)
    connection.get_block_out_stream = lambda: native.ExactBlockOutput(connection.fout, connection.context)
    return client


@contextlib.contextmanager
def _our_errors(where: str) -> Iterator[None]:
    try:
        yield
    except ServerException as error:
        raise from_code(error.code, str(error.message)) from error
    except StoreError:
        raise
    except (OSError, EOFError) as error:
        raise StoreUnavailable(f"no connection to ClickHouse: {error}", where=where) from error
    except DriverError as error:
        if error.code in (209, 210):
            raise StoreUnavailable(
                f"no connection to ClickHouse: {error.message}",
                where=where,
                hint="start the server, or check the URL",
            ) from error
        raise QueryError(str(error)) from error
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise QueryError(f"the data does not fit: {error}") from error


def _parts(url: str) -> tuple[SplitResult, int | None]:
    """The URL, and the port in it. Raises UsageError, without what may be a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
        check_name(parts.path.strip("/") or "default")
        if "@" in parts.query + parts.fragment:
            raise ValueError("the password holds a ? or #")
    except (ValueError, QueryError):
        # Not `from` it: it may quote a part of the password.
        raise UsageError(
            f"not the URL of a ClickHouse server: {without_password(url)!r}",
            hint="write clickhouse://user:password@host:9000/database, with % codes in the password for"
            " what is neither letter nor digit",
        ) from None
    return parts, port


class ClickHouseStore:
    """A Store on a ClickHouse server: clickhouse://user:password@host:9000/database."""

    engine = "clickhouse"

    def __init__(self, url: str) -> None:
        parts, given_port = _parts(url)
        self._database = parts.path.strip("/") or "default"
        host = parts.hostname or "127.0.0.1"
        port = given_port or (9440 if parts.scheme == "clickhouses" else 9000)
        self.url = f"{parts.scheme}://{host}:{port}/{self._database}"
        self._options: dict[str, Any] = {
            "host": host,
            "port": port,
            "user": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
            "secure": parts.scheme == "clickhouses",
        }
        self._pool = _Pool({**self._options, "database": self._database})
        self._closing = threading.Lock()
        self._checked = Checked(self._form_of)

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
        rendered = {name: _Rendered(text) for name, text in render_parameters(statement, parameters).items()}
        settings: dict[str, object] = {
            "max_execution_time": round(max(timeout_s, 0.001), 3),
            "max_result_rows": int(max_rows),
            "max_result_bytes": MAX_RESULT_BYTES,
            "result_overflow_mode": "throw",
        }
        if read_only:
            settings["readonly"] = 1
            self._checked.check(statement)
        check_query_id(query_id)
        with self._pool.client(timeout_s) as client, _our_errors(self.url):
            connection = client.connection
            connection.send_receive_timeout = timeout_s + GRACE_S
            with client.disconnect_on_error(statement, settings):
                connection.block_in.bytes_columns = frozenset(bytes_columns)
                if connection.socket is not None:
                    connection.socket.settimeout(timeout_s + GRACE_S)
                data, header = client.process_ordinary_query(
                    statement, rendered, with_column_types=True, columnar=True, query_id=query_id or None
                )
        return native.cells(header, [list(column) for column in data], bytes_columns)

    def _form_of(self, statement: str) -> str:
        rendered = {
            name: _Rendered(text) for name, text in render_parameters(FORM_OF, {"query": statement}).items()
        }
        with self._pool.client(GRACE_S) as client, _our_errors(self.url):
            return str(client.execute(FORM_OF, rendered, settings={"readonly": 1})[0][0])

    def insert(self, table: str, columns: ColumnData, *, token: str = "", timeout_s: float = 60.0) -> int:
        """See Store.insert."""
        rows = row_count(columns)
        check_query_id(token)
        for index, part in enumerate(chunked(columns, rows)):
            self._insert_block(table, part, chunk_token(token, index), timeout_s)
        return rows

    def insert_packed(self, table: str, packed: bytes, *, token: str = "", timeout_s: float = 60.0) -> int:
        """As insert, with the columns as msgpack."""
        return self.insert(table, unpack(packed), token=token, timeout_s=timeout_s)

    def _insert_block(self, table: str, columns: ColumnData, token: str, timeout_s: float) -> None:
        names = ", ".join(f"`{check_name(name)}`" for name in columns)
        statement = f"INSERT INTO {quoted(table)} ({names}) VALUES"  # names are checked
        settings: dict[str, object] = {
            **_INSERT_SETTINGS,
            "max_execution_time": round(max(timeout_s, 0.001), 3),
        }
        if token:
            settings["insert_deduplication_token"] = token
        with self._pool.client(timeout_s) as client, _our_errors(self.url):
            client.connection.send_receive_timeout = timeout_s + GRACE_S
            try:
                client.execute(statement, list(columns.values()), columnar=True, settings=settings)
            except UnicodeEncodeError:
                cleaned = list(clean_columns(columns).values())
                client.execute(statement, cleaned, columnar=True, settings=settings)

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> None:
        """See Store.execute."""
        self.query(sql, parameters, timeout_s=timeout_s, max_rows=0, read_only=False)

    def cancel(self, query_id: str) -> bool:
        """See Store.cancel."""
        if not check_query_id(query_id):
            return False
        killed = self.query(_KILL, {"id": query_id}, read_only=False, timeout_s=GRACE_S)
        return len(killed) > 0

    def migrate(self) -> list[str]:
        """See Store.migrate. Creates the database if it does not exist."""
        with _our_errors(self.url), contextlib.closing(_Closing(self._options)) as anywhere:
            anywhere.client.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(self._database)}")
        return migrate(self)

    def close(self) -> None:
        """See Store.close."""
        with self._closing:
            self._pool.close()


class _Closing:
    """A connection to the server's own default database, closed at the end."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.client = Client(**options, database="default", connect_timeout=CONNECT_TIMEOUT_S)

    def close(self) -> None:
        self.client.disconnect()
