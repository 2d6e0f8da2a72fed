"""Writing a snapshot into the worker's own folder: new files only, no links, nothing left if it fails."""

from __future__ import annotations

import os
from typing import Any, Final

from relive_base.escapes import to_json

from relive_capture.heap_format import COLUMNS, HeapMeta, HeapRoot, HeapType
from relive_capture.record.heap.native import Heap

__all__ = ["column_file", "remove_folder", "write_folder"]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def column_file(name: str) -> str:
    """The file of a column."""
    return f"{name}.u64" if COLUMNS[name] == "Q" else f"{name}.u32"


def write_folder(
    folder: str, heap: Heap, meta: HeapMeta, types: list[HeapType], strings: list[str], roots: list[HeapRoot]
) -> int:
    """Make `folder` and write all files; gives their bytes. Raises OSError, and then nothing is left."""
    os.mkdir(folder, 0o700)
    descriptor = -1
    try:
        descriptor = os.open(folder, _FOLDER)
        written = sum(_write_column(descriptor, heap, name) for name in COLUMNS)
        parts: dict[str, Any] = {"types": types, "strings": strings, "roots": roots, "meta": meta}
        return written + sum(_write_json(descriptor, name, part) for name, part in parts.items())
    except OSError:
        remove_folder(folder)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _write_column(folder: int, heap: Heap, name: str) -> int:
    file = os.open(column_file(name), _NEW, 0o600, dir_fd=folder)
    try:
        return heap.write(name, file)
    finally:
        os.close(file)


def _write_json(folder: int, name: str, part: Any) -> int:
    data = to_json(part)
    file = os.open(f"{name}.json", _NEW, 0o600, dir_fd=folder)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
    finally:
        os.close(file)
    return len(data)


def remove_folder(folder: str) -> None:
    """Take back what was written."""
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:
        return  # the scratch folder goes with the worker
