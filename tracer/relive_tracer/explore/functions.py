"""What became of each function's invocations over a range of time."""

from __future__ import annotations

import time
from typing import Any, Final, cast

from relive_store import Store

from relive_tracer.explore.conditions import Conditions
from relive_tracer.explore.models import FunctionStats

__all__ = ["BUCKETS", "stats"]

BUCKETS: Final = 20

Sparks = dict[str, tuple[list[int], list[int]]]

_STATS: Final = """
SELECT Function, count(), countIf(IsFailed = 1),
    quantilesTDigestIf(0.5, 0.95, 0.99)(DurationNs, HandlerStartedAt > 0),
    countIf(Cold = 1), toUnixTimestamp64Nano(maxIf(StartedAt, IsFailed = 1)),
    max(PeakRssBytes), argMax(MemoryLimitBytes, StartedAt), toUnixTimestamp64Nano(min(StartedAt))
FROM invocations FINAL
WHERE __WHERE__
GROUP BY Function
ORDER BY Function
"""

_SPARK: Final = """
SELECT Function,
    intDiv(toUnixTimestamp64Nano(StartedAt) - {begin:Int64}, {width:Int64}) AS bucket,
    count(), countIf(IsFailed = 1)
FROM invocations FINAL
WHERE __WHERE__
GROUP BY Function, bucket
"""


def stats(
    store: Store, since_ns: int, until_ns: int = 0, *, function: str = "", query_id: str = ""
) -> list[FunctionStats]:
    """One row for each function that was invoked in the range, by name. `until_ns` 0 means now."""
    until = until_ns or time.time_ns()
    where = Conditions()
    where.text("Function", "function", function)
    where.time_range("StartedAt", since_ns, until)
    rows = list(store.query(where.into(_STATS), where.parameters, query_id=query_id).rows())
    if not rows:
        return []
    begin = since_ns or min(cast(int, row[8]) for row in rows)
    sparks = _sparks(store, where, begin, until)
    seconds = max(until - begin, 1) / 1e9
    return [_stats(row, sparks, seconds) for row in rows]


def _stats(row: tuple[Any, ...], sparks: Sparks, seconds: float) -> FunctionStats:
    name, invocations, errors, quantiles, cold, last_failure, rss, limit, _ = row
    p50, p95, p99 = (0.0 if q != q else q / 1e6 for q in quantiles)  # NaN: none of them reached the handler
    spark, errors_spark = sparks.get(name) or ([0] * BUCKETS, [0] * BUCKETS)
    return FunctionStats(
        name=name,
        invocations=invocations,
        errors=errors,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        cold_starts=cold,
        last_failure_ns=max(last_failure, 0) if errors else 0,
        rps=invocations / seconds,
        max_rss_bytes=rss,
        memory_limit_bytes=limit,
        spark=spark,
        errors_spark=errors_spark,
    )


def _sparks(store: Store, where: Conditions, begin: int, until: int) -> Sparks:
    width = max((until - begin + BUCKETS - 1) // BUCKETS, 1)
    where.parameters |= {"begin": begin, "width": width}
    sparks: Sparks = {}
    for name, bucket, invocations, errors in store.query(where.into(_SPARK), where.parameters).rows():
        totals, failures = sparks.setdefault(cast(str, name), ([0] * BUCKETS, [0] * BUCKETS))
        index = min(max(cast(int, bucket), 0), BUCKETS - 1)
        totals[index] += cast(int, invocations)
        failures[index] += cast(int, errors)
    return sparks
