"""Analysed heaps on disk: the columns as they are, to be mapped into memory.

`<scene's name>.<hash>.heap` holds 8 bytes of magic, 8 of the header's length, the header (JSON), and the
columns. A file whose checksum, lengths or version do not fit is no hit; the heap is then analysed again.
Everything in it comes from the scene, so it may be deleted at any time.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
import time
import zlib
from array import array
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from relive_capture.explore.heap.analysis import (
    Analysis,
    DominatorTree,
    Stack,
    SuspectNode,
    TypeColumns,
    build_graph,
)
from relive_capture.explore.heap.heap import Heap
from relive_capture.explore.snapshots import Column, HeapSnapshot
from relive_capture.heap_format import HeapMeta, HeapRoot, HeapType

__all__ = ["CACHE_BYTES", "HeapCache", "HeapKey", "cache_of"]

CACHE_BYTES: Final = 1 << 30
"""What all files of a cache take together; those that were not used for longest leave first."""

_MAGIC: Final = b"RLHEAP\x00\x02"  # the last byte is the version: what an older one computed is of no use
_MAX_HEADER: Final = 512 * 1024 * 1024
_ABANDONED_S: Final = 3_600.0
_SAFE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,119}")
_SNAPSHOT: Final = ("address", "type", "size", "first_edge", "edge", "label", "value")
_TREE: Final = ("order", "position", "dominator", "retained", "count")
_TYPES: Final = ("count", "shallow", "retained")
_ANALYSIS: Final = ("via", "distance", "first_referrer", "referrer", "reach")


@dataclass(frozen=True, slots=True)
class HeapKey:
    """Whose heap it is: `name` of the scene (its id and attempt), sha256 of its archive (hex)."""

    name: str
    hash: str

    @property
    def file(self) -> str:
        """The cache's name for it; a name that is no id is left out."""
        digest = self.hash[:32]
        return f"{self.name}.{digest}.heap" if _SAFE.fullmatch(self.name) else f"{digest}.heap"


class _Block(msgspec.Struct, array_like=True):
    name: str
    code: str
    offset: int
    length: int  # entries


class _Header(msgspec.Struct):
    key: str
    byteorder: str
    size: int
    checksum: int  # of the columns
    blocks: list[_Block]
    meta: HeapMeta
    types: list[HeapType]
    strings: list[str]
    roots: list[HeapRoot]
    suspects: list[SuspectNode]
    stack: Stack
    cpu_ns: int


