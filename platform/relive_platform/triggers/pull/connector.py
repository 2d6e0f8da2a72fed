"""The seam between Relive and a server of others: fetch, ack, nak, extend, lag, close.

A record's way: fetched -> committed to `events.db` -> acknowledged at its source. A connector that raises is
closed and opened again later; what it had not acknowledged comes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from relive_base.errors import ReliveError

__all__ = ["Connector", "Lag", "Lost", "PullError", "Record", "SetupError"]


class PullError(ReliveError):
    """A trigger cannot ask its source for records; it tries again."""


class SetupError(PullError):
    """A trigger cannot work until somebody changes something; it looks again now and then."""


class Lost(PullError):
    """Records are lost, or may be: that is told until the server is started anew."""


@dataclass(slots=True, eq=False)
class Record:
    """One record of a source. `mark` and `index` tell it from every other one, even if the source is made
    anew; records of one transaction share a mark. `lane`: what has its own order, as a partition."""

    mark: str
    data: dict[str, Any]  # as the event has it
    contents: tuple[str, ...]  # keys of `data` that go if the record is too large for an event
    type: str  # CloudEvents' attributes: type, source, subject, time
    source: str
    subject: str = ""
    time: str = ""
    payload: Any = None  # CloudEvents' data; bytes become data_base64
    index: int = 0
    final: bool = True  # whether nothing of its mark comes after it
    lane: str = ""
    traceparent: str = ""
    tracestate: str = ""
    baggage: str = ""
    handle: Any = None  # the connector's own
    encoded: bytes = b""  # by the puller: how it stands in the event

    @property
    def position(self) -> str:
        """As it is written down."""
        return f"{self.mark}/{self.index}"


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a source is ahead of us; None: it does not say. `warning`: what somebody should look at."""

    behind: int | None
    unit: str = "records"  # "records" | "bytes"
    warning: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Connector(Protocol):
    """One connection to one source. Everything runs on one event loop, which is not the server's; no call
    may block it. Raises PullError, or what its client library raises."""

    extend_s: float  # held records are extended this often; 0: not needed
    keep_s: (
        float  # for how long the source may send a record again that was acknowledged: after its own crash
    )
    answer_s: float  # how long a call may last beyond what it is to wait

    async def open(self) -> None:
        """Connect, and make what is ours there: a slot, a group, a durable consumer."""

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        """Up to `count` records that this connection has not given yet, after `wait_s` at most; none of the
        lanes `full`."""

    def holds(self, record: Record) -> bool:
        """Whether it may still be acknowledged: False once its partition was given to somebody else."""

    async def ack(self, records: Sequence[Record]) -> None:
        """These are safe here; in the order of fetch within a lane."""

    async def nak(self, records: Sequence[Record]) -> None:
        """These were not taken; somebody else may have them."""

    async def extend(self, records: Sequence[Record]) -> None:
        """We still work on these."""

    async def lag(self) -> Lag:
        """How far behind we are."""

    def envelope(self, records: Sequence[Record], encoded: Sequence[Any]) -> Any:
        """The event of a batch in the source's own shape; `encoded`: each record's `data` as raw JSON."""

    async def close(self) -> None:
        """Let go; what was not acknowledged comes again. Never raises."""
