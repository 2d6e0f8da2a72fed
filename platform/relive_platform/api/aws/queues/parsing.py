"""A message, of the parameters of a request, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relive_base.traceparent import TraceParent, parse_traceparent

from relive_platform.api.aws.queues.digests import attributes_md5, body_md5
from relive_platform.api.aws.queues.errors import invalid, missing, sqs_error
from relive_platform.resources.queue.model import Message, MessageAttribute, QueueInfo, Received

__all__ = ["check_batch", "check_names", "message_of", "parent_of", "received_of", "trace_header"]

_MOST_ATTRIBUTES: Final = 10
_MOST_ENTRIES: Final = 10
_NAME: Final = re.compile(r"[\w\-.]{1,256}")
_TYPE: Final = re.compile(r"(String|Number|Binary)(\.[^\x00-\x1f]{1,240})?")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_GROUP: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_ODD: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHARACTERS: Final = (
    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF |"
    " #xE000 to #xFFFD | #x10000 to #x10FFFF"
)
_TRACE_HEADER: Final = "AWSTraceHeader"
_ROOT: Final = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT: Final = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})")
_SAMPLED: Final = re.compile(r"(?:^|;)\s*Sampled=0")


def message_of(params: Mapping[str, Any], *, fifo: bool, sender: str) -> Message:
    """Of SendMessage, or of an entry of its batch. Raises AwsError."""
    text = params.get("MessageBody")
    if not text:
        raise missing("MessageBody")
    if _ODD.search(text):
        raise sqs_error("InvalidMessageContents", _CHARACTERS)
    delay_s = params.get("DelaySeconds")
    if delay_s is not None and not 0 <= delay_s <= 900:
        raise invalid(
            f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0"
            " and <= 900."
        )
    group, identity = params.get("MessageGroupId") or "", params.get("MessageDeduplicationId") or ""
    if fifo and delay_s:
        raise invalid(
            f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: The request include parameter"
            " that is not valid for this queue type."
        )
    return Message(
        body=text.encode(),
        attributes=_attributes(params.get("MessageAttributes") or {}),
        trace_header=_system(params.get("MessageSystemAttributes") or {}),
        group=group,
        deduplication_id=identity if fifo else "",
        sender=sender,
        delay_s=None if fifo and not delay_s else delay_s,
    )


def check_names(params: Mapping[str, Any], queue: QueueInfo) -> None:
    """Whether group and deduplication id are what the queue wants. Raises AwsError."""
    group, identity = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", identity)):
        if value is not None and not _GROUP.fullmatch(value):
            raise invalid(
                f"Value {value[:200]} for parameter {name} is invalid. Reason: {name} can only include"
                " alphanumeric and punctuation characters. 1 to 128 in length."
            )
    if queue.fifo and group is None:
        raise missing("MessageGroupId")
    if queue.fifo and identity is None and not queue.content_deduplication:
        raise invalid(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId"
            " provided explicitly"
        )
    if not queue.fifo and identity is not None:
        raise invalid(
            f"Value {identity} for parameter MessageDeduplicationId is invalid. Reason: The request include"
            " parameter that is not valid for this queue type."
        )


def _attributes(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    if len(given) > _MOST_ATTRIBUTES:
        raise invalid(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
        )
    return {name: _attribute(name, value) for name, value in given.items()}


def _attribute(name: str, value: Mapping[str, Any]) -> MessageAttribute:
    lower = name.lower()
    odd = not _NAME.fullmatch(name) or name.startswith(".") or name.endswith(".") or ".." in name
    if odd or lower.startswith(("aws.", "amazon.")):
        raise invalid(f"The message attribute name '{name[:256]}' is not allowed.")
    kind = value.get("DataType") or ""
    if not kind:
        raise invalid(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if not _TYPE.fullmatch(kind):
        raise invalid(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type"
            " prefixes is Binary, Number, and String."
        )
    binary = kind.startswith("Binary")
    found = value.get("BinaryValue" if binary else "StringValue")
    if not found:
        field = "BinaryValue" if binary else "StringValue"
        raise invalid(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{field[:-5]}'."
        )
    if binary:
        return MessageAttribute(kind, "", bytes(found))
    if _ODD.search(found):
        raise invalid(_CHARACTERS)
    if kind.startswith("Number") and not _NUMBER.fullmatch(found):
        raise invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    return MessageAttribute(kind, found)


def _system(given: Mapping[str, Any]) -> str:
    for name, value in given.items():
        if name != _TRACE_HEADER:
            raise invalid(f"Message system attribute name '{name[:256]}' is invalid.")
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise invalid(f"The message system attribute '{name}' must contain a non-empty StringValue.")
        if _ODD.search(value["StringValue"]):
            raise invalid(_CHARACTERS)
        return str(value["StringValue"])
    return ""


def check_batch(entries: list[Mapping[str, Any]], operation: str) -> None:
    """Whether these may be the entries of one request. Raises AwsError."""
    if not entries:
        message = f"There should be at least one {operation}RequestEntry in the request."
        raise sqs_error("EmptyBatchRequest", message)
    if len(entries) > _MOST_ENTRIES:
        raise sqs_error(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {_MOST_ENTRIES}. You have sent {len(entries)}.",
        )
    seen = set()
    for entry in entries:
        ident = entry.get("Id") or ""
        if not _ID.fullmatch(ident):
            raise sqs_error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
                " It can be at most 80 letters long.",
            )
        if ident in seen:
            raise sqs_error("BatchEntryIdsNotDistinct", f"Id {ident} repeated.")
        seen.add(ident)


# ------------------------------------------------------------ traces


def parent_of(message: Message, headers: Mapping[str, str]) -> TraceParent | None:
    """The span that sends a message: by its attribute `traceparent`, by its AWSTraceHeader, or by the headers
    of the request."""
    own = message.attributes.get("traceparent")
    return (
        (parse_traceparent(own.text) if own is not None else None)
        or _by_trace_header(message.trace_header)
        or parse_traceparent(headers.get("traceparent", ""))
        or _by_trace_header(headers.get("x-amzn-trace-id", ""))
    )


def _by_trace_header(text: str) -> TraceParent | None:
    root, parent = _ROOT.search(text), _PARENT.search(text)
    if root is None or parent is None:
        return None
    return TraceParent(root[1] + root[2], parent[1], not _SAMPLED.search(text))


def trace_header(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """As X-Ray writes it."""
    return f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={span_id};Sampled={int(sampled)}"


# ------------------------------------------------------------ out


def received_of(
    received: Received, system: Mapping[str, str], wanted: Iterable[str], named: Iterable[str]
) -> dict[str, Any]:
    """A message as ReceiveMessage gives it. `wanted`: system attributes, `named`: its own."""
    message = received.message
    names = set(wanted)
    own = {name: value for name, value in message.attributes.items() if _is_named(name, named)}
    found: dict[str, Any] = {
        "MessageId": received.message_id,
        "ReceiptHandle": received.receipt,
        "MD5OfBody": body_md5(message.body),
        "Body": message.body.decode("utf-8", "replace"),
    }
    shown = system if "All" in names else {name: value for name, value in system.items() if name in names}
    if shown:
        found["Attributes"] = dict(shown)
    if own:
        found["MD5OfMessageAttributes"] = attributes_md5(own)
        found["MessageAttributes"] = {name: _typed(value) for name, value in own.items()}
    return found


def _is_named(name: str, named: Iterable[str]) -> bool:
    for wanted in named:
        if wanted in ("All", "*", ".*", name):
            return True
        if wanted.endswith(".*") and name.startswith(wanted[:-2]):
            return True
    return False


def _typed(value: MessageAttribute) -> dict[str, Any]:
    if value.type.startswith("Binary"):
        return {"DataType": value.type, "BinaryValue": value.binary}
    return {"DataType": value.type, "StringValue": value.text}
