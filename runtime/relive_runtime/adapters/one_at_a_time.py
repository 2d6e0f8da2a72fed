"""What adapters share that run one attempt after the other, on the main thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from relive_runtime.adapters.base import Attempts
from relive_runtime.worker.limits.deadline import HandlerTimeout
from relive_runtime.worker.start.namesakes import originals

__all__ = ["OneAtATime"]


class OneAtATime:
    """For handlers that are plain or async: a coroutine runs to its end on an event loop that lives as long
    as the worker."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._loop = _Loop() if _is_async(function) else None

    def serve(self, attempts: Attempts) -> None:
        """Run what comes until there is no more."""
        while True:
            try:
                invoke = attempts.take()
                if invoke is None:
                    return
                attempts.run(invoke)
                del invoke  # it may be large, and the next one may be long in coming
            except HandlerTimeout:
                continue  # it came between the handler's end and the disarming, and has been dealt with

    def awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end."""
        if self._loop is None:
            self._loop = _Loop()
        return self._loop.run(coroutine)

    def timed_out(self, error: HandlerTimeout) -> HandlerTimeout:
        """The timeout with the frames of the awaiting coroutine, if it hit the event loop and not the
        code."""
        return self._loop.timed_out(error) if self._loop is not None else error

    def close(self) -> None:
        """End the event loop."""
        if self._loop is not None:
            self._loop.close()


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - the method of an object that is called
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


class _Loop:
    """Each call is a task of its own."""

    def __init__(self) -> None:
        with originals():
            import asyncio  # here: only async handlers need it, and the zygote has imported it

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        self._coroutine: Coroutine[Any, Any, Any] | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        self._coroutine = coroutine
        result = self._loop.run_until_complete(coroutine)
        self._coroutine = None
        return result

    def close(self) -> None:
        """No coroutine runs any more."""
        self._loop.close()

    def timed_out(self, error: HandlerTimeout) -> HandlerTimeout:
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is None or inspect.getcoroutinestate(coroutine) != inspect.CORO_SUSPENDED:
            return error
        inner = type(error)(*error.args)
        try:
            # Raised where the code waits: the traceback then has the frames of every await.
            coroutine.throw(inner)
        except HandlerTimeout as raised:
            return raised
        except BaseException:
            return error
        return error
