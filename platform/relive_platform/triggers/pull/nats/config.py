"""What `relive.toml` says of a stream of NATS JetStream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.triggers.base import Key
from relive_platform.triggers.pull.config import COMMON, PullTrigger

__all__ = ["NatsTrigger"]


class NatsTrigger(PullTrigger, frozen=True, tag="nats", kw_only=True):
    """Messages of a subject, read by a durable consumer."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        **COMMON,
        "subject": Key("text", "As in orders.created, orders.*, orders.>.", required=True),
        "stream": Key("text", "The stream. Default: the one that has the subject."),
        "durable": Key("text", "Name of the consumer. Default: one of the function's own."),
        "start": Key("text", "Where a new consumer begins.", choices=("oldest", "newest")),
        "ack_wait_s": Key("number", "When NATS sends again what was not acknowledged.", low=1, high=86_400),
    }
    SCHEMES: ClassVar[tuple[str, ...]] = ("nats", "tls", "ws", "wss")

    subject: str
    stream: str = ""
    durable: str = ""
    start: str = "oldest"
    ack_wait_s: float = 30.0

    @property
    def place(self) -> str:
        return f"{self.stream}/{self.subject}" if self.stream else self.subject

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from super().problems()
        if not self.subject or any(not part or " " in part for part in self.subject.split(".")):
            yield "subject", f"{self.subject!r} is not a subject", "write words with dots between them"
        if any(sign in self.durable for sign in " .*>/\\"):
            yield "durable", f"{self.durable!r} is not a consumer's name", "use letters, digits, _ and -"
