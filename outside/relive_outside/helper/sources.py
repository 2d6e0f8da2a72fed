"""The application's own source files as they are on the disk: their text, within limits, and one hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Sources", "read_sources"]

_FILES: Final = 400  # a scene has at most 1,000 members
_LOOKED: Final = 20_000
_FILE_BYTES: Final = 1_048_576
_DEPTH: Final = 12
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "venv"})


@dataclass(slots=True)
class Sources:
    """`files`: by their path below the folder. `left_out`: those over a limit, whose text is not there;
    `newer`: those that were changed after the process had started."""

    files: dict[str, bytes] = field(default_factory=dict)
    left_out: int = 0
    newer: list[str] = field(default_factory=list)
    code_hash: str = ""


def read_sources(folder: str, most_bytes: int, started_ns: int = 0) -> Sources:
    """Python files below `folder`, the shallow ones first. No link is followed out of it."""
    found = Sources()
    if not folder or folder == os.sep or not os.path.isdir(folder) or os.path.exists(f"{folder}/os.py"):
        return found  # a folder that is no application's
    digest = hashlib.sha256()
    left_bytes = most_bytes
    for path, name in _python_files(folder):
        try:
            info = os.stat(path)
            if info.st_size > _FILE_BYTES:
                found.left_out += 1
                digest.update(f"{name} {info.st_size}\0".encode("utf-8", "surrogateescape"))
                continue
            with open(path, "rb") as file:
                data = file.read(_FILE_BYTES)
        except OSError:
            found.left_out += 1
            continue
        digest.update(f"{name} {len(data)}\0".encode("utf-8", "surrogateescape") + data)
        if started_ns and info.st_mtime_ns > started_ns:
            found.newer.append(name)
        if len(found.files) < _FILES and len(data) <= left_bytes:
            found.files[name] = data
            left_bytes -= len(data)
        else:
            found.left_out += 1
    found.code_hash = digest.hexdigest()
    return found


def _python_files(folder: str) -> Iterator[tuple[str, str]]:
    """(path, path below the folder), level by level and by name."""
    level = [folder]
    looked = 0
    for _ in range(_DEPTH):
        deeper: list[str] = []
        for place in level:
            try:
                entries = sorted(os.scandir(place), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                looked += 1
                if looked > _LOOKED:
                    return
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if not _is_foreign(entry):
                        deeper.append(entry.path)
                elif entry.name.endswith(".py") and entry.is_file():
                    yield entry.path, os.path.relpath(entry.path, folder)
        level = deeper


def _is_foreign(entry: os.DirEntry[str]) -> bool:
    """Whether it holds what is installed: an environment, or an installed package beside the code."""
    return (
        entry.name in _SKIPPED
        or entry.name.endswith((".dist-info", ".egg-info"))
        or os.path.exists(f"{entry.path}/pyvenv.cfg")
    )
