"""Where the journals of a home's servers lie: in memory (/dev/shm), for what is in them is not redacted yet.

/dev/shm/relive-UID-HOME/     0700; HOME is a hash of the home's path, which `home` in it spells out
    RUN/                      of one run of a server
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from relive_base.whole_file import write_whole

__all__ = ["is_ours", "journal_place", "leave_place", "open_place", "sweep_places"]

_SHARED: Final = Path("/dev/shm")
_HOME: Final = "home"
_NOT_OURS: Final = "another user may write there"


def journal_place(home: Path, chosen: str = "") -> Path:
    """The folder for the journals of `home`, in memory or in the folder that was chosen."""
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return (Path(chosen) if chosen else _SHARED) / f"relive-{os.geteuid()}-{name}"


def open_place(place: Path, home: Path) -> None:
    """Make the folder. Raises OSError, even if it is not ours alone: all users may make such folders."""
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    if not is_ours(place):
        raise PermissionError(1, _NOT_OURS, str(place))
    if _home_of(place) != os.fsencode(home.resolve()):
        write_whole(place / _HOME, os.fsencode(home.resolve()))


def is_ours(place: Path) -> bool:
    """Whether it is there, and nobody else can have written into it."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )


def leave_place(place: Path) -> None:
    """Remove the folder if nothing is in it any more."""
    with suppress(OSError):
        files = list(place.iterdir())
        if {path.name for path in files} <= {_HOME, f".{_HOME}.new"}:
            for path in files:
                path.unlink(missing_ok=True)
            place.rmdir()


def sweep_places(beside: Path) -> None:
    """Remove what belongs to homes that are no more, next to `beside`: nobody else gives that memory back."""
    with suppress(OSError):
        for place in beside.parent.glob(f"relive-{os.geteuid()}-*"):
            if place != beside and is_ours(place) and not _has_home(place):
                shutil.rmtree(place, ignore_errors=True)


def _home_of(place: Path) -> bytes:
    """The home's path; nothing while it is being made."""
    try:
        return (place / _HOME).read_bytes()
    except OSError:
        return b""


def _has_home(place: Path) -> bool:
    home = _home_of(place)
    return not home or os.path.isdir(home)
