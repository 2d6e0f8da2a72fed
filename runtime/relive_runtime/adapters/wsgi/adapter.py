"""Serves a WSGI application: each request has a thread; the main thread reads what comes."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final

from relive_base.wire.messages import AnyFrame, Body, Cancel, FunctionSpec, Gone, Invoke, Left, Stop

from relive_runtime.adapters.service.capacity import WSGI_CAPACITY
from relive_runtime.adapters.wsgi.request import WsgiRequest
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.desk import Desk
from relive_runtime.worker.channel import ChannelClosed
from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["WsgiAdapter"]

_WAIT_S: Final = 86_400.0  # for a client that reads slowly: the gateway ends it before
_JOIN_S: Final = 0.05


class WsgiAdapter:
    """One per worker. Threads are made as they are needed, `capacity` at most."""

    wire = ""
    websockets = False

    def __init__(self, application: Callable[..., Any], spec: FunctionSpec) -> None:
        self._application = application
        self.capacity = spec.capacity or WSGI_CAPACITY
        self._queue: SimpleQueue[WsgiRequest] = SimpleQueue()
        self._requests: dict[str, WsgiRequest] = {}
        self._threads = 0
        self._ids = itertools.count(-1, -1)  # those of calls are positive

    def serve_beside(self, desk: Desk) -> None:
        """Run what comes until Stop. Raises ChannelClosed if the server is gone."""
        self._desk = desk
        desk.stop = self._stop
        desk.start(None)
        while True:
            frame = desk.channel.next_command()
            if type(frame) is Stop:
                break
            self._take(frame)
        while self._requests:  # the server says Stop when it has nothing running; a straggler may be there
            threading.Event().wait(_JOIN_S)
        desk.send(Left())

    def _take(self, frame: AnyFrame) -> None:
        if isinstance(frame, Invoke):
            self._begin(frame)
        elif isinstance(frame, Body):
            request = self._requests.get(frame.invocation_id)
            if request is not None:
                request.feed(frame.data, frame.more)
        elif isinstance(frame, Gone):
            request = self._requests.get(frame.invocation_id)
            if request is not None:
                request.leave()
        elif isinstance(frame, Cancel):
            self._desk.cancel(frame.invocation_id)
        else:
            self._desk.other(frame)

    def _begin(self, invoke: Invoke) -> None:
        attempt = self._desk.begin(invoke)
        request = WsgiRequest(attempt, self._desk, self._taken)
        self._requests[invoke.invocation_id] = request
        if self._desk.travels is not None:
            self._travel(request)
            return
        if len(self._requests) > self._threads:
            self._threads += 1
            name = f"relive-request-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._queue.put(request)

    def _travel(self, request: WsgiRequest) -> None:
        """Here, on the main thread, whose steps can be gone back."""
        attempt, travels = request.attempt, self._desk.travels
        assert travels is not None
        attempt.thread = threading.get_ident()
        travels.begin(attempt, None)
        context = attempt.context or copy_context()
        context.run(request.run, travels.called(self._application))
        attempt.thread = 0
        self._requests.pop(attempt.invocation_id, None)

    def _work(self) -> None:
        """A thread's life."""
        while True:
            try:
                request = self._queue.get()
                try:
                    request.attempt.thread = threading.get_ident()
                    context = request.attempt.context or copy_context()
                    context.run(request.run, self._application)
                finally:
                    request.attempt.thread = 0
                    self._requests.pop(request.attempt.invocation_id, None)
                    del request
            except HandlerTimeout:
                continue  # it came just behind the end of the request that it was for

    def _taken(self, attempt: BesideAttempt, data: bytes) -> bool:
        """Send a part and wait until the client has taken what was sent. False: it has gone."""
        channel = self._desk.channel
        call_id = next(self._ids)
        channel.expect(call_id)
        self._desk.part(attempt, data, call_id)
        try:
            answer = channel.answer(call_id, _WAIT_S)
        except ChannelClosed:
            return False
        return answer is not None and answer.ok

    def _stop(self, attempt: BesideAttempt) -> None:
        """Raise the timeout in its thread; it comes when its code next runs an instruction of Python."""
        ident = attempt.thread
        if ident:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(ident), ctypes.py_object(HandlerTimeout)
            )
