"""Reading the `heap/` members of a scene: hostile until every count, length and index was checked."""

from __future__ import annotations

import io
import sys
from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Final, TypeVar

import msgspec

from relive_capture.explore.errors import SceneError
from relive_capture.explore.snapshots.checks import check_snapshot
from relive_capture.explore.snapshots.snapshot import HeapLimits, HeapSnapshot
from relive_capture.heap_format import COLUMNS, HeapMeta, HeapRoot, HeapType

__all__ = ["FOLDER", "column_name", "read_members", "read_meta"]

T = TypeVar("T")
FOLDER: Final = "heap/"
_SCHEMA: Final = 1
_MAX_WINDOW: Final = 128 * 1024 * 1024
_MASK: Final = (1 << 64) - 1
_KINDS: Final[dict[str, Any]] = {
    "meta": HeapMeta,
    "types": list[HeapType],
    "strings": list[str],
    "roots": list[HeapRoot],
}


def column_name(name: str) -> str:
    """The member that holds a column: `heap/address.u64`."""
    return f"{FOLDER}{name}.{'u64' if COLUMNS[name] == 'Q' else 'u32'}"


def read_members(
    member: Callable[[str], bytes], where: str, limits: HeapLimits | None = None
) -> HeapSnapshot:
    """The snapshot whose members `member` gives by name. Raises SceneError if it is not one."""
    limits = limits or HeapLimits()
    meta = read_meta(member, where, limits)
    lengths = {"first_edge": meta.objects + 1, "edge": meta.edges, "label": meta.edges}
    columns = {name: _column(member, name, lengths.get(name, meta.objects), where) for name in COLUMNS}
    columns["address"] = _absolute(columns["address"])
    snapshot = HeapSnapshot(
        meta=meta,
        types=_json(member, "types", where, limits),
        strings=_json(member, "strings", where, limits),
        roots=_json(member, "roots", where, limits),
        **columns,
    )
    check_snapshot(snapshot, where, limits)
    return snapshot


def read_meta(member: Callable[[str], bytes], where: str, limits: HeapLimits | None = None) -> HeapMeta:
    """Only how the snapshot came about, with its counts. Raises SceneError."""
    limits = limits or HeapLimits()
    meta: HeapMeta = _json(member, "meta", where, limits)
    if meta.schema != _SCHEMA:
        raise SceneError(
            f"the heap has schema {meta.schema}, this Relive reads {_SCHEMA}",
            where=where,
            hint="install a newer Relive",
        )
    for what, count, limit in (
        ("objects", meta.objects, limits.objects),
        ("edges", meta.edges, limits.edges),
    ):
        if not 0 <= count <= limit:
            raise SceneError(f"the heap has {count} {what}, the limit is {limit}", where=where)
    return meta


def _json(member: Callable[[str], bytes], name: str, where: str, limits: HeapLimits) -> Any:
    file = f"{FOLDER}{name}.json"
    data = member(file)
    if len(data) > limits.json_bytes:
        raise SceneError(f"{file}: {len(data)} bytes are over the limit of {limits.json_bytes}", where=where)
    try:
        return msgspec.json.decode(data, type=_KINDS[name])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SceneError(f"{file} cannot be read: {error}", where=where) from error


def _column(member: Callable[[str], bytes], name: str, count: int, where: str) -> array[int]:
    """Exactly `count` numbers: never more is unpacked than that, whatever the frame says of itself."""
    import zstandard  # most scenes that are opened are not asked for their heap

    column = array(COLUMNS[name])
    expected = count * column.itemsize
    file = column_name(name)
    packed = member(file)
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        with decompressor.stream_reader(io.BytesIO(packed)) as reader:
            data = reader.read(expected + 1)
    except (zstandard.ZstdError, MemoryError, ValueError) as error:
        raise SceneError(f"{file} cannot be unpacked: {error}", where=where) from error
    if len(data) != expected:
        found = "more" if len(data) > expected else str(len(data))
        raise SceneError(f"{file} has {found} bytes instead of {expected}", where=where)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _absolute(differences: array[int]) -> array[int]:
    """Addresses from the differences between them."""
    try:
        return array("Q", accumulate(differences))
    except OverflowError:
        return array("Q", accumulate(differences, lambda total, step: (total + step) & _MASK))
