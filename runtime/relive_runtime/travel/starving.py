"""How long threads of this process have waited for a CPU: on a busy machine what does no work may want to."""

from __future__ import annotations

from builtins import open as open_file  # the real ones, whatever a replay puts in their place
from contextlib import suppress
from os import listdir
from typing import Final

__all__ = ["starved_ns"]

_TASKS: Final = "/proc/self/task"


def starved_ns() -> int:
    """Of all threads that live, in ns; 0 if the kernel does not tell."""
    total = 0
    with suppress(OSError, ValueError, IndexError):
        for task in listdir(_TASKS):
            with (
                suppress(FileNotFoundError, ProcessLookupError),
                open_file(f"{_TASKS}/{task}/schedstat", "rb") as file,
            ):
                total += int(file.read().split()[1])
    return total
