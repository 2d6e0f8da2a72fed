"""What `relive.toml` says of a queue of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from relive_platform.keys import Key
from relive_platform.resources.base import ResourceConfig

__all__ = ["FIFO_ENDING", "QueueConfig", "aws_name"]

FIFO_ENDING: Final = ".fifo"
_MAX_BYTES: Final = 64 * 1024**3


def aws_name(name: str, *, fifo: bool) -> str:
    """What a declared queue is called by SQS: there, a FIFO queue's name says that it is one."""
    return f"{name}{FIFO_ENDING}" if fifo else name


class QueueConfig(ResourceConfig, frozen=True, tag="queue", kw_only=True):
    """One `[resources.NAME]` with `type = "queue"`."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "fifo": Key("flag", "Messages of a group come in order, and what is sent twice is kept once."),
        "visibility_timeout_s": Key(
            "whole",
            "How long a received message is hidden before it comes again. Default: 30.",
            low=0,
            high=43_200,
        ),
        "delay_s": Key("whole", "How long a new message waits before it can be received.", low=0, high=900),
        "retention_s": Key(
            "whole", "Age at which a message is deleted. Default: 345,600 (4 days).", low=60, high=1_209_600
        ),
        "wait_s": Key("whole", "How long a receive waits for a message, if it does not say.", low=0, high=20),
        "dead_letter": Key("text", "Queue for messages that were received `max_receive_count` times."),
        "max_receive_count": Key(
            "whole", "Receives after which a message moves to `dead_letter`.", low=1, high=1_000
        ),
        "content_deduplication": Key(
            "flag", "Of a FIFO queue: messages with the same body within 5 minutes are one."
        ),
        "max_message_bytes": Key(
            "whole", "Largest message with its attributes. Default: 1,048,576.", low=1_024, high=1_048_576
        ),
        "max_messages": Key(
            "whole", "Messages of the queue at most. Default: RELIVE_MESSAGE_LIMIT.", low=1, high=10**9
        ),
        "max_bytes": Key(
            "whole",
            "Bytes of its messages at most. Default: RELIVE_MESSAGE_BYTES.",
            low=1_024,
            high=_MAX_BYTES,
        ),
    }
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ("url", "arn", "name")

    fifo: bool = False
    visibility_timeout_s: int = 30
    delay_s: int = 0
    retention_s: int = 345_600
    wait_s: int = 0
    dead_letter: str = ""
    max_receive_count: int = 0
    content_deduplication: bool = False
    max_message_bytes: int = 1_048_576
    max_messages: int = 0  # 0: the server's
    max_bytes: int = 0

    def problems(self) -> Iterator[tuple[str, str, str]]:
        if bool(self.dead_letter) != bool(self.max_receive_count):
            key, other = ("dead_letter", "max_receive_count")
            if not self.dead_letter:
                key, other = other, key
            yield key, f"{key} without {other}", f"add {other}, or leave {key} out"
        if self.content_deduplication and not self.fifo:
            yield (
                "content_deduplication",
                "only FIFO queues tell messages by their content",
                "add fifo = true",
            )

    def problems_among(
        self, name: str, others: Mapping[str, ResourceConfig]
    ) -> Iterator[tuple[str, str, str]]:
        if not self.dead_letter:
            return
        other = others.get(self.dead_letter)
        if not isinstance(other, QueueConfig):
            message = f"the dead-letter queue {self.dead_letter!r} is not declared"
            yield "dead_letter", message, f'write [resources.{self.dead_letter}] with type = "queue"'
        elif self.dead_letter == name:
            yield "dead_letter", "a queue cannot be its own dead-letter queue", "name another queue"
        elif other.fifo != self.fifo:
            kind = "a FIFO queue" if self.fifo else "a standard queue"
            message = f"the dead-letter queue of {kind} is one, too, and {self.dead_letter!r} is not"
            yield "dead_letter", message, f"set fifo = {str(self.fifo).lower()} for {self.dead_letter}"

    def replaces(self, old: ResourceConfig) -> str:
        if isinstance(old, QueueConfig) and old.fifo != self.fifo:
            return f"it is a {'FIFO' if old.fifo else 'standard'} queue so far"
        return super().replaces(old)

    def seen(self) -> Mapping[str, str]:
        return {"name": FIFO_ENDING} if self.fifo else {}

    def describe(self) -> str:
        return "queue, fifo" if self.fifo else "queue"
