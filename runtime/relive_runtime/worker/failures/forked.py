"""A child that the user's code has forked, when it comes back to us: it ends as a Python program ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from types import TracebackType
from typing import Final, NoReturn

__all__ = ["ForkedChild"]

_OURS: Final = "relive_runtime."
_FAILED: Final = 1
_LARGEST: Final = 2**63 - 1
_OUT_OF_RANGE: Final = 255


class ForkedChild:
    """One per worker. `here` is true in children of the worker, at any depth.

    Such a child has returned from the handler, or raised out of it: it is no worker, and nobody waits for a
    result of it. What waits is its parent, for its exit status.
    """

    def __init__(self, fault_fd: int = -1) -> None:
        self.here = False
        self._fault_fd = fault_fd
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.here = True
        if self._fault_fd >= 0:
            # The stacks of its crash are not the worker's. The number is above what it can open.
            with contextlib.suppress(OSError):
                os.close(self._fault_fd)

    def leave(self, error: BaseException | None = None) -> NoReturn:
        """End this process as the interpreter would: say what was raised, wait for its threads, run what is
        registered for its exit, flush, and exit with the status that Python gives. Does not return."""
        status = 0
        try:
            if error is not None:
                status = _told(error)
            threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter itself calls
            atexit._run_exitfuncs()
            _flush()
        except BaseException as late:  # of an excepthook, a stream, or a signal handler of the user's
            status = _told(late)
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(status)


def _told(error: BaseException) -> int:
    """Print what there is to say of `error`, as the interpreter does; the exit status."""
    if isinstance(error, SystemExit):
        return _status(error.code)
    error.__traceback__ = _without_ours(error.__traceback__)
    hook = sys.excepthook
    try:
        hook(type(error), error, error.__traceback__)
    except BaseException as problem:
        if problem.__context__ is error:
            problem.__context__ = None  # we are still handling it; the interpreter is not
        with contextlib.suppress(Exception):
            sys.stderr.write("Error in sys.excepthook:\n")
            sys.__excepthook__(type(problem), problem, problem.__traceback__)
            sys.stderr.write("\nOriginal exception was:\n")
            sys.__excepthook__(type(error), error, error.__traceback__)
    return _FAILED


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -_LARGEST <= code <= _LARGEST else _OUT_OF_RANGE
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{code}\n")
    return _FAILED


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the user's first frame on; whole if there is none of the user's."""
    inner = trace
    while inner is not None and str(inner.tb_frame.f_globals.get("__name__", "")).startswith(_OURS):
        inner = inner.tb_next
    return inner or trace


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
