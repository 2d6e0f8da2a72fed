"""What `relive.toml` says of a Redis stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from relive_platform.triggers.base import Key
from relive_platform.triggers.pull.config import COMMON, PullTrigger

__all__ = ["RedisTrigger"]


class RedisTrigger(PullTrigger, frozen=True, tag="redis", kw_only=True):
    """Entries of a stream, read as a consumer of a group."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        **COMMON,
        "stream": Key("text", "The stream's key.", required=True),
        "group": Key("text", "Consumer group. Default: one of the function's own."),
        "start": Key("text", "Where a new group begins.", choices=("oldest", "newest")),
        "claim_after_s": Key(
            "number", "When entries of consumers that are gone are taken over.", low=1, high=86_400
        ),
        "delete": Key("flag", "Whether entries are deleted from the stream once they are safe here."),
        "warn_length": Key("whole", "Length of the stream from which `relive status` warns.", low=1),
    }
    SCHEMES: ClassVar[tuple[str, ...]] = ("redis", "rediss", "unix")

    stream: str
    group: str = ""
    start: str = "oldest"
    claim_after_s: float = 60.0
    delete: bool = False
    warn_length: int = 1_000_000

    @property
    def place(self) -> str:
        return self.stream

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from super().problems()
        if not self.stream:
            yield "stream", "the stream has no name", "write the key that XADD is given"
