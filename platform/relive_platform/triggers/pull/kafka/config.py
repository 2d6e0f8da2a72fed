"""What `relive.toml` says of Kafka topics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from relive_platform.triggers.base import Key
from relive_platform.triggers.pull.config import COMMON, PullTrigger

__all__ = ["KafkaTrigger"]

_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class KafkaTrigger(PullTrigger, frozen=True, tag="kafka", kw_only=True):
    """Records of topics, read as a member of a consumer group. A partition is a lane, and keeps its order."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        **COMMON,
        "topics": Key("texts", "Names of topics.", required=True),
        "group": Key("text", "Consumer group. Default: one of the function's own."),
        "start": Key("text", "Where a new group begins.", choices=("oldest", "newest")),
    }
    SCHEMES: ClassVar[tuple[str, ...]] = ("kafka", "kafkas")
    IN_FLIGHT: ClassVar[int] = 1

    topics: tuple[str, ...]
    group: str = ""
    start: str = "oldest"

    @property
    def place(self) -> str:
        return ",".join(self.topics)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        yield from super().problems()
        if not self.topics:
            yield "topics", "no topic is named", "name at least one"
        for topic in self.topics:
            if not _TOPIC.fullmatch(topic):
                yield "topics", f"{topic!r} is not a topic's name", "use letters, digits, ., _ and -"
