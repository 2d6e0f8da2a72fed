"""A connection of a library whose bytes are copied: what it sends is a request, what comes then its
answer."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.recorded import Call, CallRecordingHolder

__all__ = ["Tap", "is_tapped", "look_like", "tap_socket", "tap_transport"]


class Tap:
    """Of one connection. `form`, `library` and `origin` are those of its calls."""

    __slots__ = ("_call", "_form", "_holder", "_library", "_origin")

    def __init__(self, holder: CallRecordingHolder, form: str, library: str, origin: str) -> None:
        self._holder = holder
        self._form = form
        self._library = library
        self._origin = origin
        self._call: Call | None = None  # the one that is being sent, or answered

    def begins(self) -> Call | None:
        """The next call, if there is anybody who keeps it."""
        kept_calls = self._holder.kept_calls
        return None if kept_calls is None else kept_calls.call(self._form, self._library, self._origin)

    def sent(self, data: Any) -> None:
        """These bytes go out."""
        call = self._call
        if call is None or call.answered or not call.live:
            call = self._call = self.begins()
        if call is not None:
            call.sent(data)

    def received(self, data: Any) -> None:
        """These have come; none: the connection is at its end."""
        call = self._call
        if call is None:
            return
        if not call.answered:
            call.answer_begins()
            call.timed()
        if data:
            call.received(data)
        else:
            call.raw.ended = True

    def failed(self, error: BaseException) -> None:
        """Sending or receiving has ended in this."""
        if self._call is not None and not isinstance(error, BlockingIOError):
            self._call.failed(error, "response" if self._call.answered else "send")


def look_like(own: Any, base: Any) -> None:
    """Let a class of ours go by the name of what it stands for."""
    for name in ("__module__", "__name__", "__qualname__"):
        setattr(own, name, getattr(base, name))


class _Methods:
    """What is copied. The socket's own methods do the work."""

    __slots__ = ()

    def send(self, data: Any, *flags: Any) -> int:
        try:
            count: int = super().send(data, *flags)  # type: ignore[misc]
        except BaseException as error:
            without_this_frame(error)
            raise
        _of(self).sent(memoryview(data).cast("B")[:count])
        return count

    def recv(self, *arguments: Any) -> bytes:
        try:
            data: bytes = super().recv(*arguments)  # type: ignore[misc]
        except BaseException as error:
            without_this_frame(error)
            _of(self).failed(error)
            raise
        _of(self).received(data)
        return data

    def recv_into(self, buffer: Any, *arguments: Any) -> int:
        try:
            count: int = super().recv_into(buffer, *arguments)  # type: ignore[misc]
        except BaseException as error:
            without_this_frame(error)
            _of(self).failed(error)
            raise
        _of(self).received(memoryview(buffer).cast("B")[:count])
        return count


class _Plain(_Methods, socket.socket):
    __slots__ = ("_relive_tap",)
    _relive_tap: Tap

    def sendall(self, data: Any, *flags: Any) -> None:
        tap = _of(self)
        tap.sent(data)
        try:
            super().sendall(data, *flags)
        except BaseException as error:
            without_this_frame(error)
            tap.failed(error)
            raise


class _Secure(_Methods, ssl.SSLSocket):
    """The class of a TLS socket is changed, and nothing else of it: it cannot be made anew. Its `sendall`
    sends by its `send`."""


look_like(_Plain, socket.socket)
look_like(_Secure, ssl.SSLSocket)


def _of(sock: Any) -> Tap:
    tap: Tap = sock._relive_tap
    return tap


def tap_socket(sock: Any, tap: Tap) -> Any:
    """The same connection, tapped: give this to the library instead of `sock`. What is of another class stays
    as it is, and is `is_tapped` no."""
    if type(sock) is socket.socket:
        timeout = sock.gettimeout()
        made = _Plain(sock.family, sock.type, sock.proto, fileno=sock.detach())
        made.settimeout(timeout)
        made._relive_tap = tap
        return made
    if type(sock) is ssl.SSLSocket:
        sock._relive_tap = tap  # type: ignore[attr-defined]
        sock.__class__ = _Secure
    return sock


def is_tapped(sock: Any) -> bool:
    """Whether its bytes are copied."""
    return type(sock) in (_Plain, _Secure)


def tap_transport(transport: Any, protocol: Any, tap: Tap) -> bool:
    """The same of an asyncio transport and its protocol. Whether it could be done: uvloop's are of C."""
    write, received = transport.write, protocol.data_received
    ended, lost = protocol.eof_received, protocol.connection_lost

    def recorded_write(data: Any) -> None:
        tap.sent(data)
        with UNSEEN:
            write(data)

    def recorded_lines(chunks: Any) -> None:
        with UNSEEN:
            recorded_write(b"".join(chunks))

    def recorded_received(data: Any) -> None:
        tap.received(data)
        with UNSEEN:
            received(data)

    def recorded_end() -> Any:
        tap.received(b"")
        with UNSEEN:
            return ended()

    def recorded_lost(error: Exception | None) -> None:
        if error is not None:  # without one, it is the function that has closed it
            tap.failed(error)
        with UNSEEN:
            lost(error)

    try:
        transport.write = recorded_write
    except AttributeError:
        return False
    transport.writelines = recorded_lines
    protocol.data_received = recorded_received
    protocol.eof_received = recorded_end
    protocol.connection_lost = recorded_lost
    return True
