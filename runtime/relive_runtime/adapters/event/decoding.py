"""From bytes to the event a handler gets: strict JSON."""

from __future__ import annotations

import json
import re

from relive_base.errors import ReliveError

__all__ = ["BadEvent", "decode_event"]

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|-?(?:NaN|Infinity)|[\[\]{}]', re.DOTALL)


class BadEvent(ReliveError):
    """The event is not valid JSON."""

    __module__ = "builtins"  # users read its bare name


class _NotANumber(ValueError):
    """NaN or an infinity, which JSON does not have."""


class _DuplicateKey(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return built


def _constant(name: str) -> object:
    raise _NotANumber(name)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def decode_event(body: bytes) -> object:
    """The value of JSON text; None for an empty body. Raises BadEvent, which says where it is wrong."""
    if not body:
        return None
    try:
        return _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise BadEvent(f"the event is not UTF-8: byte 0x{byte:02x} at offset {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno} (offset {error.pos})"
        raise BadEvent(f"the event is not JSON: {error.msg} at {place}") from None
    except _NotANumber as error:
        raise BadEvent(f"the event has {error}, which JSON does not allow{_where_constant(body)}") from None
    except _DuplicateKey as error:
        raise BadEvent(f"the event has the key {str(error)[:100]!r} twice in one object") from None
    except RecursionError:
        depth, offset = _deepest(body)
        raise BadEvent(
            f"the event is nested {depth} levels deep, at offset {offset}: too deep to read"
        ) from None
    except ValueError as error:  # an integer with more digits than the interpreter converts
        raise BadEvent(f"the event cannot be read: {error}") from None


def _where_constant(body: bytes) -> str:
    for match in _TOKENS.finditer(body):
        if match.group()[:1] in b"-NI":
            return f", at offset {match.start()}"
    return ""


def _deepest(body: bytes) -> tuple[int, int]:
    depth = deepest = offset = 0
    for match in _TOKENS.finditer(body):
        token = match.group()
        if token in b"[{":
            depth += 1
            if depth > deepest:
                deepest, offset = depth, match.start()
        elif token in b"]}":
            depth -= 1
    return deepest, offset
