"""Columns of one cell again and again, in ClickHouse's Native format: the cell is written once, and copied.

More than half of a batch of invocations are such columns; one by one their cells take half of the time of
making the block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.context import Context
from clickhouse_driver.writer import write_binary_int64

__all__ = ["Gathered", "write_repeated"]

_FEWEST: Final = 64  # below, it is quicker to write them
_CELL_BYTES: Final = 1_024
_LOW_CARDINALITY: Final = "LowCardinality(String)"
_KEYS_VERSION: Final = 1
_OWN_DICTIONARY: Final = 1 << 9 | 1 << 10  # keys of one byte come along, and replace those before
# Not floats: 0.0 and -0.0 are equal, and two cells.
_PLAIN: Final = re.compile(r"String|U?Int(?:8|16|32|64)|Bool")


class Gathered:
    """Stands where the driver's writer expects a socket."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.parts.append(bytes(data))


def write_repeated(context: Context, spec: str, cells: Sequence[Any], out: Any) -> bool:
    """Whether all cells are the same, of a type (as it is stored) for which they have been written. Raises
    what the driver raises for cells that do not fit."""
    count = len(cells)
    if count < _FEWEST or not (spec == _LOW_CARDINALITY or _PLAIN.fullmatch(spec)):
        return False
    cell = cells[0]
    if cell != cells[-1] or cells.count(cell) != count:
        return False
    if spec == _LOW_CARDINALITY:
        key = _written(context, "String", cell)
        write_binary_int64(_KEYS_VERSION, out)
        write_binary_int64(_OWN_DICTIONARY, out)
        write_binary_int64(1, out)
        out.write(key)
        write_binary_int64(count, out)
        out.write(bytes(count))
    else:
        out.write(_written(context, spec, cell) * count)
    return True


def _written(context: Context, spec: str, cell: object) -> bytes:
    gathered = Gathered()
    single = BufferedSocketWriter(gathered, _CELL_BYTES)
    write_column(context, "cell", spec, [cell], single)
    single.flush()
    return b"".join(gathered.parts)
