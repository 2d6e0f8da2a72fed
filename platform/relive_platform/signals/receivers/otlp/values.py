"""Attributes of OTLP as the tables keep them: texts, with their types noted; bounded, without secrets."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final

from relive_base.attributes import json_safe, value_text
from relive_base.redaction.redactor import Redactor

from relive_platform.signals.receivers.otlp.limits import OtlpLimits

__all__ = ["Texts", "hex_id", "time_in"]

_DROPPED: Final = "otel.dropped_attributes_count"
_KEPT: Final = 8_192
_KEPT_CHARS: Final = 256
_LATEST_NS: Final = (1 << 63) - 1


class Texts:
    """Makes texts of values. Of one process: what comes again and again is looked through once."""

    def __init__(self, redactor: Redactor, limits: OtlpLimits) -> None:
        self._redactor = redactor
        self._limits = limits
        self._attributes: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}

    def name(self, text: str) -> str:
        """A name: of a span, a scope, a metric, an attribute."""
        found = self._names.get(text)
        if found is None:
            found = self._redactor.text(_cut(text, self._limits.name_chars))
            if len(text) <= _KEPT_CHARS:
                _keep(self._names, text, found)
        return found

    def text(self, text: str) -> str:
        """A message, or the like."""
        return self._redactor.text(_cut(text, self._limits.value_chars))

    def body(self, value: Any) -> str:
        """Of a log record."""
        text, _ = _text_of(value)
        return self._redactor.text(_cut(text, self._limits.body_chars))

    def attributes(
        self,
        pairs: Iterable[Any],
        types: dict[str, str],
        prefix: str = "",
        dropped: int = 0,
        left_chars: int = sys.maxsize,
    ) -> dict[str, str]:
        """Of KeyValues. Types are noted under `prefix` and the name. `left_chars`: of all of them."""
        found: dict[str, str] = {}
        limit, name_of, value_of = self._limits.attributes, self.name, self._attribute
        for pair in pairs:
            if len(found) >= limit:
                dropped += 1
                continue
            name, value = name_of(pair.key), pair.value
            if value.HasField("string_value"):
                text, code = value.string_value, ""
            else:
                text, code = _text_of(value)
            text = value_of(name, text)
            chars = len(name) + len(text)
            if chars > left_chars:
                dropped += 1
                continue
            left_chars -= chars
            found[name] = text
            if code:
                types[prefix + name] = code
        if dropped:
            found[_DROPPED] = str(dropped)
            types[prefix + _DROPPED] = "i"
        return found

    def shared(self, pairs: Iterable[Any], dropped: int = 0) -> dict[str, str]:
        """Attributes of a resource or a scope, which are in each of its rows."""
        return self.attributes(pairs, {}, "", dropped, self._limits.shared_chars)

    def _attribute(self, name: str, text: str) -> str:
        key = (name, text)
        found = self._attributes.get(key)
        if found is None:
            found = self._redactor.attribute(name, _cut(text, self._limits.value_chars))
            if len(text) <= _KEPT_CHARS:
                _keep(self._attributes, key, found)
        return found


def _keep(kept: dict[Any, str], key: object, found: str) -> None:
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = found


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _text_of(value: Any) -> tuple[str, str]:
    """An AnyValue as text, and what it was (`relive_base.attributes.type_code`)."""
    kind = value.WhichOneof("value")
    if kind is None:
        return "", ""
    reader = _READERS.get(kind)
    return reader(value) if reader is not None else ("", "")


def _list(value: Any) -> tuple[str, str]:
    items = [_plain(item) for item in value.array_value.values]
    flat = all(type(item) in (str, bool, int, float) for item in items)
    return (_json(items), "a") if flat else (_json(json_safe(items)), "")  # what has a type goes out again


def _plain(value: Any) -> Any:
    """An AnyValue as what JSON has. How deep it is has a limit: the parser's, of 100."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind in _SCALARS else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_SCALARS: Final = frozenset({"string_value", "bool_value", "int_value", "double_value"})
_READERS: Final[dict[str, Callable[[Any], tuple[str, str]]]] = {
    "string_value": lambda value: (value.string_value, ""),
    "bool_value": lambda value: ("true" if value.bool_value else "false", "b"),
    "int_value": lambda value: (value_text(value.int_value), "i"),
    "double_value": lambda value: (value_text(value.double_value), "d"),
    "array_value": _list,
    "kvlist_value": lambda value: (_json(json_safe(_plain(value))), ""),
    "bytes_value": lambda value: (b64encode(value.bytes_value).decode(), ""),
}


def hex_id(raw: bytes, size: int) -> str:
    """A trace or span id; "" if it is none."""
    return raw.hex() if len(raw) == size and any(raw) else ""


def time_in(at_ns: int) -> int:
    """Within what the tables hold."""
    return min(at_ns, _LATEST_NS)
