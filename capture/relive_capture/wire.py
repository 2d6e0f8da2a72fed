"""HTTP/1.1 as it was on the wire, taken apart. Pure functions over bytes that may end anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Message", "parse_request", "parse_response"]

_HEAD_BYTES: Final = 131_072
_CHUNK_LINE: Final = re.compile(rb"\s*([0-9A-Fa-f]{1,16})[^\r\n]*\r?\n")
_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: +(.*))?")
_NO_BODY: Final = (204, 304)


@dataclass(slots=True)
class Message:
    """A request (`method`, `target`) or a response (`status`, `reason`). `complete`: its body has ended."""

    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False

    def header(self, name: str) -> str:
        """The first header of that name (lower case), or ""."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def parse_request(data: bytes) -> Message | None:
    """A request; the CONNECT of a proxy's tunnel before it is skipped. None if there is no head."""
    found = _head(data)
    if found is None:
        return None
    line, headers, rest = found
    words = line.split(b" ")
    if words[0] == b"CONNECT" and rest:
        return parse_request(rest)
    message = Message(method=_text(words[0]), target=_text(b" ".join(words[1:-1])), headers=headers)
    _take_body(message, rest, ended=False)
    return message


def parse_response(data: bytes, *, method: str = "", ended: bool = False) -> Message | None:
    """A response; those that only say that it goes on (1xx) are skipped. None if there is no whole head.

    `ended`: the other side has closed, which ends a body without a length.
    """
    while (found := _head(data)) is not None:
        line, headers, rest = found
        match = _STATUS.match(line)
        if match is None:
            return None
        status = int(match[1])
        if 100 <= status < 200 and status != 101:
            data = rest
            continue
        message = Message(status=status, reason=_text(match[2] or b""), headers=headers)
        if method == "HEAD" or status in _NO_BODY:
            message.complete = True
        else:
            _take_body(message, rest, ended=ended)
        return message
    return None


def _head(data: bytes) -> tuple[bytes, list[tuple[str, str]], bytes] | None:
    """(first line, headers, the rest)."""
    end = data.find(b"\r\n\r\n", 0, _HEAD_BYTES)
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and headers:  # folded
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {_text(line.strip())}")
            continue
        name, separator, value = line.partition(b":")
        if separator:
            headers.append((_text(name.strip()), _text(value.strip())))
    return lines[0], headers, data[end + 4 :]


def _take_body(message: Message, rest: bytes, *, ended: bool) -> None:
    if "chunked" in message.header("transfer-encoding").lower():
        message.body, message.complete = _dechunk(rest)
        return
    length = message.header("content-length")
    if length.isdecimal():
        message.body = rest[: int(length)]
        message.complete = len(message.body) == int(length)
    elif message.method:
        message.complete = True  # a request without a length has no body
    else:
        message.body, message.complete = rest, ended


def _dechunk(data: bytes) -> tuple[bytes, bool]:
    chunks: list[bytes] = []
    position = 0
    while (match := _CHUNK_LINE.match(data, position)) is not None:
        size = int(match[1], 16)
        if size == 0:
            return b"".join(chunks), True
        chunk = data[match.end() : match.end() + size]
        chunks.append(chunk)
        if len(chunk) < size:
            break
        position = match.end() + size + 2
    return b"".join(chunks), False


def _text(data: bytes) -> str:
    return data.decode("latin-1")
