"""Text that UTF-8 cannot carry: lone surrogates, as `surrogateescape` makes them of undecodable bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

__all__ = ["encodable", "encode_escaped", "to_json"]


def encodable(text: str) -> str:
    """`text` as an exact `str` without lone surrogates: they become escapes, as `backslashreplace` has
    them."""
    if type(text) is not str:
        text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def encode_escaped(encode: Callable[[Any], bytes], value: Any) -> bytes:
    """What `encode` (of msgspec) makes of `value`; if its texts have lone surrogates, of one that has
    escapes in their place."""
    try:
        return encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, builtin_types=(bytes, bytearray))
        return encode(_escaped(plain))


def to_json(value: Any) -> bytes:
    """JSON, with escapes for lone surrogates."""
    return encode_escaped(msgspec.json.encode, value)


def _escaped(value: Any) -> Any:
    """A copy of plain data whose texts, keys too, UTF-8 can carry."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value
