"""SQS: its operations on queues; those on messages are beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Collection, Mapping
from typing import Any, Final, TypeVar

import msgspec
from relive_base.errors import ReliveError

from relive_platform.api.aws.credentials import OWNER
from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.queues.access import Desk
from relive_platform.api.aws.queues.attributes import (
    attribute_named,
    attributes_of,
    fields_of,
    wanted_names,
)
from relive_platform.api.aws.queues.errors import aws_error, invalid, missing, sqs_error
from relive_platform.api.aws.queues.messages import MessageOperations
from relive_platform.api.aws.queues.moves import MoveOperations
from relive_platform.api.aws.service import Call, Operation, Reply
from relive_platform.resources.queue.config import FIFO_ENDING
from relive_platform.resources.queue.model import QueueExists, QueueInfo

__all__ = ["SqsService"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MOST_LISTED: Final = 1_000
_MOST_TAGS: Final = 50
T = TypeVar("T")


class SqsService:
    """What `desk` may reach, by SQS's API."""

    name = "sqs"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._queues = desk.queues
        self._operations: dict[str, Operation] = {
            "CreateQueue": self._create,
            "DeleteQueue": self._delete,
            "ListQueues": self._list,
            "GetQueueUrl": self._url,
            "GetQueueAttributes": self._attributes,
            "SetQueueAttributes": self._set_attributes,
            "PurgeQueue": self._purge,
            "TagQueue": self._tag,
            "UntagQueue": self._untag,
            "ListQueueTags": self._tags,
            "ListDeadLetterSourceQueues": self._sources,
            "AddPermission": self._add_permission,
            "RemovePermission": self._remove_permission,
            **MessageOperations(desk).operations(),
            **MoveOperations(desk).operations(),
        }

    @property
    def for_functions(self) -> Collection[str]:
        """All: which queues a function may reach is looked at for each."""
        return self._operations.keys()

    @property
    def unchecked(self) -> Collection[str]:
        """All texts are looked at."""
        return ()

    def operations(self) -> Mapping[str, Operation]:
        """By the model's names."""
        return self._operations

    async def download(self, path: str) -> Reply | None:
        """Queues have nothing to download."""
        return None

    # ------------------------------------------------------------ queues

    async def _create(self, call: Call) -> Mapping[str, Any]:
        name, given = str(call.get("QueueName", "")), dict(call.get("Attributes") or {})
        fifo = given.get("FifoQueue", "").lower() == "true"
        _check_name(name, fifo)
        fields, stored = fields_of(given, fifo=fifo)
        owner = call.caller if call.caller != OWNER else ""
        tags = _checked_tags(call.get("tags") or {}, name)
        wanted = QueueInfo(name=name, fifo=fifo, app=owner, stored=stored, tags=tags, **fields)
        await self._desk.check_redrive(wanted)
        same = ["fifo", *fields]
        try:
            info = await self._queues.create(wanted, same)
        except QueueExists as error:
            raise _differs(attribute_named(error.field)) from error
        except ReliveError as error:
            raise aws_error(error) from error
        for key, text in stored.items():
            if info.stored.get(key) != text:
                raise _differs(key)
        return {"QueueUrl": self._desk.url(call, info.name)}

    async def _delete(self, call: Call) -> None:
        info = await self._desk.queue(call)
        if info.declared:
            raise sqs_error(
                "UnsupportedOperation",
                f"application {info.app!r} declares the queue {info.resource!r} in its relive.toml",
            )
        await _of(self._queues.delete_queue(info.name))

    async def _list(self, call: Call) -> Mapping[str, Any]:
        prefix = str(call.get("QueueNamePrefix") or "")
        names = [info.name for info in await self._desk.visible(call) if info.name.startswith(prefix)]
        page, token = _page(names, call)
        return {"QueueUrls": [self._desk.url(call, name) for name in page] or None, "NextToken": token}

    async def _url(self, call: Call) -> Mapping[str, Any]:
        name = str(call.get("QueueName", ""))
        info = await self._desk.named(call, name, reading=True)
        return {"QueueUrl": self._desk.url(call, info.name)}

    async def _attributes(self, call: Call) -> Mapping[str, Any]:
        names = wanted_names(list(call.get("AttributeNames") or ()))
        info = await self._desk.queue(call)
        if not names:
            return {}
        counts = await _of(self._queues.counts(info.name))
        found = attributes_of(info, counts, self._desk.naming.arn)
        return {"Attributes": {name: text for name, text in found.items() if name in names} or None}

    async def _set_attributes(self, call: Call) -> None:
        given = dict(call.get("Attributes") or {})
        if not given:
            raise missing("Attribute.Name")
        info = await self._desk.queue(call)
        fields, stored = fields_of(given, fifo=info.fifo)
        await self._desk.check_redrive(msgspec.structs.replace(info, **fields))

        def change(found: QueueInfo) -> QueueInfo:
            return msgspec.structs.replace(found, stored={**found.stored, **stored}, **fields)

        await _of(self._queues.change(info.name, change))

    async def _purge(self, call: Call) -> None:
        info = await self._desk.queue(call)
        try:
            await self._queues.purge(info.name)
        except ReliveError as error:
            found = aws_error(error)
            if found.code == "PurgeQueueInProgress":
                found.message = f"Only one PurgeQueue operation on {info.name} is allowed every 60 seconds."
            raise found from error

    # ------------------------------------------------------------ tags and permissions

    async def _tag(self, call: Call) -> None:
        info = await self._desk.queue(call)
        tags = _checked_tags(call.get("Tags") or {}, info.name)
        if not tags:
            raise missing("Tags")
        if len({**info.tags, **tags}) > _MOST_TAGS:
            raise invalid(_too_many(info.name))
        await self._set_tags(info.name, lambda found: {**found, **tags})

    async def _untag(self, call: Call) -> None:
        info, keys = await self._desk.queue(call), set(call.get("TagKeys") or ())
        if not keys:
            raise invalid("Tag keys must be between 1 and 128 characters in length.")
        await self._set_tags(
            info.name, lambda found: {key: value for key, value in found.items() if key not in keys}
        )

    async def _set_tags(self, name: str, change: Any) -> None:
        await _of(
            self._queues.change(name, lambda info: msgspec.structs.replace(info, tags=change(info.tags)))
        )

    async def _tags(self, call: Call) -> Mapping[str, Any]:
        info = await self._desk.queue(call)
        return {"Tags": info.tags or None}

    async def _sources(self, call: Call) -> Mapping[str, Any]:
        info = await self._desk.queue(call)
        names = [
            other.name
            for other in await self._desk.visible(call)
            if other.redrive is not None and other.redrive.queue == info.name
        ]
        page, token = _page(names, call)
        return {"queueUrls": [self._desk.url(call, name) for name in page], "NextToken": token}

    async def _add_permission(self, call: Call) -> None:
        info = await self._desk.queue(call)
        label, actions = str(call.get("Label", "")), list(call.get("Actions") or ())
        accounts = list(call.get("AWSAccountIds") or ())
        if not actions or not accounts:
            raise missing("Actions" if not actions else "AWSAccountIds")
        policy = _policy(info, self._desk.naming.arn(info.name))
        if any(statement.get("Sid") == label for statement in policy["Statement"]):
            raise invalid(f"Value {label} for parameter Label is invalid. Reason: Already exists.")
        principals = [f"arn:aws:iam::{account}:root" for account in accounts]
        names = [f"SQS:{action}" for action in actions]
        policy["Statement"].append(
            {
                "Sid": label,
                "Effect": "Allow",
                "Principal": {"AWS": principals if len(principals) > 1 else principals[0]},
                "Action": names if len(names) > 1 else names[0],
                "Resource": self._desk.naming.arn(info.name),
            }
        )
        await self._set_policy(info.name, policy)

    async def _remove_permission(self, call: Call) -> None:
        info, label = await self._desk.queue(call), str(call.get("Label", ""))
        policy = _policy(info, self._desk.naming.arn(info.name))
        left = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
        if len(left) == len(policy["Statement"]):
            raise invalid(
                f"Value {label} for parameter Label is invalid. Reason: can't find label on existing policy."
            )
        await self._set_policy(info.name, {**policy, "Statement": left} if left else {})

    async def _set_policy(self, name: str, policy: Mapping[str, Any]) -> None:
        text = msgspec.json.encode(policy).decode() if policy else ""
        await _of(
            self._queues.change(
                name, lambda info: msgspec.structs.replace(info, stored={**info.stored, "Policy": text})
            )
        )


