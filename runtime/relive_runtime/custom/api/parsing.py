"""HTTP/1.1 requests as they come in pieces, within limits: what bad ones are told, and that is all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Head", "HttpError", "RequestParser", "RequestTaker"]

MAX_HEAD_BYTES: Final = 2 * 1024 * 1024  # awslambdaric sends X-Ray causes of up to 1 MiB as a header
_MAX_HEADERS: Final = 200
_MAX_CHUNK_LINE: Final = 1_024
_END: Final = b"\r\n\r\n"
_BAD: Final = 400
_TOO_LARGE: Final = 431
_METHODS: Final = frozenset(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"))

# where a connection stands
_HEAD: Final = "head"
_LENGTH: Final = "length"
_CHUNK: Final = "chunk"
_CHUNK_END: Final = "chunk end"
_CHUNK_SIZE: Final = "chunk size"
_TRAILERS: Final = "trailers"


class HttpError(Exception):
    """A request that cannot be read: the connection ends with this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head:
    """What comes before the body. Names of headers are in lower case."""

    __slots__ = ("headers", "keep_alive", "length", "method", "path", "wants_continue")

    def __init__(self, method: str, path: str, headers: dict[str, str], version: str) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        connection = headers.get("connection", "").lower()
        self.keep_alive = "close" not in connection and (version == "HTTP/1.1" or "keep-alive" in connection)
        self.wants_continue = headers.get("expect", "").lower() == "100-continue"
        self.length = _length(headers)  # -1: in chunks


class RequestTaker(Protocol):
    """Who gets the requests of one connection, one after the other."""

    def on_head(self, head: Head) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self, trailers: dict[str, str]) -> None: ...


class RequestParser:
    """Cuts a byte stream into requests. After an HttpError it takes no more."""

    def __init__(self, taker: RequestTaker) -> None:
        self._taker = taker
        self._buffer = bytearray()
        self._state = _HEAD
        self._left = 0
        self._steps: dict[str, Callable[[], bool]] = {
            _HEAD: self._head,
            _LENGTH: self._length,
            _CHUNK_SIZE: self._chunk_size,
            _CHUNK: self._chunk,
            _CHUNK_END: self._chunk_end,
            _TRAILERS: self._trailers,
        }
        self.held = False
        """No further request is looked at until the one before is answered."""

    @property
    def between(self) -> bool:
        """Whether no request has begun that has not come to its end."""
        return self._state == _HEAD and not self._buffer

    def feed(self, data: bytes) -> None:
        """What came. Raises HttpError."""
        self._buffer += data
        self.go_on()

    def go_on(self) -> None:
        """Look at what is there. Raises HttpError."""
        while not (self.held and self._state == _HEAD) and self._steps[self._state]():
            pass
        if self.held and len(self._buffer) > MAX_HEAD_BYTES:
            raise HttpError(_TOO_LARGE, "too much was sent ahead of an answer")

    def _head(self) -> bool:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        end = buffer.find(_END)
        if end < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise HttpError(_TOO_LARGE, f"the head of the request has over {MAX_HEAD_BYTES} bytes")
            begun = buffer[:16].lstrip()
            if begun and not begun[:1].isalpha():
                raise HttpError(_BAD, "this is no HTTP request")
            return False
        text = bytes(buffer[:end]).decode("latin-1")
        del buffer[: end + len(_END)]
        head = _read_head(text)
        self._taker.on_head(head)
        if head.length < 0:
            self._state = _CHUNK_SIZE
        elif head.length:
            self._state, self._left = _LENGTH, head.length
        else:
            self._taker.on_end({})
        return True

    def _length(self) -> bool:
        return self._pass_on() and self._done({})

    def _pass_on(self) -> bool:
        """As much of the body, or of a chunk, as is there. Whether that is all of it."""
        buffer = self._buffer
        if not buffer:
            return False
        if len(buffer) <= self._left:
            data = bytes(buffer)
            buffer.clear()
        else:
            data = bytes(buffer[: self._left])
            del buffer[: self._left]
        self._left -= len(data)
        self._taker.on_body(data)
        return not self._left

    def _done(self, trailers: dict[str, str]) -> bool:
        self._state = _HEAD
        self._taker.on_end(trailers)
        return True

    def _line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end < 0 or end > _MAX_CHUNK_LINE:
            if len(self._buffer) > _MAX_CHUNK_LINE:
                raise HttpError(_BAD, "a line of a chunked body is too long")
            return None
        line = bytes(self._buffer[:end]).decode("latin-1")
        del self._buffer[: end + 2]
        return line

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        digits = line.partition(";")[0].strip()
        if not digits or len(digits) > 8 or any(char not in "0123456789abcdefABCDEF" for char in digits):
            raise HttpError(_BAD, "the size of a chunk is no hexadecimal number")
        self._left = int(digits, 16)
        self._state = _CHUNK if self._left else _TRAILERS
        return True

    def _chunk(self) -> bool:
        if self._pass_on():
            self._state = _CHUNK_END
            return True
        return False

    def _chunk_end(self) -> bool:
        if self._line_end():
            self._state = _CHUNK_SIZE
            return True
        return False

    def _line_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise HttpError(_BAD, "a chunk is longer than it says")
        del self._buffer[:2]
        return True

    def _trailers(self) -> bool:
        if self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
            return self._done({})
        end = self._buffer.find(_END)
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise HttpError(_TOO_LARGE, f"the trailers have over {MAX_HEAD_BYTES} bytes")
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + len(_END)]
        return self._done(_headers(lines))


def _read_head(text: str) -> Head:
    line, *lines = text.split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0") or words[0] not in _METHODS:
        raise HttpError(_BAD, "this is no HTTP/1.1 request")
    return Head(words[0], words[1], _headers(lines), words[2])


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > _MAX_HEADERS:
        raise HttpError(_TOO_LARGE, f"over {_MAX_HEADERS} headers")
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip():
            raise HttpError(_BAD, "a header has no name")
        if name in ("content-length", "transfer-encoding") and name in found:
            raise HttpError(_BAD, f"{name} comes twice")
        found[name] = value.strip()
    return found


def _length(headers: dict[str, str]) -> int:
    """-1 for a body in chunks."""
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise HttpError(_BAD, "a body is either in chunks or of a length")
        return -1
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        raise HttpError(_BAD, "the length of the body is no number")
    return int(text)
