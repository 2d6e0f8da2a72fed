"""A socket that answers from the recording: what http.client and urllib3 send is read, the rest is theirs."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.answers import (
    NotRecorded,
    is_abandoned,
    pause,
    rebuild,
    wait,
    wire_answer,
)
from relive_capture.wire import parse_request

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["FakeSocket", "fake_connect"]

_TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


def fake_connect(player: PlayedCalls, original: Callable[..., socket.socket]) -> Callable[..., socket.socket]:
    """A create_connection that connects to nothing but a server of the function's own."""

    def connect(address: Any, *arguments: Any, **options: Any) -> socket.socket:
        if address[1] in player.own_ports:
            return original(address, *arguments, **options)
        failure = player.connection_failure(address[0], address[1])
        if failure is not None:
            raise failure
        return FakeSocket(player, address[0], address[1])

    return connect


class FakeSocket(socket.socket):
    """One end of a pair whose other end is silent: it can be waited for, and nothing ever comes."""

    def __init__(self, player: PlayedCalls, host: str, port: int) -> None:
        ours, self._silent = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._player = player
        self._place = f"{host}:{port}"
        self._scheme = "http"
        self._sent = bytearray()
        self.abandoned = False  # what it answers was not read to its end: a time limit struck

    def secure(self) -> FakeSocket:
        """The same, as after a TLS handshake."""
        self._scheme = "https"
        return self

    def tunnelled(self, place: str) -> None:
        """A proxy's tunnel leads to `place` from here on."""
        self._place = place

    def sendall(self, data: Any, flags: int = 0) -> None:
        self._sent += data
        if self._sent.startswith(b"GET ") and b"upgrade: websocket" in self._sent.lower():
            raise self._player.refuse(f"a WebSocket to {self._place}")

    def send(self, data: Any, flags: int = 0) -> int:
        self._sent += data
        return len(data)

    def setsockopt(self, *arguments: Any) -> None: ...

    def getpeercert(self, binary_form: bool = False) -> Any:
        """A certificate that says nothing."""
        return b"" if binary_form else {}

    def selected_alpn_protocol(self) -> None:
        """HTTP/1.1."""

    def version(self) -> str:
        """As a TLS socket says it."""
        return "TLSv1.3"

    def close(self) -> None:
        self._silent.close()
        super().close()

    def makefile(self, *_arguments: Any, **_options: Any) -> Any:
        """Where http.client reads the response from."""
        return io.BufferedReader(_Answer(self))

    def answer(self) -> tuple[bytes, Exception | None]:
        """(the response to what was sent, what reading it to its end leads to). Raises what the call ended
        in."""
        data = bytes(self._sent)
        self._sent.clear()
        if data.startswith(b"CONNECT "):
            head, _, rest = data.partition(b"\r\n\r\n")
            self._place = head.split(b" ")[1].decode("latin-1")
            if not rest:
                return _TUNNEL, None
        request = parse_request(data)
        if request is None:
            raise self._player.refuse(f"what was sent to {self._place} (it is not HTTP)")
        target = request.target
        url = target if "://" in target.split("?")[0] else f"{self._scheme}://{self._place}{target}"
        recorded_call = self._player.request(request.method, url, request.body)
        pause(self._player.took_s(recorded_call))
        if not self._player.ended(recorded_call):
            wait()
        abandoned = is_abandoned(recorded_call)
        failure = (
            rebuild(recorded_call.failure) if recorded_call.failure is not None and not abandoned else None
        )
        self.abandoned = abandoned
        return wire_answer(recorded_call, request.method), failure

    def recv(self, *_arguments: Any) -> bytes:
        raise self._not_http()

    def recv_into(self, *_arguments: Any, **_options: Any) -> int:
        raise self._not_http()

    def _not_http(self) -> NotRecorded:
        return self._player.refuse(f"a connection to {self._place} that is not HTTP")


class _Answer(io.RawIOBase):
    """The response of a FakeSocket; it is looked for when it is read."""

    def __init__(self, owner: FakeSocket) -> None:
        self._owner = owner
        self._data: memoryview | None = None
        self._failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._data is None:
            data, self._failure = self._owner.answer()
            self._data = memoryview(data)
        count = min(len(buffer), len(self._data))
        if not count and self._failure is not None:
            raise self._failure
        if not count and self._owner.abandoned:
            wait()
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count
