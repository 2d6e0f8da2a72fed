"""Query parameters as the text that ClickHouse parses: `{name:Type}` placeholders, never string
formatting."""

from __future__ import annotations

import re
from collections.abc import Mapping

from relive_store.errors import QueryError

__all__ = ["render_parameters"]

_PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*:\s*([A-Za-z0-9_]+)")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"}
)
_NS = 1_000_000_000


def _escape(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES)


def _literal(value: object) -> str:
    """As inside an array or map: strings are quoted."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return f"'{_escape(value)}'"
    return "NULL" if value is None else _text(value)


def _text(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return _escape(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_literal(k)}:{_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join(map(_literal, value)) + "]"
    raise QueryError(f"a query parameter cannot be a {type(value).__name__}")


def _nanoseconds(value: int) -> str:
    seconds, rest = divmod(value, _NS)
    return f"{seconds:010d}.{rest:09d}"


def render_parameters(sql: str, parameters: Mapping[str, object] | None) -> dict[str, str]:
    """Each parameter as text. An int for a `{name:DateTime64(9)}` placeholder is ns since the epoch.

    Raises QueryError for a placeholder without a value and for a value of an unknown kind.
    """
    given = dict(parameters or {})
    types = dict(_PLACEHOLDER.findall(sql)) if given else {}
    rendered: dict[str, str] = {}
    for name, value in given.items():
        if types.get(name) == "DateTime64" and isinstance(value, int):
            rendered[name] = _nanoseconds(value)
        else:
            rendered[name] = _text(value)
    return rendered
