"""http.client, and so urllib.request, urllib3, requests and botocore: bytes as on the wire, without TLS.

A response is copied where its buffer is filled, in the same large reads as without us; http.client and
urllib3 go on parsing in C. A stream stays a stream.
"""

from __future__ import annotations

import socket
from functools import wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import without_this_frame

from relive_capture.record.recording.recorded import Call, CallRecording, CallRecordingHolder

__all__ = ["patch_http_client"]

_HTTPS_PORT = 443
_ORIGIN = "_relive_origin"  # on a connection: (id of its socket, where it leads)


def patch_http_client(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Copy what connections send and their responses give."""
    _patch_send(recorder, module.HTTPConnection)
    _patch_begin(recorder, module.HTTPResponse)


def _patch_send(recorder: CallRecordingHolder, connection: Any) -> None:
    send = connection.send

    @wraps(send)
    def recorded(self: Any, data: Any) -> None:
        kept_calls = recorder.kept_calls
        sending = None
        if kept_calls is not None:
            sending = _Sending(self, kept_calls, data)
            if self.sock is None and self.auto_open:  # a connection that fails is no call yet
                sending.connects()
            else:
                sending.begins()
        try:
            send(self, data)
        except BaseException as error:  # even if the time limit strikes
            without_this_frame(error)
            if sending is not None:
                sending.failed(error)
            raise
        finally:
            if sending is not None and sending.connect is not None:
                sending.connected()

    connection.send = recorded


class _Sending:
    """What is sent, and the call that it begins or goes on with."""

    __slots__ = ("_call", "_connection", "_data", "_instead", "_kept_calls", "_key", "connect")

    def __init__(self, connection: Any, kept_calls: CallRecording, data: Any) -> None:
        self._connection = connection
        self._kept_calls = kept_calls
        self._data = data
        self._call: Call | None = None
        self._key = 0
        self._instead: Any = None
        self.connect: Any = None

    def begins(self) -> None:
        """Its connection is open."""
        connection, calls = self._connection, self._kept_calls.on_socket
        key = self._key = id(connection.sock)
        call = calls.get(key)
        if call is None:
            kept = connection.__dict__.get(_ORIGIN)
            if kept is None or kept[0] != key:
                kept = connection.__dict__[_ORIGIN] = (key, _origin(connection))
            call = calls[key] = self._kept_calls.call("wire", "http.client", kept[1])
        call.sent(self._data)
        self._call = call

    def failed(self, error: BaseException) -> None:
        """It was not sent."""
        if self._call is not None:
            self._kept_calls.on_socket.pop(self._key, None)
            self._call.failed(error, "send")

    def connects(self) -> None:
        """`send` itself opens it, and calls this."""
        state = self._connection.__dict__
        self.connect = self._connection.connect
        self._instead = state.get("connect")
        state["connect"] = self

    def connected(self) -> None:
        """What was called instead is in its place again."""
        state = self._connection.__dict__
        if self._instead is not None:
            state["connect"] = self._instead
        elif state.get("connect") is self:
            del state["connect"]

    def __call__(self) -> None:
        try:
            self.connect()
        except BaseException as error:
            without_this_frame(error)
            raise
        self.begins()


def _patch_begin(recorder: CallRecordingHolder, response: Any) -> None:
    """`begin` is the first to read a response, inside of getresponse."""
    begin = response.begin

    @wraps(begin)
    def recorded(self: Any) -> None:
        kept_calls, call = recorder.kept_calls, None
        if kept_calls is not None and kept_calls.on_socket:
            raw = getattr(self.fp, "raw", None)
            call = kept_calls.on_socket.pop(id(getattr(raw, "_sock", None)), None)
        if call is not None:
            call.answer_begins()
            call.raw.method = _text(self._method)
            if type(raw) is socket.SocketIO:
                raw._relive_call = call  # type: ignore[attr-defined]
                raw.__class__ = _CopyingSocketIO
            else:
                call.raw.response_cut = 1  # somebody else's kind of socket
        try:
            begin(self)
        except BaseException as error:
            without_this_frame(error)
            if call is not None:
                call.failed(error, "response")
            raise
        if call is not None:
            call.timed()

    response.begin = recorded


_readinto = socket.SocketIO.readinto


class _CopyingSocketIO(socket.SocketIO):
    """The raw end of a response's buffer. Made by changing the class of the one that is there."""

    __module__ = "socket"

    def readinto(self, buffer: Any) -> int | None:
        call: Call = self._relive_call  # type: ignore[attr-defined]
        try:
            count = _readinto(self, buffer)
        except BaseException as error:
            without_this_frame(error)
            call.failed(error, "body")
            raise
        if count:
            kept_calls = call.kept_calls
            if count <= call.left and count <= kept_calls.left_bytes:  # as `received`, which is a call more
                call.left -= count
                kept_calls.left_bytes -= count
                call.response.append(bytes(memoryview(buffer).cast("B")[:count]))  # or it is a bytearray
            else:
                call.received(memoryview(buffer).cast("B")[:count])
        elif count == 0:
            call.raw.ended = True
        return count


_CopyingSocketIO.__name__ = _CopyingSocketIO.__qualname__ = "SocketIO"


def _origin(connection: Any) -> str:
    host = connection._tunnel_host or connection.host
    port = connection._tunnel_port if connection._tunnel_host else connection.port
    secure = connection.default_port == _HTTPS_PORT
    return f"{'https' if secure else 'http'}://{host}:{port}"


def _text(value: object) -> str:
    return value if type(value) is str else ""
