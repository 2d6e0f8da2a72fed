"""One debugging session in the process that failed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from relive_runtime.debugger.interrupts import Interrupts
from relive_runtime.debugger.link import DebugLink
from relive_runtime.debugger.standard import standard_library
from relive_runtime.debugger.streams import SessionStreams
from relive_runtime.worker.start.namesakes import originals

__all__ = ["debug_failure"]


def debug_failure(
    failure: BaseException | FrameType,
    link: DebugLink,
    own: Callable[[str], bool],
    shown: Callable[[str], str] = str,
) -> str:
    """Talk about the frames of an exception, or of code that was stopped (its innermost frame is given),
    until the other end has had enough; gives why it ended, "" if the user ended it.

    `own` says of a file whether it is the user's code, `shown` how frames name it. Call it on the main
    thread. The standard streams, the trace function and the handler of SIGINT are at the end what they were.
    """
    trace = sys.gettrace()
    try:
        with originals(), standard_library():
            from relive_runtime.debugger.failure_pdb import FailurePdb
        with Interrupts() as interrupts:
            with originals():
                debugger = FailurePdb(failure, SessionStreams(link, interrupts), interrupts, own, shown)
            link.completer = debugger.complete_line
            debugger.converse()
            debugger.forget()
    except Exception as problem:  # the process may be short of memory, or broken in any other way
        return f"the debugger failed: {type(problem).__name__}: {problem}"[:500]
    finally:
        sys.settrace(trace)
    return ""
