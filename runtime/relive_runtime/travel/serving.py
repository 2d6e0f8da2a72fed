"""A request of a service that can be gone back in: its steps are those of its own code, on the main thread.

What others run beside it on the loop, and what the application does in the background, are no steps of it.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from relive_runtime.travel.traveller import Traveller
from relive_runtime.worker.limits.deadline import HandlerTimeout
from relive_runtime.worker.start.namesakes import originals

if TYPE_CHECKING:
    from relive_runtime.worker.beside.attempt import BesideAttempt

__all__ = ["ServedRequest"]

_MINE: ContextVar[bool] = ContextVar("relive_travelled", default=False)
_ANYIO: Final = "anyio._backends._asyncio"


class ServedRequest:
    """Of one worker: the one request that it is replayed for."""

    def __init__(self, traveller: Traveller, expired: Callable[[BesideAttempt], None]) -> None:
        """`expired`: told of one whose time is up as it waits."""
        self._traveller = traveller
        self._expired = expired
        self._attempt: BesideAttempt | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, attempt: BesideAttempt, loop: asyncio.AbstractEventLoop | None) -> None:
        """Before its code runs; runs of it go on from here, too. `loop`: that its task will belong to."""
        self._attempt, self._loop = attempt, loop
        attempt.deadline_ns = 0  # its limit counts on the clock of the run
        if attempt.context is not None:
            attempt.context.run(_MINE.set, True)
        if loop is not None:
            _without_threads(loop)
        self._traveller.expire = self._expire
        noticed = attempt.state.noticed if attempt.state is not None else None
        self._traveller.noticed = noticed.take if noticed is not None else None
        self._traveller.begin(attempt.invoke)

    def awaited(self, application: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """An application of ASGI, on its trail."""
        traveller = self._traveller

        async def travelled(*given: Any) -> Any:
            traveller.start(partial(_MINE.get, False))
            late: BaseException | None = None
            try:
                return await application(*given)
            except asyncio.CancelledError as error:
                late = self._attempt.raised if self._attempt is not None else None
                if late is None:
                    raise
                late = late.with_traceback(error.__traceback__)
            finally:
                traveller.over()
            raise late  # here: what it was cancelled by is no context of it

        return travelled

    def called(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """An application of WSGI, on its trail, with what its answer is made by."""
        traveller = self._traveller

        def travelled(*given: Any) -> Iterable[bytes]:
            traveller.start()
            parts: Iterable[bytes] = ()
            try:
                parts = application(*given)
            finally:
                if not hasattr(parts, "__next__"):  # it is made as it is asked for
                    traveller.over()
            return _Parts(parts, traveller.over) if hasattr(parts, "__next__") else parts

        return travelled

    def _expire(self, error: HandlerTimeout) -> None:
        """Raise it where its code runs; if that waits, in the loop's next turn."""
        attempt, loop = self._attempt, self._loop
        assert attempt is not None
        if loop is None or asyncio.current_task(loop) is attempt.task:
            attempt.raised = error
            raise error
        self._expired(attempt)


class _Parts:
    """A generator's."""

    def __init__(self, parts: Iterable[bytes], over: Callable[[], None]) -> None:
        self._parts = parts
        self._over = over

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        finally:
            self._over()

    def close(self) -> None:
        """As a server does at the end of the answer."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


def _without_threads(loop: Any) -> None:
    """What is given to a thread runs here and now: the order of threads is not the same in two runs."""

    def run_in_executor(_executor: Any, function: Callable[..., Any], *given: Any) -> Any:
        future = loop.create_future()
        try:
            result = _outside_of_loop(function, *given)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    loop.run_in_executor = run_in_executor
    if "anyio" in sys.modules:
        _without_threads_of_anyio()


def _without_threads_of_anyio() -> None:
    try:
        with originals():
            backend: Any = importlib.import_module(_ANYIO)
    except Exception:
        return  # a release that has none: its threads run as they do

    async def run_sync(
        function: Callable[..., Any], given: tuple[Any, ...], *_more: Any, **_options: Any
    ) -> Any:
        await asyncio.sleep(0)
        return copy_context().run(_outside_of_loop, function, *given)

    async def of_class(_cls: type, *given: Any, **options: Any) -> Any:
        return await run_sync(*given, **options)

    kind = getattr(backend, "AsyncIOBackend", None)
    if kind is not None:
        kind.run_sync_in_worker_thread = classmethod(of_class)
    else:
        backend.run_sync_in_worker_thread = run_sync


def _outside_of_loop(function: Callable[..., Any], *given: Any) -> Any:
    """As in a thread, where no loop runs."""
    events: Any = asyncio.events
    running = events._get_running_loop()
    events._set_running_loop(None)
    try:
        return function(*given)
    finally:
        events._set_running_loop(running)
