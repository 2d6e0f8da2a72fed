"""RESP, the protocol of Redis, as typed values (typed_values.py) and back: versions 2 and 3.

Text is text if it is UTF-8, else `{"$bytes": ...}`. What JSON has no form for is `{"$error": ...}`,
`{"$dict": pairs}`, `{"$set": ...}`, `{"$push": ...}`, `{"$verbatim": ...}`, `{"$float": ...}` and
`{"$int": ...}`.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Final

from relive_base.redaction.redactor import PLACEHOLDER, Redactor

__all__ = ["HANDSHAKE", "as_line", "clean_pairs", "commands", "label", "packed", "values"]

HANDSHAKE: Final = frozenset({"HELLO", "AUTH", "CLIENT", "SELECT", "READONLY", "READWRITE", "PING"})
"""Commands with which a client begins a connection: a new one is answered without a recording."""
_SIGN_IN: Final = ("AUTH", "HELLO", "ACL", "MIGRATE")
_DEPTH: Final = 64
_LABEL: Final = 120
_AGGREGATES: Final = {b"*": "", b"~": "$set", b">": "$push"}

Read = tuple[Any, int]


class _MoreError(Exception):
    """The data ends before the value does."""


def values(data: bytes) -> tuple[list[Any], int]:
    """(all whole values, bytes of them). Raises ValueError for what is not RESP."""
    found, at = [], 0
    while at < len(data):
        try:
            value, at = _read(data, at, 0)
        except _MoreError:
            break
        found.append(value)
    return found, at


def commands(data: bytes) -> tuple[list[list[Any]], int]:
    """The same of what a client sends: each is a list, of the command and what goes with it."""
    found, used = values(data)
    if not all(isinstance(one, list) and one for one in found):
        raise ValueError("not a command")
    return found, used


def label(command: list[Any]) -> str:
    """Command and key, in one line."""
    if str(command[0]).upper() in _SIGN_IN:
        return str(command[0])
    return " ".join(str(part) for part in command[:2] if isinstance(part, str))[:_LABEL]


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\r\n", at)
    if end < 0:
        raise _MoreError
    return data[at:end], end + 2


def _read(data: bytes, at: int, depth: int) -> Read:
    if depth > _DEPTH:
        raise ValueError("nested too deep")
    head, after = _line(data, at)
    mark, rest = head[:1], head[1:]
    if mark in (b"$", b"=", b"!"):
        return _bulk(data, mark, int(rest), after)
    if mark in _AGGREGATES:
        return _items(data, _AGGREGATES[mark], int(rest), after, depth)
    if mark in (b"%", b"|"):
        pairs, after = _items(data, "", 2 * int(rest), after, depth)
        value = {"$dict": [list(pair) for pair in zip(pairs[::2], pairs[1::2], strict=True)]}
        return (value, after) if mark == b"%" else _read(data, after, depth + 1)  # attributes are left out
    return _simple(mark, rest), after


def _simple(mark: bytes, rest: bytes) -> Any:
    if mark == b"+":
        return _text(rest)
    if mark == b"-":
        return {"$error": rest.decode("utf-8", "replace")}
    if mark == b":":
        return int(rest)
    if mark == b"_":
        return None
    if mark == b"#":
        return rest == b"t"
    if mark == b",":
        number = float(rest)
        return number if math.isfinite(number) else {"$float": rest.decode("ascii")}
    if mark == b"(":
        return {"$int": hex(int(rest))}
    raise ValueError(f"not RESP: {mark!r}")


def _bulk(data: bytes, mark: bytes, size: int, at: int) -> Read:
    if size < 0:
        return None, at
    end = at + size
    if end + 2 > len(data):
        raise _MoreError
    content = data[at:end]
    if mark == b"!":
        return {"$error": content.decode("utf-8", "replace")}, end + 2
    if mark == b"=":
        return {"$verbatim": content.decode("utf-8", "replace")}, end + 2
    return _text(content), end + 2


def _items(data: bytes, tag: str, count: int, at: int, depth: int) -> Read:
    if count < 0:
        return None, at
    found = []
    for _ in range(count):
        value, at = _read(data, at, depth + 1)
        found.append(value)
    return ({tag: found} if tag else found), at


def _text(content: bytes) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"$bytes": base64.b64encode(content).decode()}


# ---------------------------------------------------------------- and back


def packed(value: Any, version: int = 3) -> bytes:
    """A value as a server sends it that speaks this version of RESP. Raises ValueError for what `values`
    never gives."""
    if value is None:
        return b"_\r\n" if version > 2 else b"$-1\r\n"
    if isinstance(value, bool):
        return b"#t\r\n" if value else b"#f\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, float):
        return f",{value!r}\r\n".encode()
    if isinstance(value, str):
        return _packed_bulk(b"$", value.encode("utf-8", "surrogateescape"))
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(packed(part, version) for part in value)
    if isinstance(value, dict) and len(value) == 1:
        return _packed_tagged(*next(iter(value.items())), version)
    raise ValueError("not a value of RESP")


def _packed_tagged(tag: str, inner: Any, version: int) -> bytes:
    if tag == "$bytes":
        return _packed_bulk(b"$", base64.b64decode(inner, validate=True))
    if tag == "$error":
        text = str(inner)
        line = text.replace("\r", " ").replace("\n", " ")
        return b"-%s\r\n" % line.encode()
    if tag == "$verbatim":
        return _packed_bulk(b"=", str(inner).encode())
    if tag == "$int":
        return b"(%d\r\n" % int(inner, 16)
    if tag == "$float":
        return b",%s\r\n" % str(inner).encode()
    if tag == "$dict":
        return b"%%%d\r\n" % len(inner) + b"".join(packed(part, version) for pair in inner for part in pair)
    mark = {"$set": b"~", "$push": b">"}.get(tag)
    if mark is None:
        raise ValueError(f"not a value of RESP: {tag}")
    return mark + b"%d\r\n" % len(inner) + b"".join(packed(part, version) for part in inner)


def _packed_bulk(mark: bytes, content: bytes) -> bytes:
    return mark + b"%d\r\n%s\r\n" % (len(content), content)


# ---------------------------------------------------------------- secrets


def clean_pairs(value: Any, redactor: Redactor, command: list[Any] | None = None) -> Any:
    """Values without those that stand behind a secret's name: in a hash, which is a list of names and values
    in turn, or at a key. `command`: the one that is answered, or is itself the value."""
    if value is command and command and str(command[0]).upper() in _SIGN_IN:
        return [command[0], *(PLACEHOLDER for _ in command[1:])]
    if command and _is_secret(redactor, command[1:2]):
        return value[:2] + [_hidden(part) for part in value[2:]] if value is command else _hidden(value)
    if isinstance(value, dict) and "$dict" in value:
        return {"$dict": [_pair(name, item, redactor) for name, item in value["$dict"]]}
    if not isinstance(value, list):
        return value
    found: list[Any] = []
    for part in value:
        secret = found and isinstance(part, str) and _is_secret(redactor, value[len(found) - 1 : len(found)])
        found.append(PLACEHOLDER if secret else clean_pairs(part, redactor))
    return found


def _pair(name: Any, item: Any, redactor: Redactor) -> list[Any]:
    return [name, _hidden(item) if _is_secret(redactor, [name]) else clean_pairs(item, redactor)]


def _is_secret(redactor: Redactor, names: list[Any]) -> bool:
    name = names[0] if names else None
    return isinstance(name, str) and len(name) < 200 and bool(redactor.secret_key(name.rpartition(":")[2]))


def _hidden(value: Any) -> Any:
    """All text in it."""
    if isinstance(value, list):
        return [_hidden(part) for part in value]
    if isinstance(value, dict):
        return value if "$error" in value else {tag: _hidden(inner) for tag, inner in value.items()}
    return PLACEHOLDER if isinstance(value, str) and value != "OK" else value


def as_line(value: Any) -> bytes:
    """One line of JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
