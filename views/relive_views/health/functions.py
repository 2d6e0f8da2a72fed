"""Health of functions: totals over a range, and series for sparklines and charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store
from relive_tracer.explore.health import functions as explore
from relive_tracer.explore.health.functions import Figures, FunctionFigures
from relive_tracer.explore.health.ranges import Range

__all__ = ["DEFAULT_POINTS", "SERIES", "FunctionHealth", "Point", "Range", "function_health", "health_of"]

DEFAULT_POINTS: Final = 30


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of a series: `seconds` from `start_ns` on."""

    start_ns: int
    seconds: float
    figures: Figures

    @property
    def rate(self) -> float:
        """Attempts that began, per second."""
        return self.figures.attempts / self.seconds

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive metrics FN --json`."""
        return {"start_ns": self.start_ns, "seconds": self.seconds, **_figures_json(self.figures, self.rate)}


SERIES: Final[dict[str, Callable[[Point], float | None]]] = {
    "rate": lambda point: point.rate,
    "errors": lambda point: float(point.figures.failed),
    "error_rate": lambda point: point.figures.error_rate,
    "p50_ms": lambda point: point.figures.p50_ms,
    "p95_ms": lambda point: point.figures.p95_ms,
    "p99_ms": lambda point: point.figures.p99_ms,
    "waited_p95_ms": lambda point: point.figures.waited_p95_ms,
    "cold_starts": lambda point: float(point.figures.cold_starts),
    "memory_bytes": lambda point: float(point.figures.largest_rss_bytes) or None,
}
"""What can be charted of a function, by name. None: nothing was measured in that bucket."""


@dataclass(frozen=True, slots=True)
class FunctionHealth:
    """One function over a range. `points` are all buckets of the range, in order."""

    function: str
    since_ns: int
    seconds: float
    whole: Figures
    points: tuple[Point, ...]

    @property
    def rate(self) -> float:
        """Attempts that began, per second."""
        return self.whole.attempts / self.seconds

    def series(self, name: str) -> list[float | None]:
        """One of SERIES, a value for each point."""
        return [SERIES[name](point) for point in self.points]

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive metrics --json`."""
        row = {"function": self.function, "since_ns": self.since_ns, "seconds": round(self.seconds, 3)}
        return {
            **row,
            **_figures_json(self.whole, self.rate),
            "series": {
                "width_s": self.points[0].seconds if self.points else 0.0,
                **{name: self.series(name) for name in ("rate", "error_rate", "p95_ms", "waited_p95_ms")},
            },
        }


def function_health(
    store: Store,
    since_ns: int,
    until_ns: int,
    *,
    function: str = "",
    points: int = DEFAULT_POINTS,
    query_id: str = "",
) -> list[FunctionHealth]:
    """Of each function of which anything began in the range, by name; in at most `points` buckets of whole
    minutes. Raises StoreError."""
    span = Range.of(since_ns, until_ns, points)
    return health_of(explore.figures(store, span, function=function, query_id=query_id), span)


def health_of(found: Sequence[FunctionFigures], span: Range) -> list[FunctionHealth]:
    """The same of figures that were read before."""
    return [
        FunctionHealth(
            function=one.function,
            since_ns=span.start_ns(0),
            seconds=span.seconds,
            whole=one.whole,
            points=tuple(
                Point(span.start_ns(at), span.seconds_of(at), one.buckets.get(at, Figures()))
                for at in range(span.buckets)
            ),
        )
        for one in found
    ]


def _figures_json(found: Figures, rate: float) -> dict[str, Any]:
    row = {name: getattr(found, name) for name in Figures.__dataclass_fields__}
    return {
        **row,
        "statuses": dict(found.statuses),
        "rate": round(rate, 6),
        "error_rate": found.error_rate,
    }
