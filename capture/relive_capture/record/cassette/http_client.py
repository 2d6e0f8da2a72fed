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

__all__ = ["patch_http_client"]

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
