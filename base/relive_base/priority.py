"""Standing back: processes that catch up later must not take the machine from invocations."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

__all__ = ["stand_back"]

_SLICE_NS: Final = 100_000
"""The shortest that the kernel takes. A process that got a processor keeps it for its slice: by default up to
3 ms, during which a worker that was woken waits."""
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
_ATTRIBUTES: Final = struct.Struct(
    "=IIQiIQQQ"
)  # size, policy, flags, nice, priority, runtime, deadline, period


def stand_back(niceness: int) -> None:
    """Lower this process's priority by `niceness` (0 to 19), for good; threads started later inherit it.

    Where the kernel schedules by session (autogroup), niceness counts only within a session: the session
    that this process leads is lowered as a whole. Does nothing where the kernel refuses.
    """
    try:
        os.nice(niceness)
        if os.getsid(0) == os.getpid():
            with open("/proc/self/autogroup", "w", encoding="ascii") as group:
                group.write(str(niceness))
    except OSError:
        pass  # no autogroup, or no right to it: niceness alone has to do
    _shorten_slice()


def _shorten_slice() -> None:
    """Ask for short turns on the processor (Linux 6.12 and newer; older kernels ignore it)."""
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None or os.uname().sysname != "Linux":
        return
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, 0, os.nice(0), 0, _SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)
