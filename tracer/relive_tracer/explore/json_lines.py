"""Log lines that are JSON objects, as structured loggers write them: level, and fields as attributes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_base.attributes import Attribute, attribute_texts
from relive_base.wire.messages import LogLine

from relive_tracer.explore.levels import severity_of_level

__all__ = ["fields_of", "structure"]

_LEVELS: Final = ("level", "severity", "levelname", "log.level", "loglevel", "lvl", "severity_text")
_MESSAGES: Final = frozenset({"message", "msg", "event", "body"})
_OWN: Final = ("relive.", "faas.", "code.", "exception.", "logger.")
_FIELDS: Final = 64
_DEPTH: Final = 4
_ITEMS: Final = 64
_ITEM_CHARS: Final = 64
_NAME_CHARS: Final = 256
_VALUE_CHARS: Final = 4_096
_PRINTED: Final = frozenset({"stdout", "stderr", "console"})
_HEX: Final = frozenset("0123456789abcdef")
_SPAN_DIGITS: Final = 16
_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 63) - 1
_object: Final = msgspec.json.Decoder(dict[str, Any])


def fields_of(body: str) -> dict[str, Any] | None:
    """The object that a line is; None if it is none."""
    if not body.lstrip().startswith("{") or not body.rstrip().endswith("}"):
        return None
    try:
        return _object.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def structure(line: LogLine) -> dict[str, Any] | None:
    """Makes attributes of the fields of a line in JSON, and gives them. What the line has stays: its body,
    and the level and attributes of a record of the logging module."""
    fields = fields_of(line.body)
    if fields is None:
        return None
    if line.source in _PRINTED:
        severity = next(filter(None, (severity_of_level(fields.get(name)) for name in _LEVELS)), "")
        if severity:
            line.severity, line.severity_number = severity, 0
    if line.trace_id and fields.get("trace_id") == line.trace_id and _is_span_id(fields.get("span_id")):
        line.span_id = fields["span_id"]
    line.attributes = {**_attributes(fields), **line.attributes}
    return fields


def _is_span_id(text: object) -> bool:
    return isinstance(text, str) and len(text) == _SPAN_DIGITS and set(text) <= _HEX


def _attributes(fields: dict[str, Any]) -> dict[str, Attribute]:
    """Objects within become dotted names, some levels deep."""
    found: dict[str, Attribute] = {}
    waiting = [
        (name, value, 1)
        for name, value in reversed(fields.items())
        if name not in _MESSAGES and name not in _LEVELS and name != "_aws"
    ]
    while waiting and len(found) < _FIELDS:
        name, value, depth = waiting.pop()
        if type(value) is dict and value and depth < _DEPTH:
            waiting += [(f"{name}.{inner}", below, depth + 1) for inner, below in reversed(value.items())]
        elif name and value is not None and not name.startswith(_OWN):
            found[name[:_NAME_CHARS]] = _attribute(value)
    return found


def _attribute(value: Any) -> Attribute:
    kind = type(value)
    if kind is bool or kind is float or (kind is int and _SMALLEST <= value <= _LARGEST):
        return value  # type: ignore[no-any-return]
    if kind is list and len(value) <= _ITEMS and all(_is_plain(item) for item in value):
        return value  # type: ignore[no-any-return]
    text = value if kind is str else attribute_texts({"": value})[""]
    return text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…"


def _is_plain(item: Any) -> bool:
    """What a list may have that stays one."""
    kind = type(item)
    if kind is str:
        return len(item) <= _ITEM_CHARS
    return kind is bool or kind is float or (kind is int and _SMALLEST <= item <= _LARGEST)
