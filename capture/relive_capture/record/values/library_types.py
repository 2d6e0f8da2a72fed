"""Short texts for values of well-known libraries: dates, decimals, paths, locks, sockets,
scalars of numpy.

A type is looked up in `sys.modules` when a capture begins; nothing is imported for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from relive_capture.record.inspection import (
    is_immutable_type,
    mro,
    plain_name,
    static_lookup,
    type_name,
)
from relive_capture.record.values.shapes.descriptors import field

__all__ = ["LATE_TYPES", "int_text"]

_MAX_INT_BITS = 512
_MAX_DECIMAL_BYTES = 1024
_MAX_TEXT = 200
_UNICODE, _ASCII = 32, 256
_FLAGS = (
    (2, "IGNORECASE"), (4, "LOCALE"), (8, "MULTILINE"), (16, "DOTALL"), (_UNICODE, "UNICODE"),
    (64, "VERBOSE"), (128, "DEBUG"), (_ASCII, "ASCII"),
)  # fmt: skip
_TIMES = {"m": "timedelta64", "M": "datetime64"}


def int_text(value: int) -> str:
    """Decimal digits, or the number of bits if there are many: str() of a big int takes quadratic time."""
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _MAX_INT_BITS else f"<int of {bits} bits>"


def _base(value: object, name: str) -> type:
    """The class named `name` along the MRO of `value`: the library's own one, not one that is called so."""
    for cls in mro(type(value)):
        if is_immutable_type(cls) and plain_name(cls) == name:
            return cls
    raise TypeError(name)


def _field(cls: type, name: str, value: object) -> Any:
    return static_lookup(cls, name)[1].__get__(value)  # type: ignore[attr-defined]


def _decimal(value: Any) -> str:
    cls: Any = _base(value, "Decimal")
    if cls.__sizeof__(value) > _MAX_DECIMAL_BYTES:
        return "<Decimal with very many digits>"
    return f"Decimal('{cls.__str__(value)}')"


def _date(value: Any) -> str:
    cls = _base(value, "date")
    return f"{_field(cls, 'year', value):04}-{_field(cls, 'month', value):02}-{_field(cls, 'day', value):02}"


def _clock(cls: type, value: object) -> str:
    fields = ("hour", "minute", "second", "microsecond")
    hour, minute, second, micro = (_field(cls, name, value) for name in fields)
    text = f"{hour:02}:{minute:02}:{second:02}"
    text += f".{micro:06}" if micro else ""
    zone = _field(cls, "tzinfo", value)
    if zone is None:
        return text
    name = type_name(type(zone))
    # a zone of the user's own class has methods of their own
    known = is_immutable_type(type(zone)) and name in ("datetime.timezone", "zoneinfo.ZoneInfo")
    return f"{text} {str(zone)[:40] if known else name}"


def _datetime(value: Any) -> str:
    if type_name(type(value)).endswith(".NaTType"):
        return "NaT"  # of pandas: a datetime without a time
    text = f"{_date(value)}T{_clock(_base(value, 'datetime'), value)}"
    nanoseconds = _nanoseconds(value, "nanosecond")
    return f"{text} + {nanoseconds} ns" if nanoseconds else text


def _nanoseconds(value: Any, name: str) -> int:
    """Which pandas has besides; 0 if there are none."""
    if plain_name(type(value)) not in ("Timestamp", "Timedelta"):
        return 0
    try:
        found = field(value, name)
    except (TypeError, AttributeError):
        return 0
    return found if type(found) is int else 0


def _time(value: Any) -> str:
    return _clock(_base(value, "time"), value)


def _timedelta(value: Any) -> str:
    cls: Any = _base(value, "timedelta")
    nanoseconds = _nanoseconds(value, "nanoseconds")
    return f"timedelta({cls.__str__(value)}{f' + {nanoseconds} ns' if nanoseconds else ''})"


def _socket(value: Any) -> str:
    base: Any = mro(type(value))[1]  # _socket.socket, the C type
    family, kind = _field(base, "family", value), _field(base, "type", value)
    return f"<socket fd={base.fileno(value)} family={int(family)} type={int(kind)}>"


def _uuid(value: Any) -> str:
    digits = f"{_field(type(value), 'int', value):032x}"
    return f"UUID('{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}')"


def _path(value: Any) -> str:
    return f"{type(value).__name__}({str(value)[:300]!r})"


def _pattern(value: Any) -> str:
    pattern, flags = value.pattern, value.flags
    if not (type(pattern) is str or type(pattern) is bytes):
        return "<pattern>"
    if type(pattern) is str and flags & (_UNICODE | _ASCII) == _UNICODE:
        flags &= ~_UNICODE  # which every text has
    names = [f"re.{name}" for bit, name in _FLAGS if flags & bit]
    shown = repr(pattern[:150]) + ("…" if len(pattern) > 150 else "")
    return f"re.compile({', '.join([shown, '|'.join(names)] if names else [shown])})"


def _number(value: Any) -> str:
    """A scalar of numpy."""
    cls: Any = _base(value, "generic")
    kind = _field(cls, "dtype", value).kind
    name = type_name(type(value))
    if kind == "U":
        return f"{name}({str.__getitem__(value, slice(0, _MAX_TEXT))!r})"
    if kind == "S":
        return f"{name}({bytes.__getitem__(value, slice(0, _MAX_TEXT))!r})"
    if kind in "mM":
        times: Any = _base(value, _TIMES[kind])
        return f"{name}('{times.__str__(value)}')"
    found = cls.item(value)
    parts = found if type(found) is tuple else (found,)
    if all(type(part) in (int, float, complex, bool, str, bytes) for part in parts):
        return f"{name}({repr(found)[:_MAX_TEXT]})"
    return f"{name}(… {cls.__dict__['nbytes'].__get__(value)} bytes)"


Text = Callable[[Any], str]

LATE_TYPES: Final[tuple[tuple[str, str, Text, bool], ...]] = (
    ("decimal", "Decimal", _decimal, True),
    ("datetime", "datetime", _datetime, True),
    ("datetime", "date", _date, True),
    ("datetime", "time", _time, True),
    ("datetime", "timedelta", _timedelta, True),
    ("datetime", "timezone", str, False),
    ("zoneinfo", "ZoneInfo", str, False),
    ("uuid", "UUID", _uuid, False),
    ("pathlib", "PosixPath", _path, False),
    ("pathlib", "PurePosixPath", _path, False),
    ("pathlib", "PureWindowsPath", _path, False),
    ("socket", "socket", _socket, False),
    ("_thread", "lock", repr, False),
    ("_thread", "LockType", repr, False),
    ("_thread", "RLock", repr, False),
    ("re", "Pattern", _pattern, False),
    ("pandas._libs.missing", "NAType", lambda _: "<NA>", False),
    ("msgspec", "UnsetType", repr, False),
    ("numpy", "generic", _number, True),
    ("numpy.ma.core", "MaskedConstant", lambda _: "--", False),
)
"""(module, name, text, whether subclasses are shown through it too)."""
