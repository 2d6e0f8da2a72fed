"""The client of the store process. Light to import: the engine and clickhouse-driver are on the other
side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from relive_store.chunks import chunk_token, chunked, row_count
from relive_store.columns import Columns
from relive_store.errors import ERROR_KINDS, QueryError, QueryTimeout, StoreError, StoreUnavailable
from relive_store.interface import DEFAULT_MAX_ROWS, DEFAULT_TIMEOUT_S, INSERT_CHUNK_ROWS, ColumnData
from relive_store.process.admission import read_token
from relive_store.process.messages import (
    Answer,
    Cancel,
    Execute,
    Failure,
    Hello,
    Insert,
    Migrate,
    Ping,
    Query,
    Request,
    Result,
    decode_response,
    encode_message,
    receive_message,
)
from relive_store.text import clean_columns, clean_value

__all__ = ["UnixStore"]

CONNECT_TIMEOUT_S = 5.0
GRACE_S = 10.0
"""The process enforces a query's timeout; this much later the client gives up on the process."""
MIGRATE_TIMEOUT_S = 3_600.0
"""To compute something of all rows of a large store takes a while."""
KEPT_CONNECTIONS = 8
LANES = 2
CHUNK_BYTES = 64 * 1024 * 1024


class UnixStore:
    """A Store in the store process behind a unix socket. Reconnects by itself after the process was
    restarted."""

    engine = "chdb"

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self.url = f"unix://{self._path}"
        self._free: list[socket.socket] = []
        self._guard = threading.Lock()
        self._encode = msgspec.msgpack.Encoder(enc_hook=_as_plain).encode

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
        message = Query(
            sql=sql,
            parameters=dict(parameters or {}),
            timeout_s=timeout_s,
            max_rows=max_rows,
            read_only=read_only,
            query_id=query_id,
            bytes_columns=list(bytes_columns),
        )
        answer = self._ask(message, timeout_s)
        if not isinstance(answer, Result):
            raise StoreUnavailable(
                "the store process gave an answer that does not belong to a query", where=self.url
            )
        return Columns(answer.names, answer.types, answer.data)

    def insert(self, table: str, columns: ColumnData, *, token: str = "", timeout_s: float = 60.0) -> int:
        """See Store.insert."""
        rows = row_count(columns)
        parts = chunked(columns, rows)
        if rows <= INSERT_CHUNK_ROWS:
            for part in parts:
                self._insert_part(table, part, chunk_token(token, 0), timeout_s)
        else:
            self._insert_parts(table, parts, token, timeout_s)
        return rows

    def _insert_parts(self, table: str, parts: Iterator[ColumnData], token: str, timeout_s: float) -> None:
        """LANES blocks at once: one is packed here while another one is encoded or written over there."""
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

        with ThreadPoolExecutor(LANES, thread_name_prefix="store-insert") as lanes:
            running: set[Future[None]] = set()
            for index, part in enumerate(parts):
                if len(running) == LANES:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for lane in done:
                        lane.result()
                block_token = chunk_token(token, index)
                running.add(lanes.submit(self._insert_part, table, part, block_token, timeout_s))
            for lane in running:
                lane.result()

    def insert_packed(self, table: str, packed: bytes, *, token: str = "", timeout_s: float = 60.0) -> int:
        """As insert, with the columns as msgpack: what a spool file holds goes out as it is."""
        message = Insert(table=table, columns=msgspec.Raw(packed), token=token, timeout_s=timeout_s)
        return int(self._value(message, timeout_s))

    def _insert_part(self, table: str, columns: ColumnData, token: str, timeout_s: float) -> None:
        packed = self.pack(columns)
        rows = row_count(columns)
        if len(packed) > CHUNK_BYTES and rows > 1:
            half = (rows + 1) // 2
            for index, part in enumerate(chunked(columns, rows, half)):
                self._insert_part(table, part, chunk_token(token, index), timeout_s)
            return
        self.insert_packed(table, packed, token=token, timeout_s=timeout_s)

    def pack(self, columns: ColumnData) -> bytes:
        """Columns as msgpack. Raises QueryError for values that no column can hold."""
        try:
            return self._encode(columns)
        except UnicodeEncodeError:
            return self._encode(clean_columns(columns))
        except (TypeError, OverflowError, ValueError) as error:
            raise QueryError(f"the columns cannot be sent: {error}") from error

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> None:
        """See Store.execute."""
        self._value(Execute(sql=sql, parameters=dict(parameters or {}), timeout_s=timeout_s), timeout_s)

    def cancel(self, query_id: str) -> bool:
        """See Store.cancel."""
        return bool(self._value(Cancel(query_id=query_id), CONNECT_TIMEOUT_S))

    def migrate(self) -> list[str]:
        """See Store.migrate."""
        try:
            return list(self._value(Migrate(), MIGRATE_TIMEOUT_S))
        except QueryTimeout as error:
            raise QueryTimeout(
                f"the store's tables are not up to date after {MIGRATE_TIMEOUT_S:g} s",
                where=self.url,
                hint="its process goes on: try again later; what is done stays done",
            ) from error

    def ping(self, timeout_s: float = CONNECT_TIMEOUT_S) -> int:
        """The pid of the store process. Raises StoreUnavailable."""
        return int(self._value(Ping(), timeout_s))

    def close(self) -> None:
        """See Store.close."""
        with self._guard:
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _value(self, message: Request, timeout_s: float) -> Any:
        answer = self._ask(message, timeout_s)
        return answer.value if isinstance(answer, Answer) else None

    def _ask(self, message: Request, timeout_s: float) -> Answer | Result:
        data = _encoded(message)
        connection = self._connection()
        try:
            connection.settimeout(timeout_s + GRACE_S)
            connection.sendall(data)
            reply = receive_message(connection)
            if reply is None:
                raise StoreUnavailable("the store process went away before it answered", where=self.url)
            answer = decode_response(reply)
        except TimeoutError as error:
            connection.close()
            raise QueryTimeout(f"no answer within {timeout_s + GRACE_S:g} s", where=self.url) from error
        except (OSError, msgspec.DecodeError) as error:
            connection.close()
            raise StoreUnavailable(f"the store process cannot be used: {error}", where=self.url) from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        if isinstance(answer, Failure):
            raise _error(answer)
        return answer

    def _connection(self) -> socket.socket:
        while True:
            with self._guard:
                if not self._free:
                    break
                kept = self._free.pop()
            if _is_open(kept):
                return kept
            kept.close()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.settimeout(CONNECT_TIMEOUT_S)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise StoreUnavailable(
                f"the store process is not running: {error.strerror or error}",
                where=self.url,
                hint="relive status says why; if no server runs: relive serve",
            ) from error
        try:
            self._say_hello(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _say_hello(self, connection: socket.socket) -> None:
        """Connected first, read then: the file is of the process that listens now."""
        try:
            connection.sendall(encode_message(Hello(token=read_token(self._path))))
            reply = receive_message(connection)
            answer = decode_response(reply) if reply is not None else None
        except (OSError, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"the store process cannot be used: {error}", where=self.url) from error
        if answer is None:
            raise StoreUnavailable("the store process went away before it answered", where=self.url)
        if isinstance(answer, Failure):
            raise _error(answer)

    def _give_back(self, connection: socket.socket) -> None:
        with self._guard:
            if len(self._free) < KEPT_CONNECTIONS:
                self._free.append(connection)
                return
        connection.close()


def _error(failure: Failure) -> StoreError:
    kind = ERROR_KINDS.get(failure.kind, StoreError)
    return kind(failure.message, where=failure.where, hint=failure.hint)


def _is_open(connection: socket.socket) -> bool:
    """Nothing may be waiting on an idle connection: neither bytes nor an end."""
    with suppress(OSError):
        connection.setblocking(False)
        try:
            connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
    return False


def _as_plain(value: object) -> object:
    if isinstance(value, (range, map, filter)):
        return list(value)
    raise TypeError(f"a cell or parameter cannot be a {type(value).__name__}")


def _encoded(message: Request) -> bytearray:
    try:
        return encode_message(message)
    except UnicodeEncodeError:
        if isinstance(message, (Query, Execute)):
            message.sql = str(clean_value(message.sql))
            message.parameters = {str(k): clean_value(v) for k, v in message.parameters.items()}
        return encode_message(message)
    except (TypeError, OverflowError, ValueError) as error:
        raise QueryError(f"the request cannot be sent: {error}") from error
