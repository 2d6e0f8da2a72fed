"""Temporary folders that do not outlive their process for long: a new one removes what the killed left."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["scratch_folder"]

_NAME: Final = re.compile(r"relive-[a-z]+-[a-z0-9_]{8}\.tmp")


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A folder of this process alone, removed at the end with all that is in it; of SIGKILL and of a signal
    that nobody handles, with the next one. `kind`: a word of its name. Raises OSError."""
    place = Path(tempfile.gettempdir())
    _sweep(place)
    # It gets its name when it is locked: under that name, a folder without a lock is left behind.
    draft = Path(tempfile.mkdtemp(prefix=f".relive-{kind}-", dir=place))
    lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    folder = draft
    try:
        with suppress(OSError):  # a file system without locks: nobody can take it away then
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = draft.rename(place / f"{draft.name[1:]}.tmp")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep(place: Path) -> None:
    """Remove those of this user that nobody has locked."""
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_left(entry.path)


def _remove_left(path: str) -> None:
    """Raises OSError: it is somebody's, or no folder."""
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
