"""What SQS's clients are told, in its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from relive_base.errors import ReliveError, UsageError

from relive_platform.api.aws.errors import AwsError
from relive_platform.durable.model import DiskFull, QueueBusy
from relive_platform.resources.queue.model import (
    BadReceipt,
    NotInFlight,
    OverInFlight,
    PurgeTooOften,
    QueueExists,
    QueueFull,
    StaleReceipt,
    TooLarge,
    UnknownQueue,
)

__all__ = ["aws_error", "batch_failure", "invalid", "missing", "sqs_error"]

_OLD: Final = "AWS.SimpleQueueService."
_QUERY_CODES: Final[Mapping[str, str]] = {
    "QueueDoesNotExist": f"{_OLD}NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "InvalidParameterValueException": "InvalidParameterValue",
    "MissingRequiredParameterException": "MissingParameter",
    **{
        name: f"{_OLD}{name}"
        for name in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "MessageNotInflight",
            "PurgeQueueInProgress",
            "QueueDeletedRecently",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    },
}
_RECEIPT: Final = "Value {} for parameter ReceiptHandle is invalid. Reason: "


def sqs_error(code: str, message: str, status: int = 400, **members: Any) -> AwsError:
    """`code`: the exception's shape; clients of the older protocol know it by another name."""
    return AwsError(code, message, status, query_code=_QUERY_CODES.get(code, code), **members)


def invalid(message: str) -> AwsError:
    """A parameter's value."""
    return sqs_error("InvalidParameterValueException", message)


def missing(name: str) -> AwsError:
    """A parameter that has to be there."""
    return sqs_error("MissingRequiredParameterException", f"The request must contain the parameter {name}.")


def aws_error(error: ReliveError, receipt: str = "") -> AwsError:
    """What a queue refuses. `receipt`: the handle that the request names."""
    hint = f" ({error.hint})" if error.hint else ""
    if isinstance(error, UnknownQueue):
        return sqs_error("QueueDoesNotExist", "The specified queue does not exist.")
    if isinstance(error, BadReceipt):
        message = f'The input receipt handle "{receipt[:200]}" is not a valid receipt handle.'
        return sqs_error("ReceiptHandleIsInvalid", message)
    if isinstance(error, StaleReceipt):
        return invalid(f"{_RECEIPT.format(receipt)}The receipt handle has expired.")
    if isinstance(error, NotInFlight):
        return invalid(
            f"{_RECEIPT.format(receipt)}Message does not exist or is not available for visibility timeout"
            " change."
        )
    if isinstance(error, TooLarge):
        return invalid(
            f"One or more parameters are invalid. Reason: Message must be shorter than {error.limit} bytes."
        )
    if isinstance(error, UsageError):
        return invalid(f"{error.message}{hint}")
    for kind, code, status in _CODES:
        if isinstance(error, kind):
            return sqs_error(code, f"{error.message}{hint}", status)
    return sqs_error("InternalError", str(error), 500)


_CODES: Final[tuple[tuple[type[ReliveError], str, int], ...]] = (
    (QueueExists, "QueueNameExists", 400),
    (OverInFlight, "OverLimit", 403),
    (QueueFull, "OverLimit", 403),
    (QueueBusy, "RequestThrottled", 403),
    (PurgeTooOften, "PurgeQueueInProgress", 403),
    (DiskFull, "InternalError", 507),
)


def batch_failure(ident: str, error: AwsError) -> dict[str, Any]:
    """An entry of a batch that has failed."""
    code = error.query_code or error.code
    return {"Id": ident, "SenderFault": error.is_senders, "Code": code, "Message": error.message}
