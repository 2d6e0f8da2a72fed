"""The receiver's process: listens, takes what programs send, and spools it for the store.

It has an interpreter and a spool of its own, so that a flood from outside slows neither the server nor what
functions record. It ends when the server's end of the socket is closed.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from pathlib import Path
from typing import Final

import msgspec
from relive_base.garbage import settle
from relive_base.redaction.redactor import Redactor
from relive_base.wire.framing import FrameError, FrameReader, framed
from relive_store import Mark, SpoolInUse, Store, Writer, open_store, own_spool, require_current

from relive_platform.addresses import Address, parse_address
from relive_platform.signals.kept import KeptDays
from relive_platform.signals.receivers.otlp.entry import Entry
from relive_platform.signals.receivers.otlp.grpc_door import GrpcDoor
from relive_platform.signals.receivers.otlp.http_door import HttpDoor
from relive_platform.signals.receivers.otlp.intake import RUN, Intake
from relive_platform.signals.receivers.otlp.ledger import Ledger
from relive_platform.signals.receivers.otlp.limits import OtlpLimits
from relive_platform.signals.receivers.otlp.messages import FlushOtlp, OtlpOptions, OtlpState
from relive_platform.signals.receivers.otlp.requests import Converter

__all__ = ["OtlpService"]

_TELL_S: Final = 0.5
_BIND_S: Final = 10.0
"""The process of a server that was killed holds its ports for some seconds."""
_BIND_RETRY_S: Final = 0.25
_GRACE_S: Final = 1.0
_CLOSE_S: Final = 5.0
_BACKLOG: Final = 256
_log = logging.getLogger(__name__)


class OtlpService:
    """Serves until the server closes its end."""

    def __init__(self, control: socket.socket, options: OtlpOptions) -> None:
        self._control = control
        self._options = options
        self._reader = FrameReader(self._on_frame)
        self._told = b""
        self._state = OtlpState()
        self._ended = False
        self._grpc: GrpcDoor | None = None
        self._http: HttpDoor | None = None
        self._kept = KeptDays(options.days)
        self._own_spool()
        self._writer = Writer(
            self._open_store,
            Path(options.spool_dir),
            flush_interval_s=options.flush_s,
            flush_rows=options.flush_rows,
            spool_limit_bytes=options.spool_bytes,
            on_spooled=self._spooled,
        )
        self._ledger = Ledger(options.journal_dir, options.home, self._writer.spool.mark(RUN).rows)
        limits = OtlpLimits(body_bytes=options.body_bytes)
        self._intake = Intake(
            Converter(Redactor(options.redact_keys), limits, kept=self._kept),
            self._writer,
            options.spool_bytes,
            self._ledger,
        )
        self._intake.take_up()

    def run(self) -> None:
        """Listen, and say how it goes, until the server is gone."""
        self._open_doors()
        settle()
        while not self._ended:
            self._tell()
            self._listen(_TELL_S)
        for door in (self._http, self._grpc):
            if door is not None:
                door.stop(_GRACE_S) if isinstance(door, GrpcDoor) else door.stop()
        self._writer.close(_CLOSE_S)
        self._ledger.close()

    def _spooled(self, mark: Mark) -> None:
        """In the writer's thread, which begins before the ledger is there."""
        if hasattr(self, "_ledger"):
            self._ledger.settled(mark.rows)

    def _own_spool(self) -> None:
        """Two processes never work on one spool: the one of a server before may not have ended yet."""
        while True:
            try:
                own_spool(Path(self._options.spool_dir))
                return
            except (SpoolInUse, OSError) as error:
                self._state.problems = [f"the spool cannot be used: {error}"]
                self._send(msgspec.msgpack.encode(self._state))
                self._listen(_BIND_RETRY_S)
                if self._ended:
                    raise SystemExit("its server has ended") from None

    def _open_store(self) -> Store:
        store = open_store(self._options.store_url)
        try:
            require_current(store)
            self._kept.learn(store)
        except BaseException:
            store.close()
            raise
        return store

    # ------------------------------------------------------------ doors

    def _open_doors(self) -> None:
        """Each as soon as its address can be had; if it cannot for a while, the server is told why."""
        ways = {"gRPC": (self._options.grpc, self._open_grpc), "HTTP": (self._options.http, self._open_http)}
        closed = {way: found for way, found in ways.items() if found[0]}
        deadline = time.monotonic() + _BIND_S
        while closed and not self._ended:
            over = time.monotonic() > deadline
            for way, (text, bind) in list(closed.items()):
                try:
                    bind(parse_address(text))
                except OSError as error:
                    if not over:
                        continue
                    self._state.problems.append(
                        f"OTLP over {way} is not received on {text}: {error.strerror or error}"
                    )
                    _log.warning("%s", self._state.problems[-1])
                del closed[way]
            self._tell()
            if closed:
                self._listen(_BIND_RETRY_S)

    def _open_grpc(self, address: Address) -> None:
        door = GrpcDoor(address, self._intake, self._entry(address), self._options.body_bytes)
        door.start()
        self._grpc = door
        self._state.grpc = str(Address(address.host, door.port))

    def _open_http(self, address: Address) -> None:
        listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        door = self._http = HttpDoor(listener, self._intake, self._entry(address), self._options.body_bytes)
        threading.Thread(target=door.run, name="otlp-http", daemon=True).start()
        self._state.http = str(Address(address.host, listener.getsockname()[1]))

    def _entry(self, address: Address) -> Entry:
        return Entry(loopback=address.loopback, token=self._options.token, hosts=self._options.hosts)

    # ------------------------------------------------------------ the server

    def _listen(self, timeout_s: float) -> None:
        readable, _, _ = select.select([self._control], [], [], timeout_s)
        if not readable:
            return
        try:
            data = self._control.recv(65_536)
            self._reader.feed(data)
        except (OSError, FrameError, msgspec.DecodeError):
            data = b""
        self._ended = self._ended or not data

    def _on_frame(self, payload: bytes) -> None:
        asked = msgspec.msgpack.decode(payload, type=FlushOtlp)
        self._writer.flush(asked.timeout_s)
        self._state.flushed = asked.number

    def _tell(self) -> None:
        """How it stands, if that has changed."""
        state, counts, stats = self._state, self._intake.counts, self._writer.stats()
        state.requests, state.malformed, state.held_back = counts.requests, counts.malformed, counts.held_back
        state.too_large, state.turned_away = counts.too_large, counts.turned_away
        state.taken, state.refused = dict(counts.taken), dict(counts.refused)
        state.written_rows, state.dropped_rows = stats.written_rows, stats.dropped_rows
        state.waiting_rows = stats.buffered_rows + stats.spooled_rows
        state.last_error = stats.last_error or self._ledger.problem
        told = msgspec.msgpack.encode(state)
        if told != self._told:
            self._told = told
            self._send(told)

    def _send(self, payload: bytes) -> None:
        try:
            self._control.sendall(framed(payload))
        except OSError:
            self._ended = True
