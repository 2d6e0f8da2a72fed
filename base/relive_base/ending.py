"""The end of a process of our own."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

__all__ = ["end_process"]


def end_process(status: int) -> NoReturn:
    """As sys.exit in the main thread, with all that others see of it: threads that are no daemons are waited
    for, handlers of atexit run, what was printed is out. Only the interpreter is not taken apart: a fifth of
    a short command's time went into modules and objects that the system takes back at once.

    What cannot be printed, or an interrupt, is left to sys.exit, which says so as ever.
    """
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except BaseException:
        sys.exit(status)
    os._exit(status)
