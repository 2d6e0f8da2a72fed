"""Noticing that files of a folder have changed, for `relive deploy --watch`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from relive_platform.registry.packages.content import is_home

__all__ = ["changes", "snapshot"]

_POLL_S: Final = 0.1
_SHARE: Final = 20  # of the time, looking takes at most one part in so many, however many files there are
_REST_S: Final = 0.04  # after a file or two: an editor saves one in several steps
_LONG_REST_S: Final = 0.3  # after more: a checkout writes many in a row
_FEW: Final = 2
_MAX_FILES: Final = 50_000
_NO_CODE: Final = (".pyc", ".swp", ".swx", ".tmp", "~")

Snapshot = dict[str, tuple[int, int]]


def changes(
    root: Path, skipped: Collection[str], wait: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Once at the beginning, then each time that files below `root` have changed and are at rest again.

    What changes while the caller works on the last change is a further one.
    """
    handled, cost_s = _look(root, skipped)
    yield
    while True:
        wait(max(_POLL_S, cost_s * _SHARE))
        now, cost_s = _look(root, skipped)
        if now == handled:
            continue
        while True:
            few = len(now.items() ^ handled.items()) <= 2 * _FEW  # each before and after
            wait(_REST_S if few else _LONG_REST_S)
            later, cost_s = _look(root, skipped)
            if later == now:
                break
            now = later
        handled = now
        yield


def _look(root: Path, skipped: Collection[str]) -> tuple[Snapshot, float]:
    began = time.monotonic()
    return snapshot(root, skipped), time.monotonic() - began


def snapshot(root: Path, skipped: Collection[str]) -> Snapshot:
    """The files below `root` (or `root` itself, a zip) -> time of change in ns and size."""
    if not root.is_dir():
        return _entry(root)
    found: Snapshot = {}
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if name not in skipped and not is_home(Path(folder, name))]
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
