"""ClickHouse's Native format, by clickhouse-driver's column readers and writers, for both engines.

Differences from the driver's own use of them: times stay integers (its datetime objects lose nanoseconds),
and strings
that are not UTF-8 never fail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import read_column, write_column
from clickhouse_driver.context import Context
from clickhouse_driver.errors import Error as DriverError
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_str, write_binary_uint8

from relive_store.columns import Columns
from relive_store.errors import QueryError
from relive_store.native.maps import ATTRIBUTES, EMPTY_ARRAYS, write_attributes, write_empty
from relive_store.native.repeated import Gathered, write_repeated
from relive_store.text import clean_columns

__all__ = ["ExactBlockInput", "ExactBlockOutput", "cells", "decode", "driver_settings", "encode"]

_REVISION_BLOCK_INFO = 51903
_REVISION_CUSTOM_SERIALIZATION = 54454
_WRITE_BUFFER_BYTES = 1 << 20
_TIMES = re.compile(r"DateTime64\([^()]*\)|DateTime(?:\('[^']*'\))?")
_TIME_SCALE = re.compile(r"(?:Nullable\()?DateTime(?:64\((\d))?")
_STATE = re.compile(r"\bAggregateFunction\((?P<name>\w+)(?P<parameters>\([^()]*\))?")
_PLAIN = re.compile(r"(?:Nullable\()?(?:U?Int(?:8|16|32|64)|Float64|Float32|Bool|Enum(?:8|16)\(.*\))\)?")


def _storage_type(spec: str) -> str:
    """`spec` with times as the integers they are stored as."""
    if "DateTime" not in spec or spec.startswith("Enum"):
        return spec
    return _TIMES.sub(lambda match: "Int64" if match.group().startswith("DateTime64") else "UInt32", spec)


def driver_settings(*, strings_as_bytes: bool = False) -> dict[str, object]:
    """Client settings of clickhouse-driver for our readers and writers."""
    return {
        "strings_as_bytes": strings_as_bytes,
        "strings_encoding": "utf-8",
        "use_numpy": False,
        "input_format_null_as_default": False,
        "namedtuple_as_json": False,
        "server_side_params": True,
        "opentelemetry_traceparent": None,
        "opentelemetry_tracestate": "",
        "quota_key": "",
    }


class _OldestRevision:
    """`FORMAT Native` is what the protocol spoke at revision 0: no block info, no custom serialisation."""

    used_revision = 0

    def get_timezone(self) -> str:
        return "UTC"


def _context(server_info: object, *, strings_as_bytes: bool = False) -> Context:
    context = Context()
    context.settings = {}
    context.client_settings = driver_settings(strings_as_bytes=strings_as_bytes)
    context.server_info = server_info
    return context


class ExactBlockInput(BlockInputStream):  # type: ignore[misc]  # clickhouse-driver has no types
    """Reads blocks with times as integers and the columns in `bytes_columns` as bytes."""

    bytes_columns: frozenset[str] = frozenset()

    def read(self, use_numpy: bool | None = None) -> ColumnOrientedBlock:
        """The next block."""
        fin = self.fin
        revision = self.context.server_info.used_revision
        info = BlockInfo()
        if revision >= _REVISION_BLOCK_INFO:
            info.read(fin)
        column_count, rows = read_varint(fin), read_varint(fin)
        header: list[tuple[str, str]] = []
        data: list[Sequence[Any]] = []
        for _ in range(column_count):
            name, spec = read_binary_str(fin), read_binary_str(fin)
            header.append((name, spec))
            custom = revision >= _REVISION_CUSTOM_SERIALIZATION and bool(read_binary_uint8(fin))
            if rows:
                context = self.context
                if name in self.bytes_columns:
                    context = _context(context.server_info, strings_as_bytes=True)
                try:
                    column = read_column(
                        context,
                        _storage_type(spec),
                        rows,
                        fin,
                        use_numpy=False,
                        has_custom_serialization=custom,
                    )
                except TypeError as error:  # the driver cannot have lists as keys
                    raise QueryError(
                        f"column {name} cannot be read: it is a {spec}", hint=f"select toString({name})"
                    ) from error
                data.append(column)
        return ColumnOrientedBlock(columns_with_types=header, data=data, info=info)


class ExactBlockOutput(BlockOutputStream):  # type: ignore[misc]  # clickhouse-driver has no types
    """Writes blocks whose times are integers."""

    def write(self, block: ColumnOrientedBlock) -> None:
        """One block, flushed. Raises clickhouse-driver's errors for values that do not fit."""
        fout = self.fout
        revision = self.context.server_info.used_revision
        if revision >= _REVISION_BLOCK_INFO:
            block.info.write(fout)
        write_varint(block.num_columns, fout)
        write_varint(block.num_rows, fout)
        for index, (name, spec) in enumerate(block.columns_with_types):
            write_binary_str(name, fout)
            write_binary_str(spec, fout)
            if block.num_columns:
                if revision >= _REVISION_CUSTOM_SERIALIZATION:
                    write_binary_uint8(0, fout)
                cells = block.get_column_by_index(index)
                self._write_cells(name, spec, cells)
        fout.flush()

    def _write_cells(self, name: str, spec: str, cells: Sequence[Any]) -> None:
        if spec == ATTRIBUTES:
            write_attributes(self.context, cells, self.fout)
        elif spec in EMPTY_ARRAYS and not any(cells):
            write_empty(spec, len(cells), self.fout)
        else:
            stored = _storage_type(spec)
            if write_repeated(self.context, stored, cells, self.fout):
                return
            if "Nullable" in spec:
                cells = list(cells)  # the driver replaces None in place: the caller's list is not ours
            write_column(self.context, name, stored, cells, self.fout)


