"""Fatal errors in native code: Python's own fault handler, writing where the user's code does not look."""

from __future__ import annotations

import faulthandler

__all__ = ["watch_faults"]


def watch_faults(fd: int) -> None:
    """Have the stacks of all threads written to `fd` at a segmentation fault and its like; the process then
    dies of the signal as ever. A `faulthandler.enable` of the user's code replaces it, and goes to stderr."""
    try:
        faulthandler.enable(fd, all_threads=True)
    except (OSError, RuntimeError, ValueError):
        return  # the scene then has no stacks of such a death, and says so
