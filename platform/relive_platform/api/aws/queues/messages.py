"""SQS's operations on messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from relive_base.errors import ReliveError

from relive_platform.api.aws.credentials import OWNER
from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.queues.access import Desk, Sending
from relive_platform.api.aws.queues.digests import attributes_md5, body_md5
from relive_platform.api.aws.queues.errors import aws_error, batch_failure, invalid, missing, sqs_error
from relive_platform.api.aws.queues.parsing import check_batch, check_names, message_of, received_of
from relive_platform.api.aws.service import Call, Operation
from relive_platform.resources.queue.messages import message_bytes
from relive_platform.resources.queue.model import Message, MessageAttribute, QueueInfo, Sent
from relive_platform.resources.queue.system import sequence_number, system_attributes

__all__ = ["MessageOperations"]

_MOST_RECEIVED: Final = 10
_MOST_WAIT_S: Final = 20
_MOST_HIDDEN_S: Final = 43_200
_BATCH_BYTES: Final = 1_048_576
_SYSTEM: Final = frozenset(
    (
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    )
)


class MessageOperations:
    """Send, receive, delete, hide; each also in batches."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._queues = desk.queues

    def operations(self) -> dict[str, Operation]:
        """By the model's names."""
        return {
            "SendMessage": self._send,
            "SendMessageBatch": self._send_all,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_all,
            "ChangeMessageVisibility": self._hide,
            "ChangeMessageVisibilityBatch": self._hide_all,
        }

    # ------------------------------------------------------------ in

    async def _send(self, call: Call) -> Mapping[str, Any]:
        queue = await self._desk.queue(call, sending=True)
        check_names(call.params, queue)
        sending = await self._desk.sending(
            call, message_of(call.params, fifo=queue.fifo, sender=_sender(call))
        )
        try:
            sent = await self._queues.send(queue.name, sending.message)
        except ReliveError as error:
            raise aws_error(error) from error
        return self._told(queue, sending, sent)

    def _told(self, queue: QueueInfo, sending: Sending, sent: Sent) -> dict[str, Any]:
        message = sending.message
        if not sent.duplicate:
            self._desk.sent(queue, sending, sent.message_id)
        system = sending.given_header
        return {
            "MessageId": sent.message_id,
            "MD5OfMessageBody": body_md5(message.body),
            "MD5OfMessageAttributes": attributes_md5(message.attributes),
            "MD5OfMessageSystemAttributes": attributes_md5(
                {"AWSTraceHeader": MessageAttribute("String", system)} if system else {}
            ),
            "SequenceNumber": sequence_number(sent.sequence) if queue.fifo else None,
        }

    async def _send_all(self, call: Call) -> Mapping[str, Any]:
        queue, entries = await self._desk.queue(call, sending=True), list(call.get("Entries") or ())
        check_batch(entries, call.operation)
        for entry in entries:
            check_names(entry, queue)
        good: list[tuple[str, Sending]] = []
        failed: list[dict[str, Any]] = []
        for entry in entries:
            try:
                message = message_of(entry, fifo=queue.fifo, sender=_sender(call))
            except AwsError as error:
                failed.append(batch_failure(entry["Id"], error))
            else:
                good.append((entry["Id"], await self._desk.sending(call, message)))
        _check_size([sending.message for _, sending in good])
        try:
            sent = await self._queues.send_all(queue.name, [sending.message for _, sending in good])
        except ReliveError as error:
            raise aws_error(error) from error
        successful = []
        for (ident, sending), found in zip(good, sent, strict=True):
            if isinstance(found, Sent):
                successful.append({"Id": ident, **self._told(queue, sending, found)})
            else:
                failed.append(batch_failure(ident, aws_error(found)))
        return _both(successful, failed)

    # ------------------------------------------------------------ out

    async def _receive(self, call: Call) -> Mapping[str, Any]:
        queue = await self._desk.queue(call)
        count = _within(call, "MaxNumberOfMessages", 1, _MOST_RECEIVED, 1)
        wait_s = _within(call, "WaitTimeSeconds", 0, _MOST_WAIT_S, queue.wait_s)
        hidden_s = call.get("VisibilityTimeout")
        if hidden_s is not None:
            hidden_s = _within(call, "VisibilityTimeout", 0, _MOST_HIDDEN_S, 0)
        wanted = [*(call.get("AttributeNames") or ()), *(call.get("MessageSystemAttributeNames") or ())]
        for name in wanted:
            if name not in _SYSTEM:
                raise sqs_error("InvalidAttributeName", f"Unknown Attribute {name}.")
        try:
            found = await self._queues.receive(queue.name, count, wait_s=wait_s, visibility_s=hidden_s)
        except ReliveError as error:
            raise aws_error(error) from error
        named = list(call.get("MessageAttributeNames") or ())
        messages = [
            received_of(received, system_attributes(received, self._desk.naming), wanted, named)
            for received in found
        ]
        return {"Messages": messages or None}

    # ------------------------------------------------------------ by receipt handle

    async def _delete(self, call: Call) -> None:
        queue = await self._desk.queue(call)
        await self._by_receipt(call.params, lambda receipt, _: self._queues.delete(queue.name, receipt))

    async def _delete_all(self, call: Call) -> Mapping[str, Any]:
        queue = await self._desk.queue(call)
        return await self._each(call, lambda receipt, _: self._queues.delete(queue.name, receipt))

    async def _hide(self, call: Call) -> None:
        queue = await self._desk.queue(call)
        await self._by_receipt(call.params, self._hiding(queue))

    async def _hide_all(self, call: Call) -> Mapping[str, Any]:
        return await self._each(call, self._hiding(await self._desk.queue(call)))

    def _hiding(self, queue: QueueInfo) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
        async def hide(receipt: str, params: Mapping[str, Any]) -> None:
            seconds = params.get("VisibilityTimeout")
            if seconds is None:
                raise missing("VisibilityTimeout")
            if not 0 <= seconds <= _MOST_HIDDEN_S:
                raise invalid(
                    f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout"
                    " must be an integer between 0 and 43200."
                )
            await self._queues.change_visibility(queue.name, receipt, seconds)

        return hide

    async def _by_receipt(
        self, params: Mapping[str, Any], work: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    ) -> None:
        receipt = str(params.get("ReceiptHandle") or "")
        if not receipt:
            raise missing("ReceiptHandle")
        try:
            await work(receipt, params)
        except ReliveError as error:
            raise aws_error(error, receipt) from error

    async def _each(
        self, call: Call, work: Callable[[str, Mapping[str, Any]], Awaitable[None]]
    ) -> Mapping[str, Any]:
        entries = list(call.get("Entries") or ())
        check_batch(entries, call.operation)
        results = await asyncio.gather(
            *(self._by_receipt(entry, work) for entry in entries), return_exceptions=True
        )
        successful, failed = [], []
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, AwsError):
                failed.append(batch_failure(entry["Id"], result))
            elif result is not None:
                raise result
            else:
                successful.append({"Id": entry["Id"]})
        return _both(successful, failed)


def _sender(call: Call) -> str:
    return call.caller if call.caller != OWNER else call.account


def _check_size(messages: list[Message]) -> None:
    size = sum(message_bytes(message) for message in messages)
    if size > _BATCH_BYTES:
        raise sqs_error(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {_BATCH_BYTES} bytes. You have sent {size} bytes.",
        )


def _both(successful: list[dict[str, Any]], failed: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Successful": successful, "Failed": failed or None}


def _within(call: Call, name: str, low: int, high: int, default: int) -> int:
    value = call.get(name)
    if value is None:
        return default
    if not low <= value <= high:
        raise invalid(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}, if"
            " provided."
        )
    return int(value)
