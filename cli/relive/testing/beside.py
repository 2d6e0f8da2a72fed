"""For `relive.testing`: exceptions of threads and tasks, which reach no caller, fail the test."""

from __future__ import annotations

import gc
import sys
import threading
import time
from asyncio.base_events import BaseEventLoop
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["raised_beside"]


@contextmanager
def raised_beside(timeout_s: float) -> Iterator[None]:
    """Raise the first of them at the end, if the body raises nothing. Threads that it leaves, other than
    daemons, are waited for, at most `timeout_s` in all."""
    found: list[BaseException] = []

    def invoke_excepthook(thread: threading.Thread) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, SystemExit):
            found.append(error)

    def call_exception_handler(loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            found.append(error)

    before = set(threading.enumerate())
    with ExitStack() as stack:
        # What calls the hooks of Python, as a worker does it: the hooks stay the function's to set.
        _replace(stack, threading, "_make_invoke_excepthook", lambda: invoke_excepthook)
        _replace(stack, BaseEventLoop, "call_exception_handler", call_exception_handler)
        yield
        deadline = time.monotonic() + timeout_s
        for thread in set(threading.enumerate()) - before:
            if not thread.daemon:
                thread.join(max(deadline - time.monotonic(), 0))
        gc.collect()  # a task says that nobody awaited it when it goes
    if found:
        raise found[0]


def _replace(stack: ExitStack, owner: Any, name: str, new: Any) -> None:
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, new)
