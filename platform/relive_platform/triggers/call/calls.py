"""Function-to-function calls: a worker asks, the platform invokes, the trace goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relive_base.errors import ReliveError
from relive_base.wire.messages import Call, CallResult, ErrorInfo, FunctionSpec

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.engine import Engine
from relive_platform.engine.errors import EventSizes
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.qualifiers import split_qualifier
from relive_platform.engine.workers.worker import Worker
from relive_platform.triggers.queue.publisher import Accepted, Publisher

__all__ = ["Calling", "Calls"]


@dataclass(frozen=True, slots=True)
class Calling:
    """Who calls: its function, how long it still may take, its invocation ("": none), and who answers it."""

    spec: FunctionSpec
    left_s: float
    invocation_id: str
    answer: Callable[[CallResult], object]


class Calls:
    """Serves the Call frames of all workers."""

    def __init__(
        self,
        engine: Engine,
        depth_limit: int,
        publish: Publisher,
        sizes: EventSizes | None = None,
        ready: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        """`ready` has a version that is not in service ready for a call that asks for it by its number."""
        self._ready = ready
        self._engine = engine
        self._depth_limit = depth_limit
        self._publish = publish
        self._sizes = sizes or EventSizes()
        self._tasks: set[asyncio.Task[Accepted]] = set()

    def __call__(self, worker: Worker, caller: Attempt | None, call: Call) -> None:
        """Begin to serve `call`, which `caller` makes; its CallResult goes to the worker when it is there."""
        left_s = caller.deadline_mono - time.monotonic() if caller is not None else worker.spec.timeout_s
        invocation_id = caller.record.invocation_id if caller is not None else ""
        self.serve(Calling(worker.spec, left_s, invocation_id, worker.answer), call)

    def serve(self, caller: Calling, call: Call) -> None:
        """The same, for a worker of whichever process."""
        if call.depth > self._depth_limit:
            self._refuse(caller, call, "CallDepthExceeded", f"functions call each other {call.depth} deep")
            return
        function, qualifier = split_qualifier(call.function)
        if call.asynchronous and function in self._publish.elsewhere:  # "bus:NAME" is no function's alias
            function, qualifier = call.function, ""
        request = InvokeRequest(
            function=function,
            qualifier=qualifier,
            event=call.payload,
            trigger="call",
            trace_id=call.trace_id,
            parent_span_id=call.parent_span_id,
            timeout_s=max(min(call.timeout_s or caller.left_s, caller.left_s), 0.001),
            caller_invocation_id=caller.invocation_id,
            depth=call.depth,
            trace_state=call.trace_state,
            sampled=call.sampled,
            baggage=call.baggage,
        )
        try:
            self._sizes.check(call.payload, asynchronous=call.asynchronous)
            if call.asynchronous:
                request.timeout_s = 0.0
                accepting = self._publish(request, call.idempotency_key, caller.spec)
                task = asyncio.get_running_loop().create_task(accepting)
                self._tasks.add(task)
                task.add_done_callback(lambda done: self._queued(caller, call, done))
            else:
                future = self._submit(request)
                future.add_done_callback(lambda done: self._answered(caller, call, done))
        except ReliveError as error:
            self._refuse(caller, call, type(error).__name__, str(error))

    def _submit(self, request: InvokeRequest) -> asyncio.Future[Outcome]:
        if request.qualifier and self._ready is not None:
            return asyncio.ensure_future(self._qualified(request))
        return self._engine.submit(request)

    async def _qualified(self, request: InvokeRequest) -> Outcome:
        if self._ready is not None:
            await self._ready(request.function, request.qualifier)
        return await self._engine.submit(request)

    def _queued(self, caller: Calling, call: Call, done: asyncio.Task[Accepted]) -> None:
        self._tasks.discard(done)
        error = done.exception() if not done.cancelled() else asyncio.CancelledError()
        if error is not None:
            self._refuse(caller, call, type(error).__name__, str(error))
        else:
            accepted = done.result()
            elsewhere = call.function.partition(":")[0] in self._publish.elsewhere
            body = (accepted.result or b"null") if elsewhere else b"null"
            ident = accepted.event_id
            caller.answer(CallResult(call_id=call.call_id, ok=True, body=body, invocation_id=ident))

    def _answered(self, caller: Calling, call: Call, done: asyncio.Future[Outcome]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._refuse(caller, call, type(error).__name__, str(error))
            return
        outcome = done.result()
        record = outcome.record
        caller.answer(
            CallResult(
                call_id=call.call_id,
                ok=outcome.ok,
                body=outcome.body if outcome.ok else b"",
                error=record.error,
                invocation_id=record.invocation_id,
            )
        )

    def _refuse(self, caller: Calling, call: Call, name: str, message: str) -> None:
        error = ErrorInfo(type=name, message=message)
        caller.answer(CallResult(call_id=call.call_id, ok=False, error=error))
