"""Typed values as JSON and back: what goes into calls, and comes out, that are no bytes on a wire.

Plain JSON is itself (None, booleans, numbers, text, lists, dicts with text as keys), so that it can be read
and searched for secrets. Anything else is an object with one key that begins with `$` and names its type:
`{"$decimal": "1.10"}`. The set of types is closed, no module is imported to make a value, and what is of no
known type is `{"$unknown": "module.Class"}`: it can be shown and compared, and not made again.
"""

from __future__ import annotations

import base64
import enum
import ipaddress
import json
import math
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final

import msgspec

__all__ = ["IMMUTABLE", "PLAIN", "Kind", "UnknownValueError", "ValueCodec", "unknown_types"]

_DEPTH: Final = 32
_LARGEST: Final = 2**63
_NAME: Final = 200
PLAIN: Final = frozenset({type(None), bool, str})
"""Types of which every value is itself."""


class UnknownValueError(ValueError):
    """A value of a type that the recording does not know; it cannot be made again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One more type of a library. `tag` is its name in JSON, without `$`; `plain` gives parts that are known
    types, `made` makes the value of these. `path`: "module.Class", looked up among what is imported."""

    tag: str
    path: str
    plain: Callable[[Any], object]
    made: Callable[[Any, Any], object]  # the class, the parts


