"""What the server has said of itself by minute: the table `platform_1m`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.health.ranges import Range

__all__ = ["PlatformSeries", "platform_columns", "platform_series"]

_SERIES: Final = """
SELECT Metric, any(Unit), Attributes AS attributes,
    intDiv(toUnixTimestamp(Minute) - {begin:Int64}, {width:Int64}) AS bucket,
    sum(Samples), sum(Total), min(Least), max(Most), argMax(Last, Minute)
FROM platform_1m
WHERE Minute >= toDateTime({begin:Int64}) AND Minute < toDateTime({until:Int64})
GROUP BY Metric, attributes, bucket
ORDER BY Metric, mapSort(attributes), bucket
LIMIT {rows:UInt32}
"""
_MAX_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class PlatformSeries:
    """One gauge of the server over a range. `means`: by the number of the bucket; those without a sample are
    not there. `last` is the newest value."""

    metric: str
    unit: str
    attributes: dict[str, str]
    last: float
    least: float
    most: float
    mean: float
    means: dict[int, float]


def platform_series(store: Store, span: Range, *, timeout_s: float = 30.0) -> list[PlatformSeries]:
    """By metric and attributes. Raises StoreError."""
    parameters = {**span.parameters, "rows": _MAX_ROWS}
    rows: list[Any] = list(store.query(_SERIES, parameters, timeout_s=timeout_s).rows())
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Any]] = {}
    for row in rows:
        groups.setdefault((row[0], tuple(sorted(row[2].items()))), []).append(row)
    return [_series(metric, dict(attributes), found) for (metric, attributes), found in groups.items()]


def _series(metric: str, attributes: dict[str, str], rows: list[Any]) -> PlatformSeries:
    samples = sum(row[4] for row in rows)
    return PlatformSeries(
        metric=metric,
        unit=rows[-1][1],
        attributes=attributes,
        last=rows[-1][8],
        least=min(row[6] for row in rows),
        most=max(row[7] for row in rows),
        mean=sum(row[5] for row in rows) / max(samples, 1),
        means={int(row[3]): row[5] / max(row[4], 1) for row in rows},
    )


def platform_columns(minute_s: int, rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Columns of `platform_1m` of rows (metric, unit, attributes, samples, total, least, most, last)."""
    names = ("Metric", "Unit", "Attributes", "Samples", "Total", "Least", "Most", "Last")
    columns: dict[str, list[Any]] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return {"Minute": [minute_s] * len(rows), **columns}
