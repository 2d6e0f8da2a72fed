"""Serves an ASGI application: each request is a task of one event loop."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any, Final

from relive_base.wire.messages import (
    WEBSOCKET,
    AnyFrame,
    Body,
    CallResult,
    Cancel,
    FunctionSpec,
    Gone,
    Invoke,
    Left,
    SocketClose,
    SocketData,
    SocketTaken,
    Stop,
)
from relive_tracer.record import FRAMEWORK_SPANS

from relive_runtime.adapters.asgi.cycle import CLIENT_GONE, INTERNAL_ERROR, HttpCycle
from relive_runtime.adapters.asgi.lifespan import Lifespan
from relive_runtime.adapters.asgi.scope import ScopeMaker
from relive_runtime.adapters.asgi.socket_cycle import SocketCycle
from relive_runtime.adapters.base import Answer
from relive_runtime.adapters.event.payload import trace_headers
from relive_runtime.adapters.results import check_head
from relive_runtime.adapters.service.capacity import ASGI_CAPACITY
from relive_runtime.adapters.service.request import request_of
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.desk import Desk
from relive_runtime.worker.start.namesakes import originals

__all__ = ["AsgiAdapter"]

_SOCKET_FRAMES: Final = frozenset((SocketData, SocketClose, SocketTaken))
_TOLD: Final = 8  # answers after which the server looks at them, and not only when this turn is over
_OK: Final = 200
_AGAIN_S: Final = 1.0  # until code in a thread is looked at again whose client has gone
_TYPE: Final = "content-type"
_TYPES: Final = 200
_STOP_SHARE: Final = 0.8  # of the time to stop is the application's; the rest is for the end


class AsgiAdapter:
    """One per worker. The application starts as this is made."""

    wire = ""
    websockets = True

    def __init__(self, application: Callable[..., Any], spec: FunctionSpec, *, travels: bool = False) -> None:
        self.application = _single(application)
        self.capacity = spec.capacity or ASGI_CAPACITY
        self._spec = spec
        self._loop = _new_loop(plain=travels)  # only that of Python goes by a virtual clock
        self._lifespan = self._loop.run_until_complete(self._start())
        self._scopes = ScopeMaker(self._lifespan.state, quiet=_is_quiet(spec))
        self._cycles: dict[str, HttpCycle | SocketCycle] = {}
        self._waiting: dict[int, HttpCycle] = {}  # for the client to take what was sent, by call id
        self._ids = itertools.count(-1, -1)  # those of calls are positive
        self._types: dict[bytes, str] = {}  # content types of answers
        self._unflushed: list[HttpCycle] = []
        self._ringing = False
        self._told = 0  # since the server was last told to look
        self._closed: BaseException | None = None
        self._stopping = False

    async def _start(self) -> Lifespan:
        lifespan = Lifespan(self.application)
        await lifespan.startup()
        return lifespan

    # ------------------------------------------------------------ serving

    def serve_beside(self, desk: Desk) -> None:
        """Run what comes until Stop. Raises ChannelClosed if the server is gone."""
        self.desk = desk
        loop = self._loop
        desk.stop = self._stop
        desk.abandon = self._abandon
        desk.telling.ring = self._ring_soon
        desk.channel.on_commands = lambda: loop.call_soon_threadsafe(self._read)
        loop.add_reader(desk.channel.descriptor, self._read)
        desk.start(loop.call_soon_threadsafe)
        loop.call_soon(self._read)
        try:
            loop.run_forever()
            if self._closed is not None:
                raise self._closed
            loop.run_until_complete(self._lifespan.shutdown(self._spec.stop_timeout_s * _STOP_SHARE))
        except (SystemExit, KeyboardInterrupt) as error:
            desk.ended(error)
        desk.send(Left())
        desk.ring()

    def _read(self) -> None:
        if self.desk.travels is not None and self.desk.forked.here:
            return  # a run of it: the connection is the first one's
        try:
            frames = self.desk.channel.pump()
        except BaseException as error:
            self._closed = error
            self._loop.stop()
            return
        for frame in frames:
            self._take(frame)

    def _take(self, frame: AnyFrame) -> None:
        kind = type(frame)
        if kind is Invoke:
            self._begin(frame)  # type: ignore[arg-type]
        elif kind is Body:
            self._on_body(frame)  # type: ignore[arg-type]
        elif kind is CallResult:
            self._on_taken(frame)  # type: ignore[arg-type]
        elif kind is Gone:
            cycle = self._cycles.get(frame.invocation_id)  # type: ignore[union-attr]
            if cycle is not None:
                cycle.leave()
        elif kind is Cancel:
            self.desk.cancel(frame.invocation_id)  # type: ignore[union-attr]
        elif kind is Stop:
            self._stopping = True
            self._maybe_stop()
        elif kind in _SOCKET_FRAMES:
            self._on_socket(frame)  # type: ignore[arg-type]
        else:
            self.desk.other(frame)

    def _on_socket(self, frame: SocketData | SocketClose | SocketTaken) -> None:
        cycle = self._cycles.get(frame.invocation_id)
        if isinstance(cycle, SocketCycle):
            cycle.take(frame)

    def _begin(self, invoke: Invoke) -> None:
        request = request_of(invoke)
        attempt = self.desk.begin(invoke)
        trace = trace_headers(invoke)
        cycle: HttpCycle | SocketCycle
        if invoke.wire == WEBSOCKET:
            cycle = SocketCycle(self, attempt, self._scopes.websocket(request, trace))
        else:
            cycle = HttpCycle(self, attempt, request, self._scopes.http(request, trace))
        if self.desk.travels is not None:
            self.desk.travels.begin(attempt, self._loop)
            self.application = self.desk.travels.awaited(self.application)
        self._cycles[invoke.invocation_id] = cycle
        attempt.task = self._loop.create_task(cycle.run(), context=attempt.context)

    def over(self, cycle: HttpCycle | SocketCycle) -> None:
        """Its application has come to its end."""
        self._cycles.pop(cycle.attempt.invocation_id, None)
        if isinstance(cycle, HttpCycle) and cycle.leaving is not None:
            cycle.leaving.cancel()
        if self._stopping:
            self._maybe_stop()

    def _maybe_stop(self) -> None:
        if not self._cycles:
            self._loop.stop()

    def _on_body(self, body: Body) -> None:
        cycle = self._cycles.get(body.invocation_id)
        if cycle is not None:
            cycle.feed(body.data, body.more)

    def _on_taken(self, result: CallResult) -> None:
        self.desk.channel.relayed(result.call_id)
        cycle = self._waiting.pop(result.call_id, None)
        if cycle is not None:
            if not result.ok:
                cycle.leave()
            cycle.taken()

    # ------------------------------------------------------------ for cycles

    def content_type(self, value: bytes) -> str:
        """As text; what repeats is checked once. Raises BadResult."""
        known = self._types.get(value)
        if known is None:
            known = value.decode("latin-1")
            check_head(_OK, ((_TYPE, known),))
            if len(self._types) < _TYPES:
                self._types[value] = known
        return known

    def flush_soon(self, cycle: HttpCycle) -> None:
        """Its answer leaves in the next turn of the loop, unless the application is at its end by then."""
        if not self._unflushed:
            self._loop.call_soon(self._flush)
        self._unflushed.append(cycle)

    def _flush(self) -> None:
        cycles, self._unflushed = self._unflushed, []
        for cycle in cycles:
            if not cycle.done:
                cycle.flush()

    def acknowledged(self, cycle: HttpCycle) -> int:
        """The id of a part that the client has to take before there are more."""
        call_id = next(self._ids)
        self.desk.channel.relay(call_id)
        self._waiting[call_id] = cycle
        return call_id

    def _ring_soon(self) -> None:
        """The server is told once of what one turn of the loop has to tell, but of a few at most: else it
        would wait for all of them, and this process then for it."""
        self._told += 1
        if self._told >= _TOLD:
            self._told = 0
            self.desk.ring()
        elif not self._ringing:
            self._ringing = True
            self._loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._ringing = False
        if self._told:
            self._told = 0
            self.desk.ring()

    def left(self, cycle: HttpCycle) -> None:
        """Its client has gone: the application has a while to end it by itself."""
        if cycle.leaving is None:
            cycle.leaving = self._loop.call_later(self._spec.disconnect_timeout_s, self._give_up, cycle)

    def _give_up(self, cycle: HttpCycle) -> None:
        cycle.leaving = None
        if self.desk.works_in_thread(cycle.attempt):
            cycle.leaving = self._loop.call_later(_AGAIN_S, self._give_up, cycle)
        else:
            self._abandon(cycle.attempt)

    def _abandon(self, attempt: BesideAttempt) -> bool:
        """The server hears of its end at once, whatever its code does about being cancelled."""
        cycle = self._cycles.get(attempt.invocation_id)
        if not isinstance(cycle, HttpCycle) or not cycle.unfinished or attempt.answered:
            return False
        if cycle.status >= INTERNAL_ERROR:
            return False  # a failure, which its own end tells
        attempt.abandoned = True
        self.desk.telling.answer(attempt, Answer(b"", cycle.status or CLIENT_GONE))
        self._stop(attempt)
        return True

    def _stop(self, attempt: BesideAttempt) -> None:
        task = attempt.task
        if task is not None:
            self._loop.call_soon_threadsafe(task.cancel)


def _single(application: Callable[..., Any]) -> Callable[..., Any]:
    """An application of ASGI 3; one of ASGI 2 is called twice."""
    call = application if inspect.isfunction(application) else getattr(application, "__call__", None)  # noqa: B004
    if inspect.isclass(application) and not hasattr(application, "__await__"):
        call = None
    if inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(call):
        return application
    try:
        required = [
            one
            for one in inspect.signature(application).parameters.values()
            if one.default is inspect.Parameter.empty
            and one.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return application
    if len(required) != 1:
        return application

    async def single(scope: Any, receive: Any, send: Any) -> None:
        await application(scope)(receive, send)

    return single


def _is_quiet(spec: FunctionSpec) -> bool:
    return "fastapi" in sys.modules and spec.environment.get(FRAMEWORK_SPANS) != "on"


def _new_loop(*, plain: bool = False) -> asyncio.AbstractEventLoop:
    """uvloop's if the application has it among its dependencies, as uvicorn does it."""
    loop: asyncio.AbstractEventLoop | None = None
    with originals():
        try:
            if not plain:
                import uvloop

                loop = uvloop.new_event_loop()
        except ImportError:
            pass
        if loop is None:
            loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop
