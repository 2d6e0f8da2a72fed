"""Attributes and empty lists in ClickHouse's Native format, without a look at each cell.

Most spans have no events and no links, all of a function's have the same resource, and the names of
attributes repeat. With the driver's own writers these columns took most of an insert's time.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Final

from clickhouse_driver.columns.service import write_column
from clickhouse_driver.context import Context
from clickhouse_driver.writer import write_binary_int64

__all__ = ["ATTRIBUTES", "EMPTY_ARRAYS", "write_attributes", "write_empty"]

ATTRIBUTES: Final = "Map(LowCardinality(String), String)"

EMPTY_ARRAYS: Final = {
    "Array(String)": 0,
    "Array(DateTime64(9))": 0,
    "Array(LowCardinality(String))": 1,
    f"Array({ATTRIBUTES})": 1,
}
"""Types of columns that are mostly empty, and how many words stand before the column."""

_KEYS_VERSION: Final = 1
_OWN_DICTIONARY: Final = 1 << 9 | 1 << 10  # of low cardinality: keys come along, and replace those before
_CODES: Final = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32))  # of a name's number, by how many there are
_WORD: Final = 8


def write_attributes(context: Context, cells: Sequence[Mapping[str, str]], out: Any) -> None:
    """A column of dicts of text. Rows with the same names in the same order are numbered together."""
    write_binary_int64(_KEYS_VERSION, out)
    ends = array("Q", accumulate(map(len, cells)))
    _write(ends, out)
    if not ends or not ends[-1]:
        return
    shapes = list(map(tuple, cells))
    numbers: dict[str, int] = {}
    for shape in dict.fromkeys(shapes):
        for name in shape:
            numbers.setdefault(name, len(numbers))
    kind, code = next((kind, code) for kind, (code, most) in enumerate(_CODES) if len(numbers) <= most)
    codes = {shape: array(code, map(numbers.__getitem__, shape)).tobytes() for shape in dict.fromkeys(shapes)}
    write_binary_int64(_OWN_DICTIONARY | kind, out)
    write_binary_int64(len(numbers), out)
    write_column(context, "names", "String", list(numbers), out)
    write_binary_int64(ends[-1], out)
    _write(array(code, b"".join(map(codes.__getitem__, shapes))), out)
    if all(cell is cells[0] for cell in cells):
        out.write(b"".join(map(_text, cells[0].values())) * len(cells))
    else:
        values = list(chain.from_iterable(cell.values() for cell in cells))
        write_column(context, "values", "String", values, out)


def write_empty(spec: str, rows: int, out: Any) -> None:
    """A column of empty arrays of type `spec`: what goes before its content, and where each array ends."""
    for _ in range(EMPTY_ARRAYS[spec]):
        write_binary_int64(_KEYS_VERSION, out)
    out.write(bytes(_WORD * rows))


def _text(value: str | bytes) -> bytes:
    """As a String cell: its length, seven bits a byte, the lowest first, then UTF-8."""
    data = value if isinstance(value, bytes) else value.encode()
    size = len(data)
    head = bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def _write(numbers: array[int], out: Any) -> None:
    if sys.byteorder == "big":
        numbers.byteswap()
    out.write(numbers.tobytes())
