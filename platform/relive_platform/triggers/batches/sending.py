"""`relive.send` and its like to a queue of messages: by its name, or as "queue:NAME"."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec, SpanData
from relive_tracer.explore.platform_rows import producer_span

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.resources.queue.config import FIFO_ENDING
from relive_platform.resources.queue.model import Message
from relive_platform.resources.queue.queues import MessageQueues
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["QueueSender"]

_GROUP: Final = "relive"  # of those who do not say


class QueueSender:
    """`named` gives SQS's name of a queue by its name in relive.toml."""

    def __init__(
        self,
        queues: MessageQueues,
        named: Callable[[], Mapping[str, str]],
        on_span: Callable[[FunctionSpec, str, SpanData, bool], None],
    ) -> None:
        self._queues = queues
        self._named = named
        self._on_span = on_span

    async def __call__(
        self, request: InvokeRequest, ident: str = "", publisher: FunctionSpec | None = None
    ) -> Accepted:
        """A message with the event as its body. On a FIFO queue `ident` is its deduplication id, its group
        the function that sends it. Raises UnknownQueue and what the queue refuses it with."""
        started_ns = time.time_ns()
        given = request.function.partition(":")[2] or request.function
        name = self._named().get(given, given)
        trace_id, span_id = request.trace_id or new_trace_id(), new_span_id()
        fifo = name.endswith(FIFO_ENDING)
        sender = publisher.name if publisher is not None else ""
        message = Message(
            body=request.event or b"null",
            group=(sender or _GROUP) if fifo else "",
            deduplication_id=(ident or new_invocation_id()) if fifo else "",
            sender=publisher.app if publisher is not None else "",
            trace_id=trace_id,
            span_id=span_id,
            trace_state=request.trace_state,
            depth=request.depth,
        )
        sent = await self._queues.send(name, message)
        if not sent.duplicate:
            span = producer_span(
                function=name,
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=request.parent_span_id,
                trace_state=request.trace_state,
                start_ns=started_ns,
                end_ns=time.time_ns(),
                event_id=sent.message_id,
            )
            spec = publisher or FunctionSpec(name=name, version=0, handler="")
            self._on_span(spec, request.caller_invocation_id, span, request.sampled)
        return Accepted(sent.message_id, "", trace_id, span_id, sent.duplicate)
