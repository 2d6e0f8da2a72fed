"""Messages in one frame without an extension, as nearly all are, past the library's parser and writer: these
take a third of what the gateway does for a message. Everything else is the library's.
"""

from __future__ import annotations

from typing import Final

from websockets.frames import apply_mask  # type: ignore[attr-defined] # the fast one, if there is one

__all__ = ["plain_frame", "plain_messages"]

_TEXT: Final = 0x81  # with the bit of a last frame
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_SHORT: Final = 126
_MEDIUM: Final = 65_536


def plain_messages(data: bytes, limit: int) -> tuple[list[tuple[bytes, bool]], int]:
    """The messages at the beginning of `data`, with whether they are text, and where the rest begins: an
    incomplete frame, one that is over the limit, or another kind. Text is UTF-8."""
    found: list[tuple[bytes, bool]] = []
    at, size = 0, len(data)
    while at + 6 <= size:
        kind, length = data[at], data[at + 1] - _MASKED
        if kind not in (_TEXT, _BINARY) or length < 0:
            break
        begin = at + 6
        if length >= _SHORT:
            if length > _SHORT or at + 8 > size:
                break
            length = data[at + 2] << 8 | data[at + 3]
            begin = at + 8
            if length < _SHORT:
                break
        end = begin + length
        if end > size or length > limit:
            break
        message = apply_mask(data[begin:end], data[begin - 4 : begin])
        if kind == _TEXT and not _is_utf8(message):
            break
        found.append((message, kind == _TEXT))
        at = end
    return found, at


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False  # the library's way has the words for it
    return True


def plain_frame(data: bytes, text: bool) -> bytes:
    """A whole message of a server."""
    kind, length = _TEXT if text else _BINARY, len(data)
    if length < _SHORT:
        return bytes((kind, length)) + data
    if length < _MEDIUM:
        return bytes((kind, _SHORT, length >> 8, length & 0xFF)) + data
    return bytes((kind, _SHORT + 1)) + length.to_bytes(8, "big") + data
