"""Processes that a worker's code has started, in whatever group or session they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from relive_runtime.worker.limits.memory import held_bytes, tmp_bytes

__all__ = ["children_bytes", "descendants", "exact_children_bytes", "running"]

LIMIT: Final = 1_024


def descendants(pid: int, limit: int = LIMIT) -> list[int]:
    """What `pid` has started and what that has started, at most `limit`; parents come before children.

    A worker adopts what its children leave behind, so that nothing gets lost.
    """
    found: list[int] = []
    queue = [pid]
    while queue and len(found) < limit:
        for child in _children(queue.pop()):
            found.append(child)
            queue.append(child)
    return found[:limit]


def _children(pid: int) -> list[int]:
    """Of all its threads: each has its own list."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_bytes()
            found += [int(word) for word in text.split()]
    except (OSError, ValueError):
        pass  # it has ended meanwhile
    return found


def children_bytes(pids: list[int]) -> int:
    """What these processes hold: anonymous and shared pages, in 25 us each.

    After a fork, what parent and child still share counts for both: never too little.
    """
    return sum(held_bytes(False, pid) for pid in pids)


def exact_children_bytes(parent: int, pids: list[int], own_tmp: bool) -> int:
    """What these processes hold beside `parent`, each page once; 0.5 ms for 80 MB. `own_tmp`: that of
    `parent` and its children is theirs, and what they map of it counts there."""
    own_shared = _proportional(parent)[1]
    found = [_proportional(pid) for pid in pids]
    anonymous = sum(entry[0] for entry in found)
    shared = own_shared + sum(entry[1] for entry in found)
    if shared and own_tmp:
        shared = max(shared - tmp_bytes(parent), 0)
    return anonymous + max(shared - own_shared, 0)


def _proportional(pid: int) -> tuple[int, int]:
    """Anonymous and shared memory, each page divided by the number of processes that have it."""
    anonymous = shared = -1
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss_Anon:"):
                anonymous = int(line.split()[1]) * 1_024
            elif line.startswith(b"Pss_Shmem:"):
                shared = int(line.split()[1]) * 1_024
    except (OSError, IndexError, ValueError):
        return 0, 0
    return (anonymous, shared) if anonymous >= 0 else (held_bytes(False, pid), 0)  # a kernel before 5.10


def running(pids: list[int]) -> list[int]:
    """Those that have not ended: one that nobody has waited for is still listed."""
    return [pid for pid in pids if _state(pid) not in ("Z", "X", "")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1].decode()
    except OSError:
        return ""
