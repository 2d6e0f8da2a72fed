"""Websockets: what their applications send, from a worker to whoever has the client's end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import msgspec
from relive_base.wire.messages import WEBSOCKET, SocketAccept, SocketClose, SocketData, SocketTaken

from relive_platform.engine.attempt import RUNNING, Attempt
from relive_platform.engine.invocation import SocketReader
from relive_platform.engine.workers.life import WorkerLife

__all__ = ["WorkerSockets"]

_DECODERS: Final[dict[str, msgspec.msgpack.Decoder[Any]]] = {
    "socket_accept": msgspec.msgpack.Decoder(SocketAccept),
    "socket_data": msgspec.msgpack.Decoder(SocketData),
    "socket_close": msgspec.msgpack.Decoder(SocketClose),
    "socket_taken": msgspec.msgpack.Decoder(SocketTaken),
}


class WorkerSockets:
    """Those of one worker. Payloads are of messages without their length."""

    def __init__(self, life: WorkerLife, on_accept: Callable[[Attempt], None]) -> None:
        """`on_accept` is told of an attempt that has begun to answer."""
        self._life = life
        self._on_accept = on_accept
        self.takes: dict[str, Callable[[bytes], None]] = {
            tag: partial(self._take, decoder) for tag, decoder in _DECODERS.items()
        }

    def _take(self, decoder: msgspec.msgpack.Decoder[Any], payload: bytes) -> None:
        message = decoder.decode(payload)
        life = self._life
        attempt = life.attempts.get(message.invocation_id)
        if attempt is None or attempt.state != RUNNING or life.condemned:
            return
        if attempt.request.wire != WEBSOCKET:
            return
        if type(message) is SocketAccept:
            self._on_accept(attempt)
        cast("SocketReader", attempt.waiter).take_socket(attempt.record, message)
