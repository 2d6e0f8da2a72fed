"""Bodies as they are without their content coding: only so can they be searched for secrets. Bounded."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Final

__all__ = ["decoded", "encoded"]

_MOST_CODINGS: Final = 4
_MOST_STREAMS: Final = 1000
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15


def decoded(data: bytes, coding: str, limit: int) -> bytes | None:
    """The body of a message with this Content-Encoding ("gzip, br": the last one is undone first). None if
    a coding is not known, the data is damaged, or it has more than `limit` bytes."""
    names = [name.strip().lower() for name in coding.split(",")]
    if len(names) > _MOST_CODINGS:
        return None
    plain: bytes | None = data
    for name in reversed(names):
        if name in ("", "identity"):
            continue
        decode = _KNOWN.get(name)
        plain = decode(plain, limit) if decode is not None and plain is not None else None
    return plain


def encoded(data: bytes, coding: str) -> bytes:
    """A body with this Content-Encoding again, one that `decoded` knows."""
    for name in (name.strip().lower() for name in coding.split(",")):
        if name not in ("", "identity"):
            data = _ENCODERS[name](data)
    return data


def _inflated(data: bytes, window: int, limit: int) -> bytes | None:
    """One stream after the other: what stands behind the first one could hide anything."""
    parts: list[bytes] = []
    while data:
        unpacker = zlib.decompressobj(window)
        try:
            parts.append(unpacker.decompress(data, limit + 1))
        except zlib.error:
            return None
        limit -= len(parts[-1])
        if limit < 0 or unpacker.unconsumed_tail or len(parts) > _MOST_STREAMS:
            return None
        data = unpacker.unused_data
    return b"".join(parts)


def _gzip(data: bytes, limit: int) -> bytes | None:
    return _inflated(data, _GZIP, limit)


def _deflate(data: bytes, limit: int) -> bytes | None:
    """With the header that the standard asks for, or without, as some servers send it."""
    plain = _inflated(data, _ZLIB, limit)
    return plain if plain is not None else _inflated(data, _RAW, limit)


def _brotli(data: bytes, limit: int) -> bytes | None:
    import brotli

    unpacker = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        while not unpacker.is_finished():
            part = unpacker.process(data, output_buffer_limit=limit + 1 - size)
            data = b""
            size += len(part)
            if size > limit:
                return None
            parts.append(part)
            if not part and unpacker.can_accept_more_data():
                return None  # it was cut off
    except brotli.error:
        return None
    return b"".join(parts)


def _zstd(data: bytes, limit: int) -> bytes | None:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with unpacker.stream_reader(data, read_across_frames=True) as reader:
            plain = reader.read(limit + 1)
        if len(plain) > limit:
            return None
        rest = data
        while rest:  # the size is known now: is each frame whole?
            frame = unpacker.decompressobj()
            frame.decompress(rest)
            if not frame.eof:
                return None
            rest = frame.unused_data
    except zstandard.ZstdError:
        return None
    return plain


_ZSTD_WINDOW: Final = 8 * 1024 * 1024  # what RFC 9659 allows for HTTP
_KNOWN: Final[dict[str, Callable[[bytes, int], bytes | None]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}


def _brotlied(data: bytes) -> bytes:
    import brotli

    packed: bytes = brotli.compress(data)
    return packed


def _zstandard(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same scene is the same bytes


_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": _gzipped,
    "x-gzip": _gzipped,
    "deflate": zlib.compress,
    "br": _brotlied,
    "zstd": _zstandard,
}
