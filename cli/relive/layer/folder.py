"""The recorder as a folder: one that is there is replaced if it is one of ours, and nothing else is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from relive_base.errors import UsageError
from relive_base.terminal import one_line

__all__ = ["refuse_other_folder", "write_folder"]

_OURS: Final = ("relive", "relive_*", "relive-record", "msgspec", "msgspec-*.dist-info", "__pycache__")
_MARK: Final = "relive_outside"
_HINT: Final = "name a folder that is not there yet, is empty, or is of an earlier relive layer build"


def refuse_other_folder(target: Path) -> None:
    """Raises UsageError if `target` has what no earlier build has put there."""
    try:
        names = sorted(os.listdir(target))
    except OSError:
        return  # it is not there; or writing says what is wrong
    others = [name for name in names if not any(fnmatchcase(name, ours) for ours in _OURS)]
    if names and (others or _MARK not in names):
        found = one_line((others or names)[0], 60)
        raise UsageError(f"{one_line(str(target), 100)} has something else in it: {found}", hint=_HINT)


def write_folder(files: Mapping[str, bytes], target: Path, program: str) -> None:
    """With these files, and no others. Those of an old one are taken away and not written into: a process may
    run with them. Raises OSError, UsageError."""
    refuse_other_folder(target)
    for folder, folders, names in os.walk(target, topdown=False):
        for name in names:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            below = os.path.join(folder, name)
            if os.path.islink(below):
                os.unlink(below)
            else:
                os.rmdir(below)
    for name, data in files.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (target / program).chmod(0o755)
