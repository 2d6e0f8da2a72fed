"""Standing back: processes that catch up later must not take the machine from invocations."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
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
    """Lower the priority of this process by `niceness` (0 to 19), for good, with all threads that it has;
    threads started later inherit it. Call it when the process is ready: what it does before that, somebody
    waits for.

    If the kernel schedules by session (autogroup), niceness counts only within a session: the session
    that this process leads is lowered as a whole. Does nothing if the kernel refuses.
    """
    wanted = min(os.nice(0) + niceness, 19)
    for thread in _threads():
        _lower(thread, wanted)
    try:
        if os.getsid(0) == os.getpid():
            with open("/proc/self/autogroup", "w", encoding="ascii") as group:
                group.write(str(niceness))
    except OSError:
        pass  # no autogroup, or no right to it: niceness alone has to do


def _threads() -> list[int]:
    """Kernel ids of this process's threads; 0 is the calling one."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def _lower(thread: int, niceness: int) -> None:
    """Niceness belongs to a thread on Linux. Also asks for short turns on the processor (Linux 6.12 and
    newer; older kernels ignore it)."""
    with suppress(OSError):  # it has ended meanwhile
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
    number = _SCHED_SETATTR.get(os.uname().machine)
    if number is None or os.uname().sysname != "Linux":
        return
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, 0, 0, niceness, 0, _SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, thread, ctypes.c_char_p(attributes), 0)
