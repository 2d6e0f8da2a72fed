"""The store process: one embedded engine, served on a unix socket to several clients, one thread a client."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from relive_base.errors import ReliveError

from relive_store.embedded.engine import ChdbStore
from relive_store.errors import QueryError, StoreRefused, StoreUnavailable
from relive_store.packing import unpack
from relive_store.process.admission import Admission
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
    Response,
    Result,
    decode_request,
    encode_message,
    receive_message,
)

__all__ = ["Service"]

MAX_CLIENTS = 64
_BACKLOG = 512
MAX_ENTERING = 64
"""Connections that have not shown the token yet; each has admission.HELLO_TIMEOUT_S for it."""
SEND_TIMEOUT_S = 30.0
"""A client that does not take its answer for this long is cut off."""
_FULL = f"the store process has {MAX_CLIENTS} clients already, or is stopping"


class Service:
    """Listens on `socket_path` (mode 0600) until `stop`; serves who knows the token of its `Admission`."""

    def __init__(
        self, store: ChdbStore, socket_path: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._path = socket_path
        self._clock = clock
        self._guard = threading.Lock()
        self._migrating = threading.Lock()
        self._clients: dict[int, socket.socket] = {}
        self._working = 0
        self._last_seen = clock()
        self._stopping = False
        self._entering = 0
        self.prepared = False
        """The tables are there: nobody waits for the process to become ready any more."""
        self._listener = _bound(socket_path)
        self._admission = Admission(socket_path)
        self._listener.listen(_BACKLOG)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    @property
    def idle_s(self) -> float:
        """How long there has been no client."""
        with self._guard:
            return 0.0 if self._clients else self._clock() - self._last_seen

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no new requests, let running ones end for up to `timeout_s`, close the engine."""
        with self._guard:
            self._stopping = True
        self._listener.close()
        with suppress(OSError):
            self._path.unlink()
        self._admission.close()
        deadline = self._clock() + timeout_s
        while self._clock() < deadline:
            with self._guard:
                if not self._working:
                    break
            time.sleep(0.01)
        with self._guard:
            clients = list(self._clients.values())
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._store.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._guard:
                full = self._entering >= MAX_ENTERING or self._stopping
                if not full:
                    self._entering += 1
            if full:
                _refuse(client, "StoreUnavailable", "the store process has too many callers, or is stopping")
                continue
            threading.Thread(target=self._enter, args=(client,), name="client", daemon=True).start()

    def _enter(self, client: socket.socket) -> None:
        """A connection counts as a client, and keeps the process from leaving, once it is admitted."""
        refused: tuple[str, str] | None = None
        try:
            self._admission.check(client)
        except StoreRefused as error:
            refused = type(error).__name__, error.message
        except OSError:
            client.close()  # it has gone, or says nothing
            refused = "", ""
        with self._guard:
            self._entering -= 1
            if refused is None and (len(self._clients) >= MAX_CLIENTS or self._stopping):
                refused = "StoreUnavailable", _FULL
            if refused is None:
                self._clients[client.fileno()] = client
        if refused is None:
            self._serve(client)
        elif refused[0]:
            _refuse(client, *refused)

    def _serve(self, client: socket.socket) -> None:
        number = client.fileno()
        try:
            client.settimeout(SEND_TIMEOUT_S)
            client.sendall(encode_message(Answer(value=os.getpid())))
            while True:
                client.settimeout(None)
                request = receive_message(client)
                if request is None:
                    return
                with self._guard:
                    if self._stopping:
                        return
                    self._working += 1
                try:
                    answer = self._answered(request)
                    del request
                    client.settimeout(SEND_TIMEOUT_S)
                    client.sendall(answer)
                finally:
                    with self._guard:
                        self._working -= 1
        except (OSError, StoreUnavailable):
            return  # the client is gone, or sends what is not our protocol: nobody is left to tell
        finally:
            with self._guard:
                self._clients.pop(number, None)
                self._last_seen = self._clock()
            client.close()

    def _answered(self, data: bytes | bytearray) -> bytearray:
        try:
            try:
                return encode_message(self._handle(decode_request(data)))
            except msgspec.DecodeError as error:
                raise QueryError(f"the request cannot be read: {error}") from error
            except (UnicodeEncodeError, OverflowError, TypeError) as error:
                raise QueryError(f"the answer cannot be sent: {error}") from error
        except ReliveError as error:
            failure = Failure(
                kind=type(error).__name__, message=error.message, where=error.where, hint=error.hint
            )
        except Exception as error:  # a defect must reach the client as an error, not as a hang
            failure = Failure(kind="StoreError", message=f"{type(error).__name__}: {error}"[:2_000])
        return encode_message(failure)

    def _handle(self, request: Request) -> Response:
        store = self._store
        match request:
            case Query():
                found = store.query(
                    request.sql,
                    request.parameters,
                    timeout_s=request.timeout_s,
                    max_rows=request.max_rows,
                    read_only=request.read_only,
                    query_id=request.query_id,
                    bytes_columns=request.bytes_columns,
                )
                return Result(names=list(found.names), types=list(found.types), data=found.data)
            case Insert():
                return Answer(value=self._insert(request))
            case Execute():
                store.execute(request.sql, request.parameters, timeout_s=request.timeout_s)
                return Answer()
            case Cancel():
                return Answer(value=store.cancel(request.query_id))
            case Migrate():
                with self._migrating:  # who asks again waits for what goes on
                    names = store.migrate()
                self.prepared = True
                return Answer(value=names)
            case Ping() | Hello():
                return Answer(value=os.getpid())

    def _insert(self, request: Insert) -> int:
        columns = unpack(request.columns)
        return self._store.insert(request.table, columns, token=request.token, timeout_s=request.timeout_s)


def _bound(path: Path) -> socket.socket:
    """A socket with its address; nobody can connect before it listens."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(str(path))
        raise StoreUnavailable("another process listens on this socket", where=str(path))
    except OSError:
        with suppress(FileNotFoundError):
            path.unlink()
    try:
        # The folder is closed to others (0700), and until it listens nobody can connect.
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot listen on this socket: {error}",
            where=str(path),
            hint="choose a shorter path (at most 107 bytes)",
        ) from error
    return listener


def _refuse(client: socket.socket, kind: str, message: str) -> None:
    with suppress(OSError):
        client.settimeout(0.1)
        client.sendall(encode_message(Failure(kind=kind, message=message)))
    client.close()
