"""Exceptions of the user's signal handlers, which may come in the middle of recording."""

from __future__ import annotations

import signal
from types import CodeType, FunctionType, MethodType

__all__ = ["of_signal_handler"]


def of_signal_handler(error: BaseException) -> bool:
    """Whether `error` was raised by a signal handler: it is meant for the code that was interrupted, such as
    the timeout of an alarm, and must reach it."""
    if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True  # Python's own handler leaves no trace
    trace = error.__traceback__
    inner: set[CodeType] = set()
    while trace is not None:
        inner.add(trace.tb_frame.f_code)
        trace = trace.tb_next
    return any(_code_of(signal.getsignal(number)) in inner for number in signal.valid_signals())


def _code_of(handler: object) -> object:
    """The code that runs first if `handler` is called; None if that is no Python code."""
    if isinstance(handler, MethodType):
        handler = handler.__func__
    elif not isinstance(handler, FunctionType) and handler is not None:
        # Looked up in its classes, by hand: no code of the user's runs.
        calls = (vars(base).get("__call__") for base in type(handler).__mro__)
        handler = next((call for call in calls if call is not None), None)
    return handler.__code__ if isinstance(handler, FunctionType) else None
