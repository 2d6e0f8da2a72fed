"""Live log lines for those who follow: bounded, and a slow reader loses lines, never the platform."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import msgspec
from relive_base.redaction.redactor import KeyBlocks
from relive_base.wire.messages import FunctionSpec, LogLine, Logs
from relive_tracer.explore.json_lines import structure

from relive_platform.signals.processors.redaction import Redactors, redact_line
from relive_platform.signals.signal import Counts

__all__ = ["FollowedLine", "Follower", "Followers"]

QUEUE_LINES: Final = 2_000
_logs = msgspec.msgpack.Decoder(Logs)


@dataclass(frozen=True, slots=True)
class FollowedLine:
    """One line as it happened; body and attributes are redacted."""

    function: str
    invocation_id: str
    line: LogLine


class Follower:
    """One reader's queue. `get` waits; lines over the limit drop the oldest and are counted."""

    def __init__(self, function: str, counts: Counts | None = None) -> None:
        self.function = function
        self._counts = counts or Counts()
        self.dropped = 0
        self._lines: deque[FollowedLine] = deque()
        self._arrived = asyncio.Event()

    def offer(self, line: FollowedLine) -> None:
        """Add a line; never waits."""
        if len(self._lines) >= QUEUE_LINES:
            self._lines.popleft()
            self.dropped += 1
            self._counts.dropped += 1
        self._lines.append(line)
        self._counts.taken += 1
        self._arrived.set()

    def there(self) -> list[FollowedLine]:
        """All lines that are there now; they leave."""
        found = list(self._lines)
        self._lines.clear()
        return found

    async def get(self) -> FollowedLine:
        """The next line."""
        return (await self.take(1))[0]

    async def take(self, limit: int) -> list[FollowedLine]:
        """Waits for a line, then gives up to `limit` of those that are there."""
        while not self._lines:
            self._arrived.clear()
            await self._arrived.wait()
        return [self._lines.popleft() for _ in range(min(limit, len(self._lines)))]


class Followers:
    """All readers. False if there are none: nothing is decoded then."""

    def __init__(self, redactors: Redactors | None = None) -> None:
        self.counts = Counts()
        self._followers: set[Follower] = set()
        self._redactors = redactors or Redactors()
        self._blocks = KeyBlocks()

    def __bool__(self) -> bool:
        return bool(self._followers)

    def add(self, function: str = "") -> Follower:
        """Begin to follow one function, or all of them."""
        follower = Follower(function, self.counts)
        self._followers.add(follower)
        return follower

    def remove(self, follower: Follower) -> None:
        """Stop to follow."""
        self._followers.discard(follower)

    def offer(self, spec: FunctionSpec, invocation_id: str, payload: bytes) -> None:
        """A Logs frame's msgpack; other frames are ignored."""
        wanted = [f for f in self._followers if f.function in ("", spec.name)]
        if not wanted:
            return
        try:
            logs = _logs.decode(payload)
        except msgspec.DecodeError:  # a Spans frame; or what is none at all, which is the worker's own affair
            return
        for line in logs.lines:
            owner = logs.invocation_id or invocation_id
            structure(line)
            redact_line(line, self._redactors.of(spec.redact_keys), self._blocks, owner)
            followed = FollowedLine(spec.name, owner, line)
            for follower in wanted:
                follower.offer(followed)
