"""Events that come from Relive itself: buses, buckets, records, as resources and as sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from relive_platform.resources.base import Provider
from relive_platform.resources.bucket.provider import BucketProvider
from relive_platform.resources.bus.provider import BusProvider
from relive_platform.triggers.alarm.source import AlarmSource
from relive_platform.triggers.base import Source
from relive_platform.triggers.bucket.source import BucketSource
from relive_platform.triggers.bus.buses import Buses
from relive_platform.triggers.bus.config import DEFAULT_BUS
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.publisher import Publisher
from relive_platform.triggers.records.source import RecordSource

__all__ = ["OUTBOX", "OwnEvents"]

OUTBOX: Final = "subscriptions"


class OwnEvents:
    """Of one server. `publish_by` is called once the queue is there. `environment`: what clients in an
    application's functions need to talk to AWS's APIs here."""

    def __init__(
        self,
        home: Path,
        environment: Callable[[str], Mapping[str, str]],
        depth_of: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """`depth_of`: see RecordSource."""
        bus = BusProvider(lambda name: self.buses.figures(name), DEFAULT_BUS, environment)
        self._objects = BucketSource()
        self._buckets = BucketProvider(home, self._objects.tell)
        self.providers: dict[str, Provider] = {"bucket": self._buckets, "bus": bus}
        self.buses = Buses(bus.names)
        self.records = RecordSource(home / OUTBOX, depth_of)
        self.alarms = AlarmSource(home / "alarms.json")
        self.sources: list[Source] = [self.buses, self._objects, self.records, self.alarms]

    def describe(self) -> list[SourceState]:
        """How those stand that may be behind: buckets, and records of other functions."""
        return [*self._objects.describe(self._buckets.standing), *self.records.describe()]

    def copy_journal(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> bool:
        """What has been told of buckets, as a file of its own; False if there is none."""
        return self._buckets.copy_journal(target, limit_s, wanted)

    def publish_by(self, publisher: Publisher) -> None:
        """Where their events go."""
        self.buses.publish = publisher
        self._objects.publish = publisher
        self.records.publish = publisher
        self.alarms.publish = publisher
        publisher.elsewhere["alarm"] = self.alarms.put
        publisher.elsewhere["bus"] = self.buses.put
