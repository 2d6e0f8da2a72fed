"""Columns as msgpack: a map of lists. If all cells of a column are equal, as in every second column of a
batch of spans, there is the cell and how often it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from relive_store.errors import QueryError

__all__ = ["pack", "unpack"]

_REPEATED: Final = 1  # the extension type
_LONGEST: Final = 10_000_000  # cells of a column


class _Repeated:
    __slots__ = ("cell", "count")

    def __init__(self, cell: object, count: int) -> None:
        self.cell = cell
        self.count = count


def _extend(value: Any) -> msgspec.msgpack.Ext:
    if not isinstance(value, _Repeated):
        raise TypeError(f"a cell of type {type(value).__name__} cannot be packed")
    return msgspec.msgpack.Ext(_REPEATED, _encoder.encode((value.count, value.cell)))


def _expand(code: int, data: memoryview) -> list[Any]:
    if code != _REPEATED:
        raise QueryError(f"a column has the unknown extension type {code}")
    count, cell = msgspec.msgpack.decode(data, type=tuple[int, Any])
    if not 0 <= count <= _LONGEST:
        raise QueryError(f"a column of {count} cells is too long")
    return [cell] * count


_encoder = msgspec.msgpack.Encoder(enc_hook=_extend)
_decoder = msgspec.msgpack.Decoder(ext_hook=_expand)


def pack(columns: Mapping[str, Sequence[object]]) -> bytes:
    """Raises UnicodeEncodeError (lone surrogates), TypeError, ValueError, OverflowError."""
    return _encoder.encode({name: _shortened(column) for name, column in columns.items()})


def unpack(packed: bytes | memoryview | msgspec.Raw) -> dict[str, list[Any]]:
    """What was packed; equal cells may be one object, not to be changed. Raises DecodeError, QueryError."""
    columns = _decoder.decode(packed)
    if not isinstance(columns, dict):
        raise QueryError("columns must be a map")
    return columns


def _shortened(column: Sequence[object]) -> object:
    count = len(column)
    if count < 2 or column[0] != column[-1]:
        return column
    return _Repeated(column[0], count) if column.count(column[0]) == count else column