class HeapCache:
    """A folder of analysed heaps. Trouble with it is never an error: the heap is computed instead."""

    def __init__(self, folder: Path, limit_bytes: int = CACHE_BYTES) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def load(self, key: HeapKey) -> Heap | None:
        """The heap as it was stored, its columns mapped from the file."""
        path = self._folder / key.file
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            os.utime(path)
            return _heap(memoryview(mapped), key)
        except (OSError, ValueError, msgspec.MsgspecError, KeyError, IndexError, UnicodeDecodeError):
            return None

    def store(self, key: HeapKey, heap: Heap) -> bool:
        """Keep an analysed heap; False if that was not possible or it is over the limit."""
        columns = _columns(heap)
        size = sum(len(column) * column.itemsize for column in columns.values())
        if size > self._limit:
            return False
        path = self._folder / key.file
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(temporary, key, heap, columns)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            return False
        self.sweep()
        return True

    def forget(self, name: str) -> None:
        """Remove what belongs to a scene that is gone."""
        if _SAFE.fullmatch(name):
            for path in self._folder.glob(f"{name}.*.heap"):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what is over the limit, and what a process that died left behind."""
        files = []
        with suppress(OSError):
            for entry in os.scandir(self._folder):
                found = entry.stat()
                if entry.name.endswith(".heap"):
                    files.append((found.st_mtime, found.st_size, entry.path))
                elif entry.name.endswith(".tmp") and found.st_mtime < time.time() - _ABANDONED_S:
                    os.unlink(entry.path)
        total = 0
        for _, size, path in sorted(files, reverse=True):
            total += size
            if total > self._limit:
                with suppress(OSError):
                    os.unlink(path)


def cache_of(scenes_dir: Path | str) -> HeapCache:
    """The cache of a home, beside its scenes."""
    return HeapCache(Path(scenes_dir) / "cache")


def _columns(heap: Heap) -> dict[str, Column]:
    analysis = heap.analysis
    return {
        **{f"snapshot.{name}": getattr(heap.snapshot, name) for name in _SNAPSHOT},
        **{f"tree.{name}": getattr(analysis.tree, name) for name in _TREE},
        **{f"types.{name}": getattr(analysis.types, name) for name in _TYPES},
        **{f"analysis.{name}": getattr(analysis, name) for name in _ANALYSIS},
    }


def _write(path: Path, key: HeapKey, heap: Heap, columns: dict[str, Column]) -> None:
    blocks, offset, checksum = [], 0, 0
    for name, column in columns.items():
        code = column.typecode if isinstance(column, array) else column.format
        blocks.append(_Block(name, code, offset, len(column)))
        offset += _padded(len(column) * column.itemsize)
        checksum = zlib.crc32(memoryview(column).cast("B"), checksum)
    snapshot = heap.snapshot
    header = msgspec.json.encode(
        _Header(
            key=key.hash,
            byteorder=sys.byteorder,
            size=offset,
            checksum=checksum,
            blocks=blocks,
            meta=snapshot.meta,
            types=snapshot.types,
            strings=snapshot.strings,
            roots=snapshot.roots,
            suspects=heap.suspects,
            stack=heap.graph.stack,
            cpu_ns=heap.analysis.cpu_ns,
        )
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_MAGIC + len(header).to_bytes(8, "little") + zlib.crc32(header).to_bytes(8, "little"))
        file.write(header + bytes(_padded(len(header)) - len(header)))
        for column in columns.values():
            data = memoryview(column).cast("B")
            file.write(data)
            file.write(bytes(_padded(len(data)) - len(data)))


def _padded(size: int) -> int:
    return (size + 7) & ~7


def _heap(data: memoryview[int], key: HeapKey) -> Heap | None:
    """None, or an error that `load` expects, if the file is not what it should be."""
    if bytes(data[:8]) != _MAGIC:
        return None
    length, checksum = (int.from_bytes(data[at : at + 8], "little") for at in (8, 16))
    if length > min(_MAX_HEADER, len(data)) or zlib.crc32(data[24 : 24 + length]) != checksum:
        return None
    header = msgspec.json.decode(data[24 : 24 + length], type=_Header)
    body = data[24 + _padded(length) :]
    if header.key != key.hash or header.byteorder != sys.byteorder or len(body) != header.size:
        return None
    columns, checksum = {}, 0
    for block in header.blocks:
        size = block.length * array(block.code).itemsize
        column = body[block.offset : block.offset + size]
        checksum = zlib.crc32(column, checksum)
        columns[block.name] = column.cast(block.code)  # type: ignore[call-overload]
    return _assembled(header, columns) if checksum == header.checksum else None


def _assembled(header: _Header, columns: dict[str, memoryview[int]]) -> Heap | None:
    def some(part: str, names: tuple[str, ...]) -> dict[str, memoryview[int]]:
        return {name: columns[f"{part}.{name}"] for name in names}

    snapshot = HeapSnapshot(
        meta=header.meta,
        types=header.types,
        strings=header.strings,
        roots=header.roots,
        **some("snapshot", _SNAPSHOT),
    )
    analysis = Analysis(
        tree=DominatorTree(**some("tree", _TREE)),
        types=TypeColumns(**some("types", _TYPES)),
        **some("analysis", _ANALYSIS),
        cpu_ns=header.cpu_ns,
    )
    graph = build_graph(snapshot, header.stack)
    lengths = {len(analysis.tree.retained), len(analysis.via), len(analysis.first_referrer) - 1}
    if lengths != {graph.nodes}:
        return None
    heap = Heap(snapshot, graph, analysis)
    heap.suspects = header.suspects
    return heap
