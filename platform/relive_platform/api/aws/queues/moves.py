"""SQS's operations that move dead letters back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from relive_base.errors import ReliveError

from relive_platform.api.aws.queues.access import Desk
from relive_platform.api.aws.queues.errors import aws_error, invalid, sqs_error
from relive_platform.api.aws.service import Call, Operation
from relive_platform.resources.queue.moves import MoveInProgress, MoveTask, UnknownMove

__all__ = ["MoveOperations"]

_MOST_RATE: Final = 500
_MOST_LISTED: Final = 10
_MS: Final = 1_000_000


class _Handle(msgspec.Struct):
    taskId: str
    sourceArn: str


_handles = msgspec.json.Decoder(_Handle)


def _check_handle(handle: str) -> None:
    """Whether it looks like one. Raises AwsError."""
    try:
        _handles.decode(base64.urlsafe_b64decode(handle.encode()))
    except (ValueError, msgspec.MsgspecError):
        raise invalid("Value for parameter TaskHandle is invalid.") from None


class MoveOperations:
    """Start, cancel, list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._mover = desk.queues.mover

    def operations(self) -> dict[str, Operation]:
        """By the model's names."""
        return {
            "StartMessageMoveTask": self._start,
            "CancelMessageMoveTask": self._cancel,
            "ListMessageMoveTasks": self._list,
        }

    async def _start(self, call: Call) -> Mapping[str, Any]:
        source = await self._queue(call, str(call.get("SourceArn", "")))
        rate = call.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= _MOST_RATE:
            raise invalid(
                f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid."
                f" Reason: It is from 1 to {_MOST_RATE}."
            )
        infos = await self._desk.queues.infos()
        if not any(info.redrive is not None and info.redrive.queue == source for info in infos):
            raise invalid("Source queue must be configured as a Dead Letter Queue.")
        target = ""
        if arn := str(call.get("DestinationArn") or ""):
            target = await self._queue(call, arn)
            if target == source:
                raise invalid("Source queue arn and destination queue arn cannot be the same.")
        try:
            task = await self._mover.begin(source, target, int(rate or 0))
        except MoveInProgress:
            raise invalid(
                "There is already a task running. Only one active task is allowed for a source queue arn"
                " at a given time."
            ) from None
        except ReliveError as error:
            raise aws_error(error) from error
        return {"TaskHandle": task.handle}

    async def _cancel(self, call: Call) -> Mapping[str, Any]:
        handle = str(call.get("TaskHandle", ""))
        _check_handle(handle)
        try:
            for info in await self._desk.visible(call):
                if any(task.handle == handle for task in await self._mover.listing(info.name)):
                    task = await self._mover.cancel(handle)
                    return {"ApproximateNumberOfMessagesMoved": task.moved}
        except UnknownMove:
            pass  # it has ended
        except ReliveError as error:
            raise aws_error(error) from error
        raise sqs_error("ResourceNotFoundException", "Task does not exist or has ended.", 404)

    async def _list(self, call: Call) -> Mapping[str, Any]:
        source = await self._queue(call, str(call.get("SourceArn", "")))
        most = call.get("MaxResults")
        if most is not None and not 1 <= most <= _MOST_LISTED:
            raise invalid(f"Value {most} for parameter MaxResults is invalid. Reason: It is from 1 to 10.")
        tasks = await self._mover.listing(source)
        return {"Results": [self._told(task) for task in tasks[: most or 1]]}

    def _told(self, task: MoveTask) -> dict[str, Any]:
        arn = self._desk.naming.arn
        return {
            "TaskHandle": task.handle if task.status == "RUNNING" else None,
            "Status": task.status,
            "SourceArn": arn(task.source),
            "DestinationArn": arn(task.target) if task.target else None,
            "MaxNumberOfMessagesPerSecond": task.rate or None,
            "ApproximateNumberOfMessagesMoved": task.moved,
            "ApproximateNumberOfMessagesToMove": task.total,
            "FailureReason": task.why or None,
            "StartedTimestamp": task.started_ns // _MS,
        }

    async def _queue(self, call: Call, arn: str) -> str:
        if not arn.startswith("arn:") or arn.count(":") != 5:
            raise invalid(f"{arn[:200]!r} is no ARN of a queue.")
        try:
            return (await self._desk.by_arn(call, arn)).name
        except ReliveError as error:
            raise aws_error(error) from error
