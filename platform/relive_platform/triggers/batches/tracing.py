"""The traces of batches: each message's producer is linked, and its trace goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from relive_base.attributes import Attribute
from relive_base.ids import new_span_id
from relive_base.wire.messages import FunctionSpec, SpanData, SpanLink

from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.resources.queue.model import Received
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.triggers.batches.event import batch_event
from relive_platform.triggers.batches.mapping import QueueMapping

__all__ = ["batch_request", "message_spans", "tell_spans"]

_SCOPE: Final = "relive"
_MS: Final = 1_000_000


def batch_request(mapping: QueueMapping, batch: Sequence[Received], naming: QueueNaming) -> InvokeRequest:
    """The attempt at a batch. It continues the trace that its messages have in common, or begins one, and is
    linked to what has sent each of them."""
    first = batch[0].message
    traces = {received.message.trace_id for received in batch}
    common = len(traces) == 1 and first.trace_id
    links = [
        SpanLink(
            trace_id=received.message.trace_id,
            span_id=received.message.span_id,
            trace_state=received.message.trace_state,
            attributes={"messaging.message.id": received.message_id},
        )
        for received in batch
        if received.message.trace_id
    ]
    attributes = {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": mapping.queue,
        "messaging.batch.message_count": str(len(batch)),
    }
    return InvokeRequest(
        function=mapping.function,
        qualifier=mapping.qualifier,
        event=batch_event(batch, naming),
        trigger="queue",
        trace_id=first.trace_id if common else "",
        parent_span_id=first.span_id if common else "",
        trace_state=first.trace_state if common else "",
        event_id=batch[0].message_id if len(batch) == 1 else "",
        enqueued_ns=min(received.sent_ns for received in batch),
        ready_ns=min(received.due_ns for received in batch),
        depth=max(received.message.depth for received in batch),
        attributes=attributes,
        links=links,
    )


def message_spans(
    mapping: QueueMapping, batch: Sequence[Received], failed: set[str], outcome: Outcome, began_ns: int
) -> list[SpanData]:
    """A span in the trace of each message whose batch has another one: what became of it, and where."""
    record = outcome.record
    ended_ns = max(record.responded_ns, record.ended_ns, began_ns)
    found = []
    for received in batch:
        message = received.message
        if not message.trace_id or message.trace_id == record.trace_id:
            continue
        attributes: dict[str, Attribute] = {
            "messaging.system": "aws_sqs",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": mapping.queue,
            "messaging.message.id": received.message_id,
            "messaging.batch.message_count": len(batch),
            "faas.invocation_id": record.invocation_id,
        }
        bad = received.message_id in failed
        text = f"{record.error.type}: {record.error.message}" if record.error is not None else "it has failed"
        found.append(
            SpanData(
                trace_id=message.trace_id,
                span_id=new_span_id(),
                parent_span_id=message.span_id,
                name=f"process {mapping.function}",
                kind="Consumer",
                start_ns=began_ns,
                end_ns=ended_ns,
                status="Error" if bad else "Unset",
                status_message=text if bad else "",
                attributes=attributes,
                links=[SpanLink(trace_id=record.trace_id, span_id=record.trigger_span_id)],
                scope=_SCOPE,
                trace_state=message.trace_state,
            )
        )
    return found


def tell_spans(
    mapping: QueueMapping,
    spec_of: Callable[[str], FunctionSpec | None],
    on_span: Callable[[FunctionSpec, str, SpanData, bool], None],
) -> Callable[[Sequence[Received], set[str], Outcome, int], None]:
    """A Teller that hands the messages' spans on."""

    def tell(batch: Sequence[Received], failed: set[str], outcome: Outcome, began_ns: int) -> None:
        spec = spec_of(mapping.function)
        for span in message_spans(mapping, batch, failed, outcome, began_ns) if spec is not None else ():
            assert spec is not None
            on_span(spec, outcome.record.invocation_id, span, outcome.record.sampled)

    return tell
