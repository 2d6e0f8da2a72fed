"""A home's folder: closed to others, and with one server at a time."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
import time
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

__all__ = [
    "LOCK",
    "RESTORING",
    "AlreadyRunning",
    "UnusableHome",
    "close_to_others",
    "own_home",
    "require_whole",
]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MARKS: Final = ("registry.db", "events.db", "run", "store", "spool", "scenes")
LOCK: Final = "server.lock"
RESTORING: Final = "restoring"
"""In the folder of the run, while a backup is being made a home of."""
_TRY_S: Final = 1.0
_log = logging.getLogger(__name__)


class AlreadyRunning(ReliveError):
    """Another server lives on this home."""


class UnusableHome(ReliveError):
    """The home's folder cannot be made or written, or is open to others."""


def own_home(home: Path, run_dir: Path) -> int:
    """Make the folders and take the home's lock; the descriptor that holds it, which ends with this process,
    whatever happens. Raises UnusableHome and AlreadyRunning."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        close_to_others(home)
        run_dir.mkdir(mode=0o700, exist_ok=True)
        run_dir.chmod(0o700)
        handle = _locked(run_dir)
    except OSError as error:
        raise UnusableHome(
            f"the home cannot be written: {error.strerror}",
            where=str(error.filename or run_dir),
            hint="choose another folder with --home or RELIVE_HOME",
        ) from error
    if handle is not None:
        return handle
    raise AlreadyRunning(
        "another Relive server runs on this home",
        where=str(home),
        hint="stop it with `relive stop`, or choose another folder with --home",
    )


def require_whole(home: Path, run_dir: Path) -> None:
    """Raises UnusableHome if a backup was being restored into it by a process that was killed."""
    if (run_dir / RESTORING).exists():
        raise UnusableHome(
            "the home is half a backup: restoring it was ended in the middle",
            where=str(home),
            hint=f"restore it again: relive --home {home} store restore FILE",
        )


def _locked(run_dir: Path) -> int | None:
    """The descriptor with the lock; None if another process keeps it."""
    give_up = time.monotonic() + _TRY_S
    while time.monotonic() < give_up:
        handle = os.open(run_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A restore that was refused takes its lock away: one that is no file any more says nothing.
            if os.path.samestat((run_dir / LOCK).stat(), os.fstat(handle)):
                return handle
        os.close(handle)
        time.sleep(0.01)  # a command that looks whether a server runs holds it for a moment
    return None


def close_to_others(home: Path) -> bool:
    """See to it that only its owner gets into `home`; whether it had to be closed.

    It holds what functions were called with. Raises UnusableHome if closing it is not ours to decide: it
    belongs to another user, or holds things that are none of Relive's.
    """
    found = home.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not mode & _OTHERS:
        return False
    if found.st_uid != os.geteuid():
        raise UnusableHome(
            f"the home belongs to another user (uid {found.st_uid}) and is open to others (mode {mode:04o})",
            where=str(home),
            hint="choose another folder with --home or RELIVE_HOME, or have its owner run: chmod 700",
        )
    if any(home.iterdir()) and not any((home / name).exists() for name in _MARKS):
        raise UnusableHome(
            f"the folder is open to other users (mode {mode:04o}) and holds other things than Relive's",
            where=str(home),
            hint=f"choose another folder with --home or RELIVE_HOME, or: chmod 700 {home}",
        )
    home.chmod(mode & ~_OTHERS)
    _log.warning(
        "%s was open to other users (mode %04o): it is closed now (%04o)", home, mode, mode & ~_OTHERS
    )
    return True
