"""Core files: where the system puts that of a worker, if anywhere. RELIVE_CORE_MB turns them on."""

from __future__ import annotations

import os
import re
import stat
from typing import Final

__all__ = ["core_folder", "core_pattern", "explain", "take_core"]

_PATTERN_FILE: Final = "/proc/sys/kernel/core_pattern"
_USES_PID_FILE: Final = "/proc/sys/kernel/core_uses_pid"
_SPECIFIER: Final = re.compile(r"%(.)")


def core_pattern() -> str:
    """The kernel's core_pattern; "" if it cannot be read."""
    return _read(_PATTERN_FILE)


def core_folder(pattern: str) -> str:
    """The folder of an absolute pattern, to which a worker then needs access; "" for any other."""
    folder = os.path.dirname(pattern)
    return folder if pattern.startswith("/") and "%" not in folder else ""


def explain(pattern: str, wanted: bool) -> str:
    """What core files can be had here, in words."""
    if pattern.startswith("|"):
        where = f"kernel.core_pattern hands them to a program ({pattern[1:].split(' ')[0]}): none can be had"
    elif core_folder(pattern):
        where = f"can be had, in {core_folder(pattern)}"
    else:
        where = (
            f"kernel.core_pattern is {pattern!r}, relative: only of a function that has changed to its HOME"
            " (sysctl kernel.core_pattern=/some/folder/core.%p for all)"
        )
    return where if wanted else f"off (RELIVE_CORE_MB is 0); {where}"


def take_core(pattern: str, pid: int, scratch: str, into: str, uid: int = 0) -> str:
    """The core file of the dead process `pid`, moved out of its scratch folder to `into`; "" if it has none.

    An absolute pattern's stays where it is. `uid`: the process's user, if it had one of its own. Blocks
    for a moment.
    """
    if not pattern or pattern.startswith("|"):
        return ""
    import glob  # here: it is the server that asks for this, not a worker

    name = _SPECIFIER.sub(lambda match: {"p": str(pid), "P": str(pid), "%": "%"}.get(match[1], "*"), pattern)
    if "%p" not in pattern and _read(_USES_PID_FILE) == "1":
        name += f".{pid}"
    relative = not pattern.startswith("/")
    wanted = os.path.join(glob.escape(scratch), name) if relative else name
    for path in glob.glob(wanted)[:1]:
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != (uid or os.getuid()) or not found.st_size:
                return ""
            if relative:
                os.rename(path, into)
        except OSError:
            return ""
        return into if relative else path
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
