"""What of the server's environment its helper processes get, and what of it stays readable from outside.

`/proc/PID/environ` shows what a process was started with to everything that may look at the process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["child_environment", "hide_secrets", "secret_names"]

_NEEDED: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_DATA_HOME", "XDG_CACHE_HOME"}
)
_NEEDED_PREFIXES: Final = ("LC_", "PYTHON", "COVERAGE_")
_OURS: Final = frozenset({"RELIVE_TOKEN", "RELIVE_STORE", "RELIVE_OTLP_HEADERS"})
_ENV_START: Final = 47  # fields of /proc/self/stat behind the process's name, see proc_pid_stat(5)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What an interpreter of ours needs to run, and nothing that could be secret."""
    return {
        name: value
        for name, value in environment.items()
        if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)
    }


def secret_names(environment: Mapping[str, str]) -> list[str]:
    """Variables whose values nobody else should read: our own, headers of an export, and by their names."""
    from relive_base.redaction.redactor import Redactor  # here: only servers need it

    redactor = Redactor()
    return [
        name
        for name, value in environment.items()
        if name in _OURS or name.endswith("_HEADERS") or redactor.is_secret(name, value)
    ]


def hide_secrets() -> int:
    """Overwrite the secrets in the block of memory that /proc/PID/environ shows; how many were there.

    os.environ keeps them: Python has copied it. Does nothing if the system has no such block.
    """
    if sys.platform != "linux":
        return 0
    import ctypes

    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
        block = Path("/proc/self/environ").read_bytes()
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    start = int(fields[_ENV_START]) if len(fields) > _ENV_START else 0
    wanted = {os.fsencode(name) for name in secret_names(os.environ)}
    if not start or not wanted:
        return 0
    hidden = offset = 0
    for entry in block.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if value and name in wanted:
            ctypes.memset(start + offset + len(name) + 1, ord("*"), len(value))
            hidden += 1
        offset += len(entry) + 1
    return hidden
