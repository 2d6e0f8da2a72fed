"""Resource limits of a worker: the guard behind the server's own watch on memory and processes."""

from __future__ import annotations

import os
import resource
from typing import Final

__all__ = ["DATA_SLACK_BYTES", "FRAME_FD_FLOOR", "OPEN_FILES", "apply_limits", "make_room_for_files"]

OPEN_FILES: Final = 1_024
"""Descriptors a function may have open."""

FRAME_FD_FLOOR: Final = 4_000
"""The worker's own descriptors lie above what a function may open, so that closing 3 to 1,024 spares them."""

DATA_SLACK_BYTES: Final = 512 * 1024 * 1024
"""Private memory beyond the function's limit: 64 threads' stacks of 8 MiB that are reserved, not used."""

_PROCESS_SLACK: Final = 256
_MORE_FILES: Final = 64
_MIB: Final = 1024 * 1024


def apply_limits(memory_mb: int, core_mb: int = 0, *, own_user: bool = False) -> list[str]:
    """Set the limits; what could not be set, in words.

    Processes are counted by user: if this one gets a user of its own, its own are counted, and no others.

    Memory: RLIMIT_DATA, not RLIMIT_AS, because mapped files and the reserved, never used address space of
    allocators are not memory. One allocation far over the limit becomes a MemoryError; the slow growth that
    the slack lets through is the server's to stop, by resident size.
    """
    problems: list[str] = []
    data = _data_bytes() + memory_mb * _MIB + DATA_SLACK_BYTES
    wanted = [
        ("core", resource.RLIMIT_CORE, core_mb * _MIB, core_mb * _MIB),
        ("files", resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES * 4),
        ("data", resource.RLIMIT_DATA, data, None),
    ]
    tasks = 0 if own_user else _tasks()
    if tasks or own_user:
        wanted.append(("processes", resource.RLIMIT_NPROC, tasks + _PROCESS_SLACK, None))
    for name, limit, soft, hard in wanted:
        present_hard = resource.getrlimit(limit)[1]
        ceiling = _lower(hard, present_hard)
        try:
            resource.setrlimit(limit, (_lower(soft, ceiling), ceiling))
        except (ValueError, OSError) as error:
            problems.append(f"limit on {name}: {error}")
    return problems


def make_room_for_files() -> None:
    """Let a process that has used up its descriptors open some more: it has failed, and is to say why."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_lower(soft + _MORE_FILES, hard), hard))
    except (ValueError, OSError):
        return


def _lower(wanted: int | None, ceiling: int) -> int:
    if wanted is None:
        return ceiling
    return wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)


def _data_bytes() -> int:
    """Private writable memory of this process now, as RLIMIT_DATA counts it."""
    return int(_read("/proc/self/statm").split()[5]) * os.sysconf("SC_PAGE_SIZE")


def _tasks() -> int:
    """Tasks on the whole machine: RLIMIT_NPROC counts those of the user, whoever started them."""
    try:
        return int(_read("/proc/loadavg").split()[3].split(b"/")[1])
    except (OSError, ValueError, IndexError):
        return 0


def _read(path: str) -> bytes:
    """Without a text layer: it would import a codec in every worker, for a millisecond."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4_096)
    finally:
        os.close(fd)
