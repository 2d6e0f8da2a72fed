"""Health of the platform itself: its gauges over a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relive_store import Store
from relive_tracer.explore.health.platform import PlatformSeries, platform_series
from relive_tracer.explore.health.ranges import Range

from relive_views.health.functions import DEFAULT_POINTS

__all__ = ["Gauge", "platform_gauges"]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge, such as `relive.workers` {state: busy}. `means`: of each bucket, None if the server has said
    nothing in it; `starts_ns`: when each begins."""

    found: PlatformSeries
    means: tuple[float | None, ...]
    starts_ns: tuple[int, ...]

    @property
    def name(self) -> str:
        """As people read it: "relive.workers state=busy"."""
        return " ".join([self.found.metric, *(f"{k}={v}" for k, v in sorted(self.found.attributes.items()))])

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive metrics --platform --json`."""
        row = {name: getattr(self.found, name) for name in PlatformSeries.__dataclass_fields__}
        return {**row, "means": list(self.means)}


def platform_gauges(
    store: Store, since_ns: int, until_ns: int, *, points: int = DEFAULT_POINTS
) -> list[Gauge]:
    """By metric and attributes. Raises StoreError."""
    span = Range.of(since_ns, until_ns, points)
    starts_ns = tuple(map(span.start_ns, range(span.buckets)))
    return [
        Gauge(found, tuple(found.means.get(at) for at in range(span.buckets)), starts_ns)
        for found in platform_series(store, span)
    ]
