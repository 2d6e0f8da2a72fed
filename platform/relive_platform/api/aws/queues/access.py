"""Which queue a request means, and whether its caller may have it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from relive_base.errors import ReliveError
from relive_base.ids import new_span_id, new_trace_id
from relive_base.wire.messages import FunctionSpec, SpanData
from relive_tracer.explore.platform_rows import producer_span

from relive_platform.api.aws.credentials import OWNER
from relive_platform.api.aws.queues.errors import aws_error, invalid, missing, sqs_error
from relive_platform.api.aws.queues.parsing import parent_of, trace_header
from relive_platform.api.aws.service import Call
from relive_platform.resources.queue.model import Message, QueueInfo
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.queues import MessageQueues

__all__ = ["Desk", "Sending"]


async def surface(_span_id: str) -> int:
    """Nothing runs under any span."""
    return 0


@dataclass(frozen=True, slots=True)
class Sending:
    """A message on its way, and when that began."""

    message: Message
    parent_span_id: str
    sampled: bool
    start_ns: int
    given_header: str = ""  # AWSTraceHeader, if the client has sent one


@dataclass(slots=True)
class Desk:
    """`on_span` takes the spans of those who send; `depth_below`: how deep that lies which is sent under a
    span, see `Engine`."""

    queues: MessageQueues
    naming: QueueNaming
    on_span: Callable[[FunctionSpec, str, SpanData, bool], None]
    depth_below: Callable[[str], Awaitable[int]] = surface
    _specs: dict[tuple[str, str], FunctionSpec] = field(default_factory=dict)

    def url(self, call: Call, name: str) -> str:
        """A queue's URL, at the address that the client has used."""
        return f"{call.base_url.rstrip('/')}/{call.account}/{name}"

    async def queue(self, call: Call, *, sending: bool = False) -> QueueInfo:
        """The one that `QueueUrl` means. Raises AwsError."""
        url = str(call.get("QueueUrl") or "")
        if not url:
            raise missing("QueueUrl")
        return await self.named(call, self.naming.name_of(url), reading=sending)

    async def by_arn(self, call: Call, arn: str) -> QueueInfo:
        """The one of an ARN. Raises AwsError."""
        try:
            return await self.named(call, self.naming.name_of(arn))
        except ReliveError as error:
            raise aws_error(error) from error

    async def named(self, call: Call, name: str, *, reading: bool = False) -> QueueInfo:
        """A queue by its name. Functions have their application's, and those of nobody; to send to one, and
        to find where it is (`reading`), they may name any. Raises AwsError."""
        try:
            info = await self.queues.info(name)
        except ReliveError as error:
            raise aws_error(error) from error
        if not reading and not _may(call, info):
            raise sqs_error("AccessDenied", f"the queue {name} is one of application {info.app!r}", 403)
        return info

    async def visible(self, call: Call) -> list[QueueInfo]:
        """All queues of a caller."""
        return [info for info in await self.queues.infos() if _may(call, info)]

    async def check_redrive(self, info: QueueInfo) -> None:
        """Whether a queue's dead letters can go where it says. Raises AwsError."""
        redrive = info.redrive
        if redrive is None:
            return
        try:
            target = await self.queues.info(redrive.queue)
        except ReliveError:
            raise invalid(
                f"Value {self.naming.arn(redrive.queue)} for parameter RedrivePolicy is invalid."
                " Reason: Dead letter target does not exist."
            ) from None
        if target.fifo != info.fifo:
            raise invalid(
                "Value for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of"
                " queue as the source."
            )

    # ------------------------------------------------------------ traces

    async def sending(self, call: Call, message: Message) -> Sending:
        """A message with the trace that it continues, or begins."""
        parent = parent_of(message, call.headers)
        trace_id, span_id = parent.trace_id if parent else new_trace_id(), new_span_id()
        sampled = parent.sampled if parent else True
        header = message.trace_header or call.headers.get("x-amzn-trace-id", "")
        if not header and parent is not None:
            header = trace_header(trace_id, span_id, sampled=sampled)
        parent_id = parent.span_id if parent else ""
        told = msgspec.structs.replace(
            message,
            trace_id=trace_id,
            span_id=span_id,
            trace_header=header,
            depth=await self.depth_below(parent_id),
        )
        return Sending(told, parent_id, sampled, time.time_ns(), message.trace_header)

    def sent(self, queue: QueueInfo, sending: Sending, message_id: str) -> None:
        """It is durable: its producer's span is told."""
        message = sending.message
        span = producer_span(
            function=queue.name,
            trace_id=message.trace_id,
            span_id=message.span_id,
            parent_span_id=sending.parent_span_id,
            start_ns=sending.start_ns,
            end_ns=time.time_ns(),
            event_id=message_id,
        )
        self.on_span(self._spec(queue), "", span, sending.sampled)

    def _spec(self, queue: QueueInfo) -> FunctionSpec:
        """Who tells a queue's spans: the queue itself."""
        key = (queue.name, queue.app)
        found = self._specs.get(key)
        if found is None:
            found = self._specs[key] = FunctionSpec(name=queue.name, version=0, handler="", app=queue.app)
        return found


def _may(call: Call, info: QueueInfo) -> bool:
    return call.caller == OWNER or info.app in ("", call.caller)
