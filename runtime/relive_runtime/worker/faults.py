"""Fatal errors in native code: Python's own fault handler, writing where the user's code does not look.
After it the process stops, if the C extension was built, and the server reads its frames."""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import Final

from relive_base.wire.messages import Crashed, encode_frame

__all__ = ["FAULTS", "can_stand_still", "watch_faults"]

FAULTS: Final = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
"""Signals at which Python's fault handler writes the stacks."""
_PURE_VARIABLE: Final = "RELIVE_PURE_PYTHON"
"""Set to 1 it keeps the extension from being used."""
_ANY_THREAD: Final = (1 << 64) - 1


def _message(number: int) -> tuple[int, bytes, int]:
    """Signal, frame, and where the frame has the thread's number."""
    frame = encode_frame(Crashed(signal=int(number), thread=_ANY_THREAD))
    return int(number), frame, frame.rindex(b"\xcf" + b"\xff" * 8) + 1


_MESSAGES: Final = tuple(_message(number) for number in FAULTS)

try:
    if os.environ.get(_PURE_VARIABLE) == "1":
        raise ImportError(_PURE_VARIABLE)
    from relive_runtime.worker._standstill import arm as _arm
except ImportError:  # not built, or for another interpreter
    _arm = None  # type: ignore[assignment]


def can_stand_still() -> bool:
    """Whether the extension is there."""
    return _arm is not None


def watch_faults(fd: int, socket_fd: int) -> None:
    """Have the stacks of all threads written to `fd` at a segmentation fault and its like. Then the process
    tells the server by its frame socket, and stops; if it cannot, it dies of the signal as ever.

    A `faulthandler.enable` of the user's code replaces `fd`, and goes to stderr.
    """
    try:
        if _arm is not None:
            _arm(socket_fd, _MESSAGES)  # before the fault handler, which comes back to it
        faulthandler.enable(fd, all_threads=True)
    except (OSError, RuntimeError, ValueError):
        return  # the scene then has no stacks of such a death, and says so
