"""Messages of the Debug Adapter Protocol: JSON with its length before it. Bytes in, messages out; no input or
output of its own."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["MESSAGE_BYTES", "Decoder", "WireError", "encode"]

MESSAGE_BYTES: Final = 4 * 1_048_576
_HEAD_BYTES: Final = 1_024
_END: Final = b"\r\n\r\n"
_FIELDS: Final = frozenset((b"content-length", b"content-type"))


class WireError(Exception):
    """What came in is no such message; the message says why. Nothing can be read after it."""


class Decoder:
    """Takes a stream in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length = -1  # of the body that is read now; -1: the head is

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The messages that are complete now. Raises WireError."""
        self._buffer += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    @property
    def within(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer) or self._length >= 0

    def _next(self) -> dict[str, Any] | None:
        if self._length < 0 and not self._read_head():
            return None
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = -1
        return _message(body)

    def _read_head(self) -> bool:
        end = self._buffer.find(_END, 0, _HEAD_BYTES + len(_END))
        # A page of a browser can send HTTP here: its first line is not one of ours.
        _check_fields(bytes(self._buffer[: end if end >= 0 else _HEAD_BYTES]), whole=end >= 0)
        if end < 0:
            if len(self._buffer) > _HEAD_BYTES:
                raise WireError(f"the head of a message is over {_HEAD_BYTES} bytes")
            return False
        self._length = _length(bytes(self._buffer[:end]))
        del self._buffer[: end + len(_END)]
        return True


def _check_fields(head: bytes, *, whole: bool) -> None:
    lines = head.split(b"\r\n")
    for line in lines if whole else lines[:-1]:
        name, colon, _ = line.partition(b":")
        if not colon or name.strip().lower() not in _FIELDS:
            raise WireError(f"a message begins with Content-Length, not with {line[:40]!r}")


def _length(head: bytes) -> int:
    lengths = []
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            lengths.append(value.strip())
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > 12:
        raise WireError("a message has one Content-Length, which is a number")
    if int(lengths[0]) > MESSAGE_BYTES:
        raise WireError(f"a message of {int(lengths[0]):,} bytes is over the limit, {MESSAGE_BYTES:,}")
    return int(lengths[0])


def _message(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message is not JSON: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise WireError("a message is a JSON object")
    return found


def encode(message: dict[str, Any]) -> bytes:
    """With its length. What is no Unicode text in it is escaped."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