class ValueCodec:
    """`encode` in the worker, `decode` in a replay. `kinds`: types of libraries."""

    __slots__ = ("_by_tag", "_by_type", "_kinds")

    def __init__(self, *kinds: Kind) -> None:
        self._kinds = {kind.path: kind for kind in kinds}
        self._by_tag = {f"${kind.tag}": kind for kind in kinds}
        self._by_type: dict[type, Callable[[Any], object]] = {}

    # ------------------------------------------------------------ to JSON

    def encode(self, value: object) -> bytes:
        """One line of JSON. Never raises for what a value is."""
        plain = self.plain(value)
        try:
            return msgspec.json.encode(plain)
        except (
            ValueError,
            TypeError,
            RecursionError,
        ):  # half of a surrogate pair, which JSON can only escape
            return json.dumps(plain, separators=(",", ":")).encode()

    def plain(self, value: Any, depth: int = 0) -> object:
        """The same as what JSON has."""
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is int:
            return value if -_LARGEST <= value < _LARGEST else {"$int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if depth > _DEPTH:
            return {"$unknown": "nested too deep"}
        if kind is list:
            return [self.plain(item, depth + 1) for item in list(value)]
        if kind is tuple:
            return {"$tuple": [self.plain(item, depth + 1) for item in value]}
        if kind is dict:
            return self._dict(dict(value), depth)
        if kind is set or kind is frozenset:
            items = [self.plain(item, depth + 1) for item in value.copy()]
            return {f"${kind.__name__}": sorted(items, key=repr)}
        return self._tagged(kind, value, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> object:
        if all(type(key) is str and key[:1] != "$" for key in value):
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        pairs = [[self.plain(key, depth + 1), self.plain(item, depth + 1)] for key, item in value.items()]
        return {"$dict": pairs}

    def _tagged(self, kind: type, value: Any, depth: int) -> object:
        simple = _TO.get(kind)
        if simple is not None:
            return simple(value)
        library = self._kinds.get(_path(kind))
        if library is not None:
            try:
                return {f"${library.tag}": self.plain(library.plain(value), depth + 1)}
            except Exception:  # a class of that name which is another one
                return {"$unknown": _path(kind)}
        if issubclass(kind, enum.Enum):
            return {"$enum": [_path(kind), object.__getattribute__(value, "_name_")]}
        return {"$unknown": _path(kind)}

    # ------------------------------------------------------------ from JSON

    def decode(self, data: bytes | str) -> object:
        """The value again. Raises UnknownValueError for one that was of no known type, and ValueError for
        what is no JSON of `encode`."""
        try:
            return self.made(json.loads(data))
        except RecursionError as error:
            raise ValueError("nested too deep") from error

    def made(self, plain: Any) -> Any:
        """The value that `plain` stands for."""
        if isinstance(plain, list):
            return [self.made(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        if len(plain) == 1:
            tag, inner = next(iter(plain.items()))
            if tag[:1] == "$":
                return self._made(tag, inner)
        return {key: self.made(item) for key, item in plain.items()}

    def _made(self, tag: str, inner: Any) -> Any:
        if tag == "$unknown":
            raise UnknownValueError(str(inner))
        if isinstance(inner, str) and inner == _PLACEHOLDER:
            return inner  # it was redacted
        library = self._by_tag.get(tag)
        try:
            if library is not None:
                return self._of_library(library, inner)
            return _FROM[tag](self, inner)
        except UnknownValueError:
            raise
        except KeyError as error:
            raise UnknownValueError(tag) from error
        except Exception as error:
            raise ValueError(f"{tag}: {error}") from error

    def _of_library(self, library: Kind, inner: Any) -> object:
        module, _, name = library.path.rpartition(".")
        cls = getattr(sys.modules.get(module), name, None)
        if not isinstance(cls, type):
            raise UnknownValueError(library.path)
        return library.made(cls, self.made(inner))


_PLACEHOLDER: Final = "[redacted]"


def unknown_types(plain: object) -> Iterator[str]:
    """Types in decoded JSON of `encode` that cannot be made again."""
    left = [plain]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            if len(value) == 1 and isinstance(name := value.get("$unknown"), str):
                yield name
            left += value.values()


def _path(kind: type) -> str:
    """ "module.Class", without asking a metaclass of the user's."""
    module = type.__getattribute__(kind, "__module__")
    return f"{module if type(module) is str else ''}.{type.__getattribute__(kind, '__qualname__')}"[:_NAME]


def _bytes(value: Any) -> str:
    return base64.b64encode(value).decode()


def _datetime(value: datetime) -> object:
    found: dict[str, object] = {"at": value.replace(tzinfo=None).isoformat()}
    if value.fold:
        found["fold"] = 1
    if value.tzinfo is not None:
        found["zone"] = _zone(value.tzinfo, value)
    return {"$datetime": found["at"] if len(found) == 1 else found}


def _time(value: time) -> object:
    if value.tzinfo is None and not value.fold:
        return {"$time": value.isoformat()}
    zone = None if value.tzinfo is None else _zone(value.tzinfo, None)
    return {"$time": {"at": value.replace(tzinfo=None).isoformat(), "fold": value.fold, "zone": zone}}


def _zone(zone: tzinfo, at: datetime | None) -> object:
    """A name of the time zone database, or an offset in seconds."""
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        plain = offset.total_seconds()
        return plain if name == timezone(offset).tzname(None) else [plain, name]
    key = getattr(zone, "key", None) if type(zone).__module__.startswith("zoneinfo") else None
    if type(key) is str:
        return key
    if type(zone).__module__.startswith("psycopg2"):
        found = zone.utcoffset(None)
        if found is not None:
            return ["psycopg2", found.total_seconds()]
    return {"$unknown": _path(type(zone))}


def _made_zone(plain: Any) -> tzinfo | None:
    if plain is None:
        return None
    if isinstance(plain, str):
        import zoneinfo

        return zoneinfo.ZoneInfo(plain)
    if isinstance(plain, list) and plain[0] == "psycopg2":
        psycopg2_tz: Any = sys.modules.get("psycopg2.tz")
        seconds = timedelta(seconds=plain[1])
        return psycopg2_tz.FixedOffsetTimezone(seconds) if psycopg2_tz is not None else timezone(seconds)
    if isinstance(plain, list):
        return timezone(timedelta(seconds=plain[0]), plain[1])
    if isinstance(plain, dict):
        raise UnknownValueError(str(plain.get("$unknown")))
    return UTC if plain == 0 else timezone(timedelta(seconds=plain))


def _made_datetime(_codec: ValueCodec, inner: Any) -> datetime:
    if isinstance(inner, str):
        return datetime.fromisoformat(inner)
    at = datetime.fromisoformat(inner["at"])
    return at.replace(tzinfo=_made_zone(inner.get("zone")), fold=inner.get("fold", 0))


def _made_time(_codec: ValueCodec, inner: Any) -> time:
    if isinstance(inner, str):
        return time.fromisoformat(inner)
    return time.fromisoformat(inner["at"]).replace(tzinfo=_made_zone(inner["zone"]), fold=inner["fold"])


def _made_enum(_codec: ValueCodec, inner: Any) -> object:
    module, _, name = inner[0].rpartition(".")
    cls = getattr(sys.modules.get(module), name, None)
    if not isinstance(cls, type) or not issubclass(cls, enum.Enum):
        raise UnknownValueError(inner[0])
    return cls.__members__[inner[1]]


def _made_dict(codec: ValueCodec, inner: Any) -> dict[Any, Any]:
    return {codec.made(key): codec.made(item) for key, item in inner}


def _text_of(tag: str) -> Callable[[Any], object]:
    return lambda value: {tag: str(value)}


def _of_text(cls: Callable[[Any], object]) -> Callable[[ValueCodec, Any], object]:
    return lambda _codec, inner: cls(inner)


_ADDRESSES: Final = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
)


_TO: Final[Mapping[type, Callable[[Any], object]]] = {
    bytes: lambda value: {"$bytes": _bytes(value)},
    bytearray: lambda value: {"$bytearray": _bytes(bytes(value))},
    memoryview: lambda value: {"$memoryview": _bytes(value.tobytes())},
    Decimal: _text_of("$decimal"),
    datetime: _datetime,
    date: lambda value: {"$date": value.isoformat()},
    time: _time,
    timedelta: lambda value: {"$timedelta": [value.days, value.seconds, value.microseconds]},
    uuid.UUID: _text_of("$uuid"),
    complex: lambda value: {"$complex": [repr(value.real), repr(value.imag)]},
    type(...): lambda _value: {"$ellipsis": None},
    **{cls: _text_of(f"${cls.__name__}") for cls in _ADDRESSES},
}

IMMUTABLE: Final = (PLAIN | {int, float, *_TO}) - {bytearray, memoryview}
"""Types whose values can be encoded later: nobody changes them meanwhile."""

_FROM: Final[Mapping[str, Callable[[ValueCodec, Any], object]]] = {
    "$int": lambda _codec, inner: int(inner, 16),
    "$float": lambda _codec, inner: float(inner),
    "$bytes": lambda _codec, inner: base64.b64decode(inner, validate=True),
    "$bytearray": lambda _codec, inner: bytearray(base64.b64decode(inner, validate=True)),
    "$memoryview": lambda _codec, inner: memoryview(base64.b64decode(inner, validate=True)),
    "$decimal": lambda _codec, inner: Decimal(inner),
    "$datetime": _made_datetime,
    "$date": lambda _codec, inner: date.fromisoformat(inner),
    "$time": _made_time,
    "$timedelta": lambda _codec, inner: timedelta(*inner),
    "$uuid": lambda _codec, inner: uuid.UUID(inner),
    "$complex": lambda _codec, inner: complex(float(inner[0]), float(inner[1])),
    "$ellipsis": lambda _codec, _inner: ...,
    "$tuple": lambda codec, inner: tuple([codec.made(item) for item in inner]),
    "$set": lambda codec, inner: {codec.made(item) for item in inner},
    "$frozenset": lambda codec, inner: frozenset([codec.made(item) for item in inner]),
    "$dict": _made_dict,
    "$enum": _made_enum,
    **{f"${cls.__name__}": _of_text(cls) for cls in _ADDRESSES},
}
