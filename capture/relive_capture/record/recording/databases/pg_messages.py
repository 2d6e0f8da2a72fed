"""PostgreSQL's messages: taken apart and put together. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

from relive_capture.record.recording.databases.pg_values import to_typed, to_wire

__all__ = [
    "Column",
    "bound",
    "bound_parameters",
    "columns_message",
    "command_message",
    "error_message",
    "fields_of",
    "message",
    "messages",
    "parameter_types",
    "read_columns",
    "read_exchange",
    "row_message",
]

Column = list[Any]
"""[name, type oid, modifier, size, format, table oid, column number]."""
_HEAD: Final = struct.Struct("!IhIhih")


def messages(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, payload) of each whole message."""
    at = 0
    while at + 5 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "big")
        if size < 4 or at + 1 + size > len(data):
            return
        yield data[at : at + 1], data[at + 5 : at + 1 + size]
        at += 1 + size


def message(kind: bytes, payload: bytes = b"") -> bytes:
    """One message."""
    return kind + (len(payload) + 4).to_bytes(4, "big") + payload


def _text(payload: bytes, at: int) -> tuple[str, int]:
    end = payload.index(b"\0", at)
    return payload[at:end].decode("utf-8", "replace"), end + 1


def read_columns(payload: bytes, formats: Sequence[int] = ()) -> list[Column]:
    """Of a RowDescription; `formats`: as a Bind has asked for."""
    count, at, found = int.from_bytes(payload[:2], "big"), 2, []
    for number in range(count):
        name, at = _text(payload, at)
        table, place, oid, size, modifier, form = _HEAD.unpack_from(payload, at)
        at += _HEAD.size
        found.append([name, oid, modifier, size, _format(formats, number, form), table, place])
    return found


def _format(formats: Sequence[int], number: int, default: int) -> int:
    if not formats:
        return default
    return formats[0] if len(formats) == 1 else formats[number] if number < len(formats) else default


def columns_message(columns: Sequence[Column], *, plain: bool = False) -> bytes:
    """A RowDescription; `plain`: as Describe has it, when formats are not known."""
    parts = [len(columns).to_bytes(2, "big")]
    for name, oid, modifier, size, form, table, place in columns:
        head = _HEAD.pack(table, place, oid, size, modifier, 0 if plain else form)
        parts.append(str(name).encode() + b"\0" + head)
    return message(b"T", b"".join(parts))


def parameter_types(payload: bytes) -> list[int]:
    """Of a ParameterDescription."""
    return list(struct.unpack_from(f"!{int.from_bytes(payload[:2], 'big')}I", payload, 2))


def fields_of(payload: bytes) -> dict[str, str]:
    """Of an ErrorResponse or a notice."""
    found, at = {}, 0
    while at < len(payload) and payload[at]:
        code = chr(payload[at])
        found[code], at = _text(payload, at + 1)
    return found


def error_message(fields: dict[str, Any]) -> bytes:
    """An ErrorResponse."""
    parts = [code.encode() + str(text).encode() + b"\0" for code, text in fields.items()]
    return message(b"E", b"".join(parts) + b"\0")


def command_message(tag: str) -> bytes:
    """A CommandComplete."""
    return message(b"C", tag.encode() + b"\0")


def bound(payload: bytes) -> tuple[str, str, list[int], list[bytes | None], list[int]]:
    """Of a Bind: (portal, statement, formats of parameters, their values, formats of results)."""
    portal, at = _text(payload, 0)
    statement, at = _text(payload, at)
    formats, at = _shorts(payload, at)
    count = int.from_bytes(payload[at : at + 2], "big")
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        value, at = _value(payload, at)
        values.append(value)
    results, _ = _shorts(payload, at)
    return portal, statement, formats, values, results


def _shorts(payload: bytes, at: int) -> tuple[list[int], int]:
    count = int.from_bytes(payload[at : at + 2], "big")
    return list(struct.unpack_from(f"!{count}h", payload, at + 2)), at + 2 + 2 * count


def _value(payload: bytes, at: int) -> tuple[bytes | None, int]:
    size = struct.unpack_from("!i", payload, at)[0]
    if size < 0:
        return None, at + 4
    return payload[at + 4 : at + 4 + size], at + 4 + size


def bound_parameters(
    formats: Sequence[int], values: Sequence[bytes | None], types: Sequence[int]
) -> list[object]:
    """Parameters as they are shown and compared."""
    return [
        to_typed(value, _format(formats, number, 0), types[number] if number < len(types) else 0)
        for number, value in enumerate(values)
    ]


def row_message(cells: Sequence[Any], columns: Sequence[Column]) -> bytes:
    """A DataRow."""
    parts = [len(cells).to_bytes(2, "big")]
    for cell, column in zip(cells, columns, strict=False):
        data = to_wire(cell, column[4], column[1])
        parts.append(b"\xff\xff\xff\xff" if data is None else len(data).to_bytes(4, "big") + data)
    return message(b"D", b"".join(parts))


def _row(payload: bytes, columns: Sequence[Column]) -> list[object]:
    count, at, cells = int.from_bytes(payload[:2], "big"), 2, []
    for number in range(count):
        data, at = _value(payload, at)
        form, oid = (columns[number][4], columns[number][1]) if number < len(columns) else (1, 0)
        cells.append(to_typed(data, form, oid))
    return cells


def read_exchange(
    data: bytes, columns: Sequence[Column] = (), formats: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """What a server answered, as values for a recording. `columns`: of the statement that is executed."""
    reader = _Reader(list(columns), formats)
    for kind, payload in messages(data):
        reader.take(kind, payload)
    return reader.values()


class _Reader:
    def __init__(self, columns: list[Column], formats: Sequence[int]) -> None:
        self._columns = columns
        self._formats = formats
        self._found: list[dict[str, Any]] = []
        self._open: dict[str, Any] = {}

    def take(self, kind: bytes, payload: bytes) -> None:
        """The next message."""
        now = self._open
        if kind == b"T":
            self._columns = read_columns(payload, self._formats)
            now["columns"] = self._columns
        elif kind == b"t":
            now["types"] = parameter_types(payload)
        elif kind == b"D":
            now.setdefault("rows", []).append(_row(payload, self._columns))
        elif kind == b"d":
            now.setdefault("data", []).append(_readable(payload))
        elif kind in (b"G", b"H"):
            now["copy"] = [kind.decode(), payload]
        elif kind == b"n":
            now["nothing"] = True
        elif kind == b"S":
            name, at = _text(payload, 0)
            now.setdefault("session", {})[name] = _text(payload, at)[0]
        else:
            self._take_end(kind, payload)

    def _take_end(self, kind: bytes, payload: bytes) -> None:
        if kind == b"C":
            self._close(command=_text(payload, 0)[0])
        elif kind == b"s":
            self._close(suspended=True)
        elif kind == b"I":
            self._close(empty=True)
        elif kind == b"E":
            self._close(error=fields_of(payload))
        elif kind == b"Z":
            self._close(tx=payload.decode("ascii", "replace"))

    def _close(self, **how: object) -> None:
        found = {**self._open, **how}
        if "rows" in found and "columns" not in found and self._columns:
            found = {"columns": self._columns, **found}
        self._found.append(found)
        self._open = {}

    def values(self) -> list[dict[str, Any]]:
        """All of it."""
        return [*self._found, self._open] if self._open else self._found


def _readable(data: bytes) -> object:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
