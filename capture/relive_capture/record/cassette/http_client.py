"""http.client, and so urllib.request, urllib3, requests and botocore: bytes as on the wire, without TLS.

A response is copied where its buffer is filled, in the same large reads as without us; http.client and
urllib3 go on parsing in C. A stream stays a stream.
"""

from __future__ import annotations

import socket
import threading
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.cassette.tape import Call

if TYPE_CHECKING:
    from relive_capture.record.cassette.recorder import Recorder

__all__ = ["patch_http_client", "patch_sockets", "patch_ssl", "patch_urllib3"]

_HTTPS_PORT = 443
_CALL = "_relive_call"  # on a connection: the call that it works on


class _Local(threading.local):
    call: Call | None = None


def patch_http_client(recorder: Recorder, module: ModuleType) -> None:
    """Copy what connections send and their responses give."""
    local = _Local()
    _patch_send(recorder, module.HTTPConnection)
    _patch_getresponse(local, module.HTTPConnection)
    _patch_begin(local, module.HTTPResponse)


def _patch_send(recorder: Recorder, connection: Any) -> None:
    send = connection.send

    @wraps(send)
    def recorded(self: Any, data: Any) -> None:
        tape = recorder.tape
        if tape is None:
            send(self, data)
            return
        if self.sock is None and self.auto_open:
            self.connect()  # as send would: a connection that fails is no call yet
        kept = self.__dict__
        call: Call | None = kept.get(_CALL)
        if call is None or call.answered or not call.live:
            call = kept[_CALL] = tape.call("wire", "http.client", origin=_origin(self))
        call.sent(data)
        try:
            send(self, data)
        except Exception as error:
            call.failed(error, "send")
            raise

    connection.send = recorded


def _patch_getresponse(local: _Local, connection: Any) -> None:
    getresponse = connection.getresponse

    @wraps(getresponse)
    def recorded(self: Any) -> Any:
        call: Call | None = self.__dict__.get(_CALL)
        if call is None or call.answered:
            return getresponse(self)
        call.answer_begins()
        local.call = call
        try:
            return getresponse(self)
        except Exception as error:
            call.failed(error, "response")
            raise
        finally:
            local.call = None

    connection.getresponse = recorded


def _patch_begin(local: _Local, response: Any) -> None:
    begin = response.begin

    @wraps(begin)
    def recorded(self: Any) -> None:
        call = local.call
        if call is not None:
            local.call = None
            call.raw.method = call.raw.method or _text(self.__dict__.get("_method"))
            raw = getattr(self.fp, "raw", None)
            if type(raw) is socket.SocketIO:
                raw.__dict__[_CALL] = call
                raw.__class__ = _CopyingSocketIO
            else:
                call.raw.response_cut = 1  # somebody else's kind of socket
        begin(self)

    response.begin = recorded


class _CopyingSocketIO(socket.SocketIO):
    """The raw end of a response's buffer. Made by changing the class of the one that is there."""

    def readinto(self, buffer: Any) -> int | None:
        call: Call = self.__dict__[_CALL]
        try:
            count = socket.SocketIO.readinto(self, buffer)
        except Exception as error:
            call.failed(error, "body")
            raise
        if count:
            call.received(memoryview(buffer)[:count])
        elif count == 0:
            call.raw.ended = True
        return count


def _origin(connection: Any) -> str:
    host = connection._tunnel_host or connection.host
    port = connection._tunnel_port if connection._tunnel_host else connection.port
    secure = connection.default_port == _HTTPS_PORT
    return f"{'https' if secure else 'http'}://{host}:{port}"


def _text(value: object) -> str:
    return value if type(value) is str else ""


def patch_sockets(recorder: Recorder, module: ModuleType) -> None:
    """socket.create_connection: what was opened, and what could not be."""
    module.create_connection = _recorded_connect(recorder, module.create_connection)  # type: ignore[attr-defined]


def patch_urllib3(recorder: Recorder, module: ModuleType) -> None:
    """The same in urllib3.util.connection, which has its own."""
    module.create_connection = _recorded_connect(recorder, module.create_connection)  # type: ignore[attr-defined]


def _recorded_connect(recorder: Recorder, create_connection: Any) -> Any:
    @wraps(create_connection)
    def connect(address: Any, *arguments: Any, **options: Any) -> Any:
        tape = None if recorder.inside else recorder.tape
        if tape is None or type(address) is not tuple:
            return create_connection(address, *arguments, **options)
        try:
            found = create_connection(address, *arguments, **options)
        except Exception as error:
            call = tape.call("connect", "socket", origin=f"{address[0]}:{address[1]}")
            call.failed(error, "connect")
            raise
        tape.connected(address[0], address[1])
        return found

    return connect


def patch_ssl(recorder: Recorder, module: ModuleType) -> None:
    """A TLS handshake that fails."""
    context = module.SSLContext
    wrap_socket = context.wrap_socket

    @wraps(wrap_socket)
    def recorded_wrap(self: Any, sock: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return wrap_socket(self, sock, *arguments, **options)
        except Exception as error:
            tape = None if recorder.inside else recorder.tape
            if tape is not None:
                host = options.get("server_hostname")
                tape.call("connect", "ssl", origin=_text(host)).failed(error, "tls")
            raise

    context.wrap_socket = recorded_wrap
