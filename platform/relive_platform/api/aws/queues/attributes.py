"""A queue's attributes, as SQS names and writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.queues.errors import invalid, sqs_error
from relive_platform.resources.queue.model import QueueCounts, QueueInfo, Redrive

__all__ = ["attribute_named", "attributes_of", "fields_of", "wanted_names"]

_NS: Final = 1_000_000_000
_MOST_CHARS: Final = 65_536
_WHOLE: Final[Mapping[str, tuple[str, int, int]]] = {
    "VisibilityTimeout": ("visibility_timeout_s", 0, 43_200),
    "MessageRetentionPeriod": ("retention_s", 60, 1_209_600),
    "MaximumMessageSize": ("max_message_bytes", 1_024, 1_048_576),
    "DelaySeconds": ("delay_s", 0, 900),
    "ReceiveMessageWaitTimeSeconds": ("wait_s", 0, 20),
}
_FIFO_ONLY: Final = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
_STORED: Final[Mapping[str, Callable[[str], bool]]] = {
    "Policy": lambda text: text == "" or _is_object(text),
    "RedriveAllowPolicy": lambda text: text == "" or _is_object(text),
    "KmsMasterKeyId": lambda text: True,
    "KmsDataKeyReusePeriodSeconds": lambda text: text.isdecimal() and 60 <= int(text) <= 86_400,
    "SqsManagedSseEnabled": lambda text: text in ("true", "false"),
    "FifoThroughputLimit": lambda text: text in ("perQueue", "perMessageGroupId"),
}
_COMPUTED: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
_NAMED: Final = ("All", "FifoQueue", "RedrivePolicy", "ContentBasedDeduplication", "DeduplicationScope")
_KNOWN: Final = frozenset((*_NAMED, *_WHOLE, *_STORED, *_COMPUTED))


def fields_of(given: Mapping[str, str], *, fifo: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields of QueueInfo that these attributes set, and what is only kept. Raises AwsError."""
    fields: dict[str, Any] = {}
    stored: dict[str, str] = {}
    for name, text in given.items():
        if len(text) > _MOST_CHARS:
            raise _value(name)
        if name in _FIFO_ONLY and not fifo:
            raise _only_fifo(name)
        if name == "FifoQueue":
            if not fifo:  # a standard queue has no such attribute
                raise _unknown(name)
            if text.lower() != "true":
                message = f"Invalid value for the parameter {name}."
                reason = "Reason: Modifying queue type is not supported."
                raise sqs_error("InvalidAttributeValue", f"{message} {reason}")
        elif name in _FIELDS:
            field, read = _FIELDS[name]
            fields[field] = read(name, text)
        elif name in _STORED:
            if not _STORED[name](text):
                raise _value(name)
            stored[name] = text
        else:
            raise _unknown(name)
    return fields, stored


def _only_fifo(name: str) -> AwsError:
    if name == "ContentBasedDeduplication":
        return _unknown(name)
    message = f"You can specify the {name} only when FifoQueue is set to true."
    return sqs_error("InvalidAttributeName", message)


def wanted_names(names: list[str]) -> set[str]:
    """Which attributes a request asks for. Raises AwsError."""
    for name in names:
        if name not in _KNOWN:
            raise _unknown(name)
    return set(_KNOWN) if "All" in names else set(names)


def attributes_of(info: QueueInfo, counts: QueueCounts, arn: Callable[[str], str]) -> dict[str, str]:
    """All of a queue's attributes. `arn` gives a queue's."""
    found = {name: str(getattr(info, field)) for name, (field, _, _) in _WHOLE.items()}
    found |= {
        "ApproximateNumberOfMessages": str(counts.visible),
        "ApproximateNumberOfMessagesNotVisible": str(counts.in_flight),
        "ApproximateNumberOfMessagesDelayed": str(counts.delayed),
        "CreatedTimestamp": str(info.created_ns // _NS),
        "LastModifiedTimestamp": str(info.modified_ns // _NS),
        "QueueArn": arn(info.name),
        "SqsManagedSseEnabled": "false" if info.stored.get("KmsMasterKeyId") else "true",
    }
    if info.fifo:
        found |= {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "true" if info.content_deduplication else "false",
            "DeduplicationScope": "messageGroup" if info.group_deduplication else "queue",
            "FifoThroughputLimit": "perQueue",
        }
    if info.redrive is not None:
        policy = {
            "deadLetterTargetArn": arn(info.redrive.queue),
            "maxReceiveCount": info.redrive.max_receives,
        }
        found["RedrivePolicy"] = json.dumps(policy, separators=(",", ":"))
    kept = {name: text for name, text in info.stored.items() if text}
    if "KmsMasterKeyId" not in kept:
        kept.pop("KmsDataKeyReusePeriodSeconds", None)
    return found | kept


def _whole(name: str, text: str) -> int:
    _, low, high = _WHOLE[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise _value(name)
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _value(name)
    return text.lower() == "true"


def _redrive(name: str, text: str) -> Redrive | None:
    if not text:
        return None
    try:
        policy = json.loads(text)
        arn, most = policy["deadLetterTargetArn"], policy["maxReceiveCount"]
        count = int(str(most)) if not isinstance(most, bool) else 0
    except (ValueError, TypeError, KeyError, RecursionError):
        raise invalid(
            f"Value {text[:500]} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not"
            " contain mandatory attributes deadLetterTargetArn and maxReceiveCount."
        ) from None
    if not 1 <= count <= 1_000:
        raise invalid(
            f"Value {text[:500]} for parameter RedrivePolicy is invalid."
            " Reason: Invalid value for maxReceiveCount: it is from 1 to 1000."
        )
    if not isinstance(arn, str) or not arn.startswith("arn:") or arn.count(":") != 5:
        raise invalid(f"Value {text[:500]} for parameter RedrivePolicy is invalid. Reason: not an ARN.")
    return Redrive(queue=arn.rpartition(":")[2], max_receives=count)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _unknown(name: str) -> AwsError:
    return sqs_error("InvalidAttributeName", f"Unknown Attribute {name}.")


def _value(name: str) -> AwsError:
    return sqs_error("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def _by_group(name: str, text: str) -> bool:
    if text not in ("queue", "messageGroup"):
        raise _value(name)
    return text == "messageGroup"


_FIELDS: Final[Mapping[str, tuple[str, Callable[[str, str], Any]]]] = {
    "RedrivePolicy": ("redrive", _redrive),
    "ContentBasedDeduplication": ("content_deduplication", _flag),
    "DeduplicationScope": ("group_deduplication", _by_group),
    **{name: (field, _whole) for name, (field, _, _) in _WHOLE.items()},
}


def attribute_named(field: str) -> str:
    """SQS's name of a field of QueueInfo."""
    return next((name for name, (known, _) in _FIELDS.items() if known == field), field)
