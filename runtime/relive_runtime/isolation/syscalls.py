"""System calls that Python has no function for, by ctypes. Every one raises OSError with its errno."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

__all__ = [
    "CAP_KILL",
    "NR_CLOSE_RANGE",
    "adopt_orphans",
    "check",
    "close_all_but",
    "die_with_parent",
    "drop_capabilities",
    "libc",
    "no_new_privileges",
    "prctl",
    "prepared_syscall",
    "supported",
    "syscall",
]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
NR_CLOSE_RANGE: Final = 436  # the same on every architecture, as all system calls since 5.0
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_MAX_FD: Final = 0x7FFF_FFFF

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int) -> int:
    """What a function of the C library gave. Raises OSError with its errno if that is negative."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def supported() -> bool:
    """Whether this is Linux at all."""
    return sys.platform == "linux"


def syscall(number: int, *arguments: object) -> int:
    """Raw system call. Integers are passed as 64 bits wide; pointers as ctypes objects."""
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return check(libc.syscall(ctypes.c_long(number), *wide))


def prepared_syscall(number: int, *arguments: object) -> Callable[[], int]:
    """As `syscall`, with the same arguments again and again: a worker's start makes a hundred of one."""
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in (number, *arguments)]

    def call() -> int:
        result: int = libc.syscall(*wide)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    return call


def prctl(option: int, value: int) -> None:
    """prctl with one value; the unused ones are zero, as the newer options demand."""
    zero = ctypes.c_ulong(0)
    check(libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


def no_new_privileges() -> None:
    """No program that this process executes gains privileges (set-uid and the like)."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


CAP_KILL: Final = 5


def drop_capabilities(but_for: int | None = None) -> None:
    """No capability for this process and, with no_new_privs, for what it executes, but for one below 32: root
    is then a user like others.

    Without it, root reads other processes' memory past Landlock (CAP_PERFMON). Raises OSError.
    """
    kept = 0 if but_for is None else 1 << but_for
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(kept, kept)  # effective, permitted
    syscall(126 if os.uname().machine == "x86_64" else 91, header, sets)


def die_with_parent(wanted: bool = True, number: int = signal.SIGKILL) -> None:
    """That signal for this process when the thread that started it ends; or no more. Nothing if it cannot be
    had."""
    if supported():
        prctl(_PR_SET_PDEATHSIG, number if wanted else 0)


def adopt_orphans() -> None:
    """Processes that descendants leave behind become children of this one, which reaps them."""
    if supported():
        prctl(_PR_SET_CHILD_SUBREAPER, 1)


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    first = 3
    for fd in [*sorted(keep), _MAX_FD]:
        if first < fd:
            _close_range(first, fd - 1)
        first = max(first, fd + 1)


def _close_range(first: int, last: int) -> None:
    try:
        syscall(NR_CLOSE_RANGE, first, last, 0)
    except OSError:
        os.closerange(first, min(last, os.sysconf("SC_OPEN_MAX")) + 1)  # kernel before 5.9
