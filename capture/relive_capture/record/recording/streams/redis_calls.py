"""redis-py, sync and in an event loop: bytes of RESP, without TLS, on its connections."""

from __future__ import annotations

import re
from functools import wraps
from types import ModuleType
from typing import Any, Final

from relive_base.unseen import without_this_frame

from relive_capture.record.recording.recorded import INSIDE, Call, CallRecordingHolder
from relive_capture.record.recording.streams.tap import Tap, is_tapped, tap_socket, tap_transport

__all__ = ["patch_redis", "patch_redis_asyncio", "redis_place"]

_HANDSHAKE: Final = re.compile(
    rb"(?:\*\d+\r\n\$\d\r\n(?:HELLO|AUTH|CLIENT|SELECT|READONLY|READWRITE|PING)\r\n(?:\$\d+\r\n[^\r]*\r\n)*)+\Z"
)
_STARTS: Final = frozenset((b"HELL", b"AUTH", b"CLIE", b"SELE", b"READ", b"PING"))
_START: Final = slice(8, 12)  # behind *1..$4..
_LARGEST: Final = 1_000


def redis_place(connection: Any) -> tuple[str, str]:
    """(whom it goes to as a URL, and as a place)."""
    host, port = getattr(connection, "host", None), getattr(connection, "port", None)
    if host is None:
        path = str(getattr(connection, "path", ""))
        return f"redis+unix://{path}", path
    return f"redis://{host}:{port}/{getattr(connection, 'db', 0) or 0}", f"{host}:{port}"


class _RedisTap(Tap):
    """How a connection begins is not kept, unless the server refuses it: a replay makes connections anew."""

    __slots__ = ("_begun",)

    def __init__(self, holder: CallRecordingHolder, origin: str) -> None:
        super().__init__(holder, "redis", "redis", origin)
        self._begun = b""

    def sent(self, data: Any) -> None:
        begun = bytes(data)
        if begun[_START] in _STARTS and len(begun) < _LARGEST:
            call = self._call
            if (call is None or call.answered) and _HANDSHAKE.match(begun):
                self._begun, self._call = begun, None
                return
        self._begun = b""
        Tap.sent(self, begun)

    def received(self, data: Any) -> None:
        if self._begun and bytes(data[:1]) == b"-" and b"\r\nCLIENT\r\n" not in self._begun:
            call: Call | None = self.begins()
            if call is not None:
                call.sent(self._begun)
            self._call, self._begun = call, b""
        super().received(data)


def patch_redis(holder: CallRecordingHolder, module: ModuleType) -> None:
    """redis.connection."""
    for cls in (module.Connection, module.SSLConnection, module.UnixDomainSocketConnection):
        if "_connect" in vars(cls):
            _patch_connect(holder, cls)


def _patch_connect(holder: CallRecordingHolder, cls: Any) -> None:
    connect = cls._connect

    @wraps(connect)
    def recorded(self: Any, *arguments: Any, **options: Any) -> Any:
        kept_calls = None if INSIDE.get() else holder.kept_calls
        origin, place = redis_place(self)
        token = INSIDE.set(True)
        try:
            found = connect(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if kept_calls is not None and issubclass(type(error), Exception):
                kept_calls.not_connected("redis", place, error, "connect")
            raise
        finally:
            INSIDE.reset(token)
        tapped = tap_socket(found, _RedisTap(holder, origin))
        if kept_calls is not None and not is_tapped(tapped):
            kept_calls.connected(place)  # it is named
        return tapped

    cls._connect = recorded


def patch_redis_asyncio(holder: CallRecordingHolder, module: ModuleType) -> None:
    """redis.asyncio.connection."""
    for cls in (module.Connection, module.UnixDomainSocketConnection):
        _patch_connect_async(holder, cls)


def _patch_connect_async(holder: CallRecordingHolder, cls: Any) -> None:
    connect = cls._connect

    @wraps(connect)
    async def recorded(self: Any, *arguments: Any, **options: Any) -> None:
        kept_calls = holder.kept_calls
        origin, place = redis_place(self)
        token = INSIDE.set(True)
        try:
            await connect(self, *arguments, **options)
        except BaseException as error:
            without_this_frame(error)
            if kept_calls is not None and issubclass(type(error), Exception):
                kept_calls.not_connected("redis", place, error, "connect")
            raise
        finally:
            INSIDE.reset(token)
        transport = self._writer.transport
        tapped = tap_transport(transport, transport.get_protocol(), _RedisTap(holder, origin))
        if kept_calls is not None and not tapped:
            kept_calls.connected(place)  # it is named

    cls._connect = recorded
