"""What a queue says of a message it delivers, by SQS's names."""

from __future__ import annotations

from typing import Final

from relive_platform.resources.queue.model import Received
from relive_platform.resources.queue.naming import QueueNaming

__all__ = ["sequence_number", "system_attributes"]

_MS: Final = 1_000_000


def system_attributes(received: Received, naming: QueueNaming) -> dict[str, str]:
    """What the queue says of a message; times in ms since the epoch."""
    message = received.message
    found = {
        "ApproximateReceiveCount": str(received.receives),
        "SentTimestamp": str(received.sent_ns // _MS),
        "SenderId": message.sender or "relive",
        "ApproximateFirstReceiveTimestamp": str(received.first_received_ns // _MS),
    }
    if message.group:
        found["MessageGroupId"] = message.group
    if message.deduplication_id:
        found["MessageDeduplicationId"] = message.deduplication_id
        found["SequenceNumber"] = sequence_number(received.seq)
    if message.trace_header:
        found["AWSTraceHeader"] = message.trace_header
    if message.dead_from:
        found["DeadLetterQueueSourceArn"] = naming.arn(message.dead_from)
    return found


def sequence_number(seq: int) -> str:
    """20 digits, as SQS has them."""
    return f"{seq:020d}"