class _BytesReader(BufferedReader):  # type: ignore[misc]  # clickhouse-driver has no types
    """Reads from memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0
        super().__init__(max(len(data), 1))

    def read_into_buffer(self) -> None:
        """Hand over everything at once."""
        if self._offset:
            raise EOFError("the Native data is cut off")
        self._offset = len(self._data)
        self.buffer = bytearray(self._data)
        self.current_buffer_size = len(self._data)
        if not self._data:
            raise EOFError("no Native data")


def encode(columns: Mapping[str, Sequence[object]], types: Mapping[str, str]) -> bytes:
    """`columns` as one Native block. Raises QueryError naming what does not fit."""
    header = [(name, types[name]) for name in columns]
    collector = Gathered()
    stream = ExactBlockOutput(
        BufferedSocketWriter(collector, _WRITE_BUFFER_BYTES), _context(_OldestRevision())
    )
    try:
        stream.write(ColumnOrientedBlock(header, list(columns.values())))
    except UnicodeEncodeError:
        return encode(clean_columns(columns), types)
    except (DriverError, ValueError, TypeError, AttributeError, OverflowError, KeyError) as error:
        raise QueryError(f"the columns do not fit the table: {error}") from error
    return b"".join(collector.parts)


def decode(data: bytes, bytes_columns: Sequence[str] = ()) -> Columns:
    """The blocks of a `FORMAT Native` result. Raises QueryError for types that cannot be read."""
    stream = ExactBlockInput(_BytesReader(data), _context(_OldestRevision()))
    stream.bytes_columns = frozenset(bytes_columns)
    header: list[tuple[str, str]] = []
    gathered: list[list[object]] = []
    end = len(data)
    try:
        while end and stream.fin.position < end:
            block = stream.read()
            header = header or block.columns_with_types
            gathered = gathered or [[] for _ in header]
            for into, column in zip(gathered, block.get_columns(), strict=False):
                into.extend(column)
    except (DriverError, EOFError, IndexError, KeyError) as error:
        raise QueryError(f"the result cannot be read: {error}", hint=_hint(str(error))) from error
    return cells(header, gathered, bytes_columns)


def _hint(problem: str) -> str:
    """What helps against a type that cannot be read. The state of an aggregate as text would be its bytes."""
    state = _STATE.search(problem)
    if state is None:
        return "cast the column with toString()"
    merged = f"{state['name']}Merge{state['parameters'] or ''}(COLUMN)"
    return f"it is the state of an aggregate: take {merged}, or leave it out by SELECT * EXCEPT (COLUMN)"


def cells(
    header: Sequence[tuple[str, str]], data: Sequence[list[object]], bytes_columns: Sequence[str] = ()
) -> Columns:
    """Columns with cells as `Columns` documents them."""
    made = [
        list(map(convert, column)) if (convert := _converter(spec, name in bytes_columns)) else column
        for (name, spec), column in zip(header, data, strict=False)
    ]
    return Columns([name for name, _ in header], [spec for _, spec in header], made)


def _converter(spec: str, as_bytes: bool) -> Callable[[Any], object] | None:
    time = _TIME_SCALE.match(spec)
    if time:
        factor = 10 ** (9 - int(time.group(1) or 0))
        return None if factor == 1 else lambda cell: None if cell is None else cell * factor
    if _PLAIN.fullmatch(spec):
        return None
    return _plain_bytes if as_bytes else _plain


def _plain_bytes(cell: object) -> object:
    return cell


def _plain(cell: object) -> object:
    if type(cell) is str or cell is None or isinstance(cell, (bool, float)):
        return cell
    if isinstance(cell, int):
        return cell if -(1 << 63) <= cell < 1 << 64 else str(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, (list, tuple)):
        return [_plain(item) for item in cell]
    if isinstance(cell, dict):
        return {_key(_plain(key)): _plain(value) for key, value in cell.items()}
    return str(cell)


def _key(plain: Any) -> object:
    """A list cannot be a key: one that was a tuple or an array is its JSON."""
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list) else plain
