"""A worker's raw snapshot becomes the `heap/` members of an archive.

The files are hostile: the worker may still write to them, and its code chose what is in them.
"""

from __future__ import annotations

import os
import stat
import sys
from array import array
from operator import sub
from typing import Any, Final

import msgspec
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import Redactor

from relive_capture.explore.errors import SceneError
from relive_capture.explore.scene.cleaning import clean_member
from relive_capture.explore.snapshots.reading import FOLDER, column_name
from relive_capture.explore.snapshots.snapshot import HeapLimits
from relive_capture.heap_format import COLUMNS, JSON_FILES, HeapMeta

__all__ = ["collect_heap", "remove_raw"]

_LEVEL: Final = 3
_MAX_COLUMN_BYTES: Final = 2 * 1024 * 1024 * 1024
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def collect_heap(
    folder: str,
    record: InvocationRecord,
    redactor: Redactor,
    max_bytes: int,
    limits: HeapLimits | None = None,
) -> dict[str, bytes]:
    """Members by name; `max_bytes` together at most. Raises SceneError if the files are no snapshot, and
    if it is too large."""
    limits = limits or HeapLimits()
    try:
        descriptor = os.open(folder, _OPEN | os.O_DIRECTORY)
    except OSError as error:
        raise SceneError(f"the worker's files cannot be opened: {error.strerror}") from error
    try:
        return _collect(descriptor, record, redactor, max_bytes, limits)
    finally:
        os.close(descriptor)


def _collect(
    folder: int, record: InvocationRecord, redactor: Redactor, max_bytes: int, limits: HeapLimits
) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for name in JSON_FILES:
        data = _read(folder, f"{name}.json", limits.json_bytes)
        members[f"{FOLDER}{name}.json"] = clean_member(f"{name}.json", data, redactor)
    meta = _meta(members[f"{FOLDER}meta.json"], record, limits)
    members[f"{FOLDER}meta.json"] = msgspec.json.encode(meta)
    lengths = {"first_edge": meta.objects + 1, "edge": meta.edges, "label": meta.edges}
    for name, typecode in COLUMNS.items():
        members[column_name(name)] = _column(folder, name, typecode, lengths.get(name, meta.objects))
    size = sum(map(len, members.values()))
    if size > max_bytes:
        raise SceneError(f"it has {size} bytes, over the limit of {max_bytes} (RELIVE_HEAP_ARCHIVE_BYTES)")
    return members


def _meta(data: bytes, record: InvocationRecord, limits: HeapLimits) -> HeapMeta:
    try:
        meta = msgspec.json.decode(data, type=HeapMeta)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SceneError(f"meta.json cannot be read: {error}") from error
    if not 0 <= meta.objects <= limits.objects or not 0 <= meta.edges <= limits.edges:
        raise SceneError(f"meta.json tells of {meta.objects} objects and {meta.edges} edges, over the limits")
    meta.invocation_id, meta.function, meta.version = record.invocation_id, record.function, record.version
    return meta


def _column(folder: int, name: str, typecode: str, count: int) -> bytes:
    import zstandard

    column = array(typecode)
    expected = count * column.itemsize
    data = _read(folder, column_name(name).removeprefix(FOLDER), min(expected, _MAX_COLUMN_BYTES))
    if len(data) != expected:
        raise SceneError(f"{name} has {len(data)} bytes instead of {expected}")
    if name == "address":
        data = _differences(data)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def _differences(data: bytes) -> bytes:
    addresses: array[int] = array("Q")
    addresses.frombytes(data)
    if sys.byteorder == "big":
        addresses.byteswap()
    try:
        steps = array("Q", addresses[:1])
        steps.extend(map(sub, addresses[1:], addresses))
    except OverflowError as error:
        raise SceneError("the addresses are not in order") from error
    if sys.byteorder == "big":
        steps.byteswap()
    return steps.tobytes()


def _read(folder: int, name: str, limit: int) -> bytes:
    """A regular file of at most `limit` bytes, whatever else it may have become."""
    try:
        descriptor = os.open(name, _OPEN, dir_fd=folder)
    except OSError as error:
        raise SceneError(f"{name} cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found: Any = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SceneError(f"{name} is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SceneError(f"{name} has more than {limit} bytes")
    return data


def remove_raw(folder: str) -> None:
    """The files of a snapshot, and the folder; nothing that links lead to, and no folder inside it."""
    try:
        descriptor = os.open(folder, _OPEN | os.O_DIRECTORY)
    except OSError:
        _unlink(folder)  # what the worker made it
        return
    try:
        for name in os.listdir(descriptor):
            os.unlink(name, dir_fd=descriptor)
    except OSError:
        pass  # a folder of the worker's in it: it goes when the next server starts
    finally:
        os.close(descriptor)
    try:
        os.rmdir(folder)
    except OSError:
        return


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
