"""A request goes through a door: its events are stored, or the function answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
from relive_base.errors import ReliveError
from relive_base.records import InvocationRecord

from relive_platform.engine.dispatcher import Dispatcher
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.triggers.http.accepting import accept, server_record, tell_server
from relive_platform.triggers.http.doors import Delivery, Door, Passage
from relive_platform.triggers.http.responses import Response, json_response
from relive_platform.triggers.queue.publisher import Accepted, Publisher

__all__ = ["Passing"]

_OK = 200
_ACCEPTED = 202


class Passing:
    """`answer` makes a response of an outcome, `status_of` the status that an error gives."""

    def __init__(
        self,
        publish: Publisher,
        dispatcher: Dispatcher,
        acceptance: Callable[[Accepted], dict[str, object]],
        status_of: Callable[[ReliveError], int],
    ) -> None:
        self._publish = publish
        self._dispatcher = dispatcher
        self._acceptance = acceptance
        self._status_of = status_of

    async def through(
        self, door: Door, request: InvokeRequest, answer: Callable[[Outcome], Response]
    ) -> Response:
        """The response. Raises DoorRefusal and what the queue refuses."""
        request.stream = False
        passage = await door.open(request)
        if passage.response is not None:
            return passage.response
        if door.synchronous:
            return await self._run(door, passage.deliveries[0], answer)
        if passage.several:
            return await self._store_all(request, passage)
        [delivery] = passage.deliveries
        http = request.http
        assert http is not None
        accepted = await accept(
            self._publish, delivery.request, http, delivery.key, self._status_of, delivery.identity
        )
        flags = "01" if delivery.request.sampled else "00"
        known = f"x-relive-invocation-id: {accepted.invocation_id}\r\n" if accepted.invocation_id else ""
        more = f"{known}traceparent: 00-{accepted.trace_id}-{accepted.span_id}-{flags}\r\n"
        return json_response(_ACCEPTED, self._acceptance(accepted), more)

    async def _run(self, door: Door, delivery: Delivery, answer: Callable[[Outcome], Response]) -> Response:
        ok = False
        try:
            outcome = await self._dispatcher.submit(delivery.request)
            ok = outcome.ok
        finally:
            door.done(delivery, ok)
        return answer(outcome)

    async def _store_all(self, request: InvokeRequest, passage: Passage) -> Response:
        """One SERVER span, and a publishing span for each event. If one is refused, the client sends all of
        them again: those that are stored are known by their ids."""
        http = request.http
        assert http is not None
        record = server_record(request, http)
        try:
            stored = await asyncio.gather(
                *(self._store(record, delivery) for delivery in passage.deliveries), return_exceptions=True
            )
            for failed in stored:
                if isinstance(failed, BaseException):
                    raise failed
            record.http_status = _ACCEPTED
        except ReliveError as error:
            record.http_status = self._status_of(error)
            raise
        finally:
            record.responded_ns = time.time_ns()
            tell_server(self._publish, request, record)
        events = [self._acceptance(one) for one in stored if isinstance(one, Accepted)]
        return json_response(_ACCEPTED, {"accepted": len(events), "events": events})

    async def _store(self, record: InvocationRecord, delivery: Delivery) -> Accepted:
        request = delivery.request
        if not request.trace_id or request.trace_id == record.trace_id:
            request = msgspec.structs.replace(
                request, trace_id=record.trace_id, parent_span_id=record.trigger_span_id
            )
        return await self._publish(request, delivery.key, identity=delivery.identity)
