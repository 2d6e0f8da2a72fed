"""Standing back: processes that catch up later must not take the machine from invocations."""

from __future__ import annotations

import os

__all__ = ["stand_back"]


def stand_back(niceness: int) -> None:
    """Lower this process's priority by `niceness` (0 to 19), for good.

    Where the kernel schedules by session (autogroup), niceness counts only within a session: the session
    that this process leads is lowered as a whole. Does nothing where the kernel refuses.
    """
    try:
        os.nice(niceness)
        if os.getsid(0) == os.getpid():
            with open("/proc/self/autogroup", "w", encoding="ascii") as group:
                group.write(str(niceness))
    except OSError:
        return
