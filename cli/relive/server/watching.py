"""Noticing that files of a folder have changed, for `relive deploy --watch`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

__all__ = ["changes", "snapshot"]

POLL_S: Final = 0.5
_MAX_FILES: Final = 50_000
_NO_CODE: Final = (".pyc", ".swp", ".swx", ".tmp", "~")

Snapshot = dict[str, tuple[int, int]]


def changes(
    root: Path, skipped: Collection[str], wait: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Once at the beginning, then each time that files below `root` have changed and are at rest again.

    What changes while the caller works on the last change is a further one.
    """
    handled = snapshot(root, skipped)
    yield
    while True:
        wait(POLL_S)
        now = snapshot(root, skipped)
        if now == handled:
            continue
        while True:  # an editor or a checkout writes many files in a row
            wait(POLL_S)
            later = snapshot(root, skipped)
            if later == now:
                break
            now = later
        handled = now
        yield


def snapshot(root: Path, skipped: Collection[str]) -> Snapshot:
    """The files below `root` (or `root` itself, a zip) -> time of change in ns and size."""
    if not root.is_dir():
        return _entry(root)
    found: Snapshot = {}
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            if not name.endswith(_NO_CODE):
                found.update(_entry(Path(folder) / name))
        if len(found) > _MAX_FILES:
            break
    return found


def _entry(path: Path) -> Snapshot:
    try:
        status = path.stat()
    except OSError:  # it has just gone
        return {}
    return {str(path): (status.st_mtime_ns, status.st_size)}
