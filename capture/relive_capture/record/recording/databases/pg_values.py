"""PostgreSQL's values as they are on the wire, and as people read them. What does not come back byte for byte
stays bytes."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

__all__ = ["to_typed", "to_wire"]

TEXT: Final = 0
_EPOCH_DAY: Final = date(2000, 1, 1)
_EPOCH: Final = datetime(2000, 1, 1)
_EPOCH_UTC: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NUMERIC: Final = struct.Struct("!HhHH")
_NEGATIVE: Final = 0x4000
_DIGIT: Final = 4  # decimal digits in one of base 10,000
_JSONB: Final = b"\x01"


def to_typed(data: bytes | None, form: int, oid: int) -> object:
    """A value for a recording: text for text, of binary ones the value itself if it comes back as it was."""
    if data is None:
        return None
    if form == TEXT:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data
    reading = _READ.get(oid)
    if reading is None:
        return data
    try:
        value = reading(data)
        return value if to_wire(value, form, oid) == data else data
    except (struct.error, ValueError, ArithmeticError):
        return data


def to_wire(value: Any, form: int, oid: int) -> bytes | None:
    """The same bytes again."""
    if value is None or type(value) is bytes:
        return value
    if form == TEXT:
        return str(value).encode()
    return _WRITE[oid](value)


def _read_numeric(data: bytes) -> Decimal:
    count, weight, sign, scale = _NUMERIC.unpack_from(data)
    if sign not in (0, _NEGATIVE):
        raise ValueError("not a number")
    digits = struct.unpack_from(f"!{count}H", data, 8)
    whole = 0
    for digit in digits:
        whole = whole * 10_000 + digit
    exponent = (weight - count + 1) * _DIGIT
    value = Decimal(whole).scaleb(exponent) if count else Decimal(0)
    shown = f"{value:.{scale}f}"
    return Decimal(f"-{shown}" if sign else shown)


def _write_numeric(value: Decimal) -> bytes:
    sign, numbers, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(-exponent, 0)
    text = "".join(map(str, numbers)) + "0" * max(exponent, 0)
    whole, part = (text[:-scale] or "0", text[-scale:].rjust(scale, "0")) if scale else (text, "")
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // _DIGIT) * _DIGIT, "0")
    part = part.ljust(-(-len(part) // _DIGIT) * _DIGIT, "0")
    groups = [int((whole + part)[at : at + _DIGIT]) for at in range(0, len(whole) + len(part), _DIGIT)]
    weight = len(whole) // _DIGIT - 1
    while groups and not groups[0]:
        del groups[0]
        weight -= 1
    while groups and not groups[-1]:
        del groups[-1]
    head = _NUMERIC.pack(len(groups), weight if groups else 0, _NEGATIVE if sign else 0, scale)
    return head + struct.pack(f"!{len(groups)}H", *groups)


def _reads(form: str) -> Callable[[bytes], object]:
    unpack = struct.Struct(form).unpack
    return lambda data: unpack(data)[0]


def _writes(form: str) -> Callable[[Any], bytes]:
    return struct.Struct(form).pack


def _text(data: bytes) -> object:
    return data.decode()


def _jsonb(data: bytes) -> object:
    if data[:1] != _JSONB:
        raise ValueError("another version")
    return data[1:].decode()


def _moment(start: datetime) -> Callable[[bytes], object]:
    return lambda data: start + timedelta(microseconds=struct.unpack("!q", data)[0])


_WHOLE: Final = {21: "!h", 23: "!i", 20: "!q", 26: "!I", 700: "!f", 701: "!d", 16: "!?"}
_TEXTS: Final = (25, 1043, 1042, 19, 114, 705, 142)
_READ: Final[dict[int, Callable[[bytes], object]]] = {
    **{oid: _reads(form) for oid, form in _WHOLE.items()},
    **dict.fromkeys(_TEXTS, _text),
    3802: _jsonb,
    2950: lambda data: uuid.UUID(bytes=data),
    1082: lambda data: _EPOCH_DAY + timedelta(days=struct.unpack("!i", data)[0]),
    1114: _moment(_EPOCH),
    1184: _moment(_EPOCH_UTC),
    1700: _read_numeric,
}
_WRITE: Final[dict[int, Callable[[Any], bytes]]] = {
    **{oid: _writes(form) for oid, form in _WHOLE.items()},
    **dict.fromkeys(_TEXTS, lambda value: str(value).encode()),
    3802: lambda value: _JSONB + str(value).encode(),
    2950: lambda value: value.bytes,
    1082: lambda value: struct.pack("!i", (value - _EPOCH_DAY).days),
    1114: lambda value: struct.pack("!q", (value - _EPOCH) // _MICROSECOND),
    1184: lambda value: struct.pack("!q", (value - _EPOCH_UTC) // _MICROSECOND),
    1700: _write_numeric,
}
