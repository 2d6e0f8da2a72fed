"""Folders of resources, which functions of other users may write: there as a whole, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["make_folder", "remove_folder", "remove_left"]

_NEW: Final = ".new"
_GONE: Final = ".gone"


def make_folder(folder: Path, mode: int) -> None:
    """With this mode, whatever the umask is. Raises OSError."""
    draft = _beside(folder, _NEW)
    draft.mkdir(parents=True, exist_ok=True)  # one that is there is of a process that was killed
    draft.chmod(mode)
    os.rename(draft, folder)


def remove_folder(folder: Path) -> None:
    """With all that is in it: of a half, what is left might be taken for something. Raises OSError."""
    gone = _beside(folder, _GONE)
    if gone.exists():
        shutil.rmtree(gone)
    os.rename(folder, gone)
    with suppress(FileNotFoundError):  # `remove_left` of a deploy is at it, too
        shutil.rmtree(gone)


def remove_left(parent: Path) -> None:
    """What processes were removing there when they were killed."""
    for gone in parent.glob(f".*{_GONE}"):
        shutil.rmtree(gone, ignore_errors=True)


def _beside(folder: Path, ending: str) -> Path:
    """No resource has a name like this."""
    return folder.with_name(f".{folder.name}{ending}")
