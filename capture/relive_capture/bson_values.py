"""BSON, the documents of MongoDB, as JSON and back, so that the bytes come out as they went in.

32-bit integers, doubles, text, booleans, null, documents and arrays are themselves. Anything else is an
object with one key of `TAGS`, named as in MongoDB's Extended JSON where that has a form for it. A document
that looks like one of these, or has a name twice, is `{"$doc": pairs}`. Bytes that are no UTF-8 are
surrogates.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from typing import Any, Final

from relive_capture.bson_decimal import decimal_bytes, decimal_text

__all__ = ["TAGS", "as_line", "document", "packed"]

_DEPTH: Final = 120
_SHORTEST: Final = 5
_INT32: Final = struct.Struct("<i")
_INT64: Final = struct.Struct("<q")
_UINT64: Final = struct.Struct("<Q")
_DOUBLE: Final = struct.Struct("<d")
_SMALL: Final = 2**31
_Read = tuple[Any, int]


# ---------------------------------------------------------------- from bytes


def document(data: bytes, at: int = 0) -> tuple[dict[str, Any], int]:
    """(the document that begins at `at`, where it ends). Raises ValueError for what is no BSON."""
    try:
        return _document(data, at, 0)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"no BSON: {error}") from None


def _document(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    pairs, end = _pairs(data, at, depth)
    found = dict(pairs)
    if len(found) != len(pairs) or (len(pairs) == 1 and pairs[0][0] in TAGS):
        return {"$doc": [list(pair) for pair in pairs]}, end
    return found, end


def _pairs(data: bytes, at: int, depth: int) -> tuple[list[tuple[str, Any]], int]:
    if depth > _DEPTH:
        raise ValueError("nested too deep")
    size = _INT32.unpack_from(data, at)[0]
    end = at + size
    if size < _SHORTEST or end > len(data) or data[end - 1]:
        raise ValueError("a document of the wrong size")
    at += 4
    found = []
    while at < end - 1:
        kind = data[at]
        name, at = _name(data, at + 1)
        value, at = _READ[kind](data, at, depth) if kind in _READ else _unknown(kind)
        found.append((name, value))
    if at != end - 1:
        raise ValueError("a document of the wrong size")
    return found, end


def _unknown(kind: int) -> _Read:
    raise ValueError(f"type {kind:#x}")


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    size = _INT32.unpack_from(data, at)[0]
    end = at + 4 + size
    if size < 1 or end > len(data) or data[end - 1]:
        raise ValueError("a text of the wrong size")
    return data[at + 4 : end - 1].decode("utf-8", "surrogateescape"), end


def _bytes(data: bytes, at: int, size: int) -> bytes:
    if size < 0 or at + size > len(data):
        raise ValueError("too short")
    return data[at : at + size]


def _read_double(data: bytes, at: int, _depth: int) -> _Read:
    value = _DOUBLE.unpack_from(data, at)[0]
    if not math.isfinite(value):
        return {"$numberDouble": data[at : at + 8].hex()}, at + 8
    return value, at + 8


def _read_array(data: bytes, at: int, depth: int) -> _Read:
    pairs, end = _pairs(data, at, depth + 1)
    return [value for _, value in pairs], end


def _read_binary(data: bytes, at: int, _depth: int) -> _Read:
    size = _INT32.unpack_from(data, at)[0]
    content = _bytes(data, at + 5, size)
    inner = {"base64": base64.b64encode(content).decode(), "subType": f"{data[at + 4]:02x}"}
    return {"$binary": inner}, at + 5 + size


def _read_boolean(data: bytes, at: int, _depth: int) -> _Read:
    return data[at] != 0, at + 1


def _read_regex(data: bytes, at: int, _depth: int) -> _Read:
    pattern, at = _name(data, at)
    options, at = _name(data, at)
    return {"$regularExpression": {"pattern": pattern, "options": options}}, at


def _read_pointer(data: bytes, at: int, _depth: int) -> _Read:
    name, at = _text(data, at)
    return {"$dbPointer": [name, _bytes(data, at, 12).hex()]}, at + 12


def _read_scoped(data: bytes, at: int, depth: int) -> _Read:
    code, at = _text(data, at + 4)
    scope, at = _document(data, at, depth + 1)
    return {"$codeWithScope": [code, scope]}, at


def _read_timestamp(data: bytes, at: int, _depth: int) -> _Read:
    value = _UINT64.unpack_from(data, at)[0]
    return {"$timestamp": {"t": value >> 32, "i": value & 0xFFFFFFFF}}, at + 8


def _tagged_text(tag: str) -> Callable[[bytes, int, int], _Read]:
    def read(data: bytes, at: int, _depth: int) -> _Read:
        text, end = _text(data, at)
        return {tag: text}, end

    return read


def _tagged_long(tag: str) -> Callable[[bytes, int, int], _Read]:
    def read(data: bytes, at: int, _depth: int) -> _Read:
        return {tag: str(_INT64.unpack_from(data, at)[0])}, at + 8

    return read


def _constant(value: Any) -> Callable[[bytes, int, int], _Read]:
    return lambda _data, at, _depth: (value, at)


_READ: Final[dict[int, Callable[[bytes, int, int], _Read]]] = {
    0x01: _read_double,
    0x02: lambda data, at, _depth: _text(data, at),
    0x03: lambda data, at, depth: _document(data, at, depth + 1),
    0x04: _read_array,
    0x05: _read_binary,
    0x06: _constant({"$undefined": True}),
    0x07: lambda data, at, _depth: ({"$oid": _bytes(data, at, 12).hex()}, at + 12),
    0x08: _read_boolean,
    0x09: _tagged_long("$date"),
    0x0A: _constant(None),
    0x0B: _read_regex,
    0x0C: _read_pointer,
    0x0D: _tagged_text("$code"),
    0x0E: _tagged_text("$symbol"),
    0x0F: _read_scoped,
    0x10: lambda data, at, _depth: (_INT32.unpack_from(data, at)[0], at + 4),
    0x11: _read_timestamp,
    0x12: _tagged_long("$numberLong"),
    0x13: lambda data, at, _depth: ({"$numberDecimal": decimal_text(_bytes(data, at, 16))}, at + 16),
    0x7F: _constant({"$maxKey": 1}),
    0xFF: _constant({"$minKey": 1}),
}


# ---------------------------------------------------------------- and back


def packed(value: Any) -> bytes:
    """A document as BSON. Raises ValueError for what `document` never gives."""
    if not isinstance(value, dict):
        raise ValueError("not a document")
    try:
        return _packed_document(value)
    except (struct.error, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a document: {error}") from None


def _packed_document(value: dict[str, Any]) -> bytes:
    pairs = value["$doc"] if value.keys() == {"$doc"} else value.items()
    return _framed(b"".join(_element(name, item) for name, item in pairs))


def _framed(content: bytes) -> bytes:
    return _INT32.pack(len(content) + _SHORTEST) + content + b"\0"


def _element(name: str, value: Any) -> bytes:
    kind, content = _packed_value(value)
    return bytes((kind,)) + _encoded(name) + b"\0" + content


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _packed_text(text: str) -> bytes:
    data = _encoded(text)
    return _INT32.pack(len(data) + 1) + data + b"\0"


def _packed_value(value: Any) -> tuple[int, bytes]:
    if value is None:
        return 0x0A, b""
    if isinstance(value, bool):
        return 0x08, b"\1" if value else b"\0"
    if isinstance(value, str):
        return 0x02, _packed_text(value)
    if isinstance(value, int):
        return (0x10, _INT32.pack(value)) if -_SMALL <= value < _SMALL else (0x12, _INT64.pack(value))
    if isinstance(value, float):
        return 0x01, _DOUBLE.pack(value)
    if isinstance(value, list):
        return 0x04, _framed(b"".join(_element(str(number), item) for number, item in enumerate(value)))
    if len(value) == 1:
        tag = next(iter(value))
        if tag in _PACK:
            kind, pack = _PACK[tag]
            return kind, pack(value[tag])
    return 0x03, _packed_document(value)


def _pack_binary(inner: Any) -> bytes:
    content = base64.b64decode(inner["base64"], validate=True)
    return _INT32.pack(len(content)) + bytes.fromhex(inner["subType"]) + content


def _pack_regex(inner: Any) -> bytes:
    return _encoded(inner["pattern"]) + b"\0" + _encoded(inner["options"]) + b"\0"


def _pack_scoped(inner: Any) -> bytes:
    content = _packed_text(inner[0]) + _packed_document(inner[1])
    return _INT32.pack(len(content) + 4) + content


def _pack_long(inner: Any) -> bytes:
    return _INT64.pack(int(inner))


def _pack_timestamp(inner: Any) -> bytes:
    return _UINT64.pack(inner["t"] << 32 | inner["i"])


def _nothing(_inner: Any) -> bytes:
    return b""


_PACK: Final[dict[str, tuple[int, Callable[[Any], bytes]]]] = {
    "$binary": (0x05, _pack_binary),
    "$code": (0x0D, _packed_text),
    "$codeWithScope": (0x0F, _pack_scoped),
    "$date": (0x09, _pack_long),
    "$dbPointer": (0x0C, lambda inner: _packed_text(inner[0]) + bytes.fromhex(inner[1])),
    "$maxKey": (0x7F, _nothing),
    "$minKey": (0xFF, _nothing),
    "$numberDecimal": (0x13, decimal_bytes),
    "$numberDouble": (0x01, bytes.fromhex),
    "$numberLong": (0x12, _pack_long),
    "$oid": (0x07, bytes.fromhex),
    "$regularExpression": (0x0B, _pack_regex),
    "$symbol": (0x0E, _packed_text),
    "$timestamp": (0x11, _pack_timestamp),
    "$undefined": (0x06, _nothing),
}
TAGS: Final = frozenset(_PACK) | {"$doc"}
"""Names that say what type a value has."""


def as_line(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