async def _of(work: Awaitable[T]) -> T:
    """The result; what a queue refuses is told in SQS's words."""
    try:
        return await work
    except ReliveError as error:
        raise aws_error(error) from error


def _differs(name: str) -> AwsError:
    message = f"A queue already exists with the same name and a different value for attribute {name}"
    return sqs_error("QueueNameExists", message)


def _check_name(name: str, fifo: bool) -> None:
    plain = name.removesuffix(FIFO_ENDING)
    if fifo and name == plain:
        raise invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must"
            " end with .fifo suffix and be 1 to 80 in length."
        )
    if not _NAME.fullmatch(plain) or len(name) > 80 or (name != plain and not fifo):
        raise invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def _too_many(name: str) -> str:
    return f"Too many tags added for queue {name}."


def _checked_tags(tags: Mapping[str, str], name: str) -> dict[str, str]:
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid("Tag keys have 1 to 128 characters, and their values up to 256.")
    if len(tags) > _MOST_TAGS:
        raise invalid(_too_many(name))
    return dict(tags)


def _policy(info: QueueInfo, arn: str) -> dict[str, Any]:
    text = info.stored.get("Policy", "")
    new = {"Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy"}
    found: dict[str, Any] = msgspec.json.decode(text) if text else new
    statements = found.get("Statement")
    return {**found, "Statement": list(statements) if isinstance(statements, list) else []}


def _page(names: list[str], call: Call) -> tuple[list[str], str | None]:
    """A page of a listing, and the token of the next one, which is the last name in hiding."""
    most, token = call.get("MaxResults"), call.get("NextToken")
    if most is not None and not 1 <= most <= _MOST_LISTED:
        raise invalid(
            f"Value {most} for parameter MaxResults is invalid. Reason: MaxResults must be 1 to 1000."
        )
    if token:
        try:
            after = base64.urlsafe_b64decode(str(token).encode()).decode()
        except ValueError:
            raise invalid("Invalid or expired next token.") from None
        names = [name for name in names if name > after]
    page = names[: most or _MOST_LISTED]
    more = len(page) < len(names) and most is not None
    return page, base64.urlsafe_b64encode(page[-1].encode()).decode() if more else None
