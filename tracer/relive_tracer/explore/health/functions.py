"""Rate, errors, durations and waiting of each function by minute: the table `invocations_1m`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions
from relive_tracer.explore.health.ranges import Range

__all__ = ["Figures", "FunctionFigures", "figures", "figures_of"]

_SUMS: Final = """
    sum(Attempts), sum(Failed), sum(Rejected), sum(ColdStarts), sum(InitNs), sum(DurationNs), max(LongestNs),
    sum(CpuNs), max(LargestRssBytes), max(MemoryLimitBytes),
    quantilesTDigestMerge(0.5, 0.95, 0.99)(DurationQuantiles),
    quantilesTDigestMerge(0.5, 0.95, 0.99)(WaitedQuantiles),
    argMaxMerge(Exemplar), sumMap(Statuses)
"""
_WHERE: Final = "Minute >= toDateTime({begin:Int64}) AND Minute < toDateTime({until:Int64})"
_TOGETHER: Final = f"""
SELECT {_SUMS}
FROM invocations_1m
WHERE __WHERE__
"""  # noqa: S608 - constants
# A function's whole is made of its buckets: states of quantiles, nearly all of the work, are merged once.
_SERIES: Final = f"""
SELECT Function, intDiv(toUnixTimestamp(Minute) - {{begin:Int64}}, {{width:Int64}}) AS bucket,
    grouping(bucket) AS whole, {_SUMS}
FROM invocations_1m
WHERE __WHERE__
GROUP BY ROLLUP(Function, bucket)
HAVING grouping(Function) = 0
ORDER BY Function, whole DESC, bucket
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the attempts that began in a stretch of time. A quantile is None if no attempt got so far.

    `failed`: neither ok nor rejected; `rejected`: a limit refused it before it ran. `waited_*`: in the queue
    and for a worker, without the cold start. The exemplar is the slowest failed attempt, or the slowest one.
    """

    attempts: int = 0
    failed: int = 0
    rejected: int = 0
    cold_starts: int = 0
    init_ns: int = 0
    duration_ns: int = 0
    longest_ns: int = 0
    cpu_ns: int = 0
    largest_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    waited_p50_ms: float | None = None
    waited_p95_ms: float | None = None
    waited_p99_ms: float | None = None
    exemplar_trace_id: str = ""
    exemplar_invocation_id: str = ""
    statuses: tuple[tuple[str, int], ...] = ()

    @property
    def error_rate(self) -> float | None:
        """Failed attempts of those that ran, 0 to 1; None if none ran."""
        ran = self.attempts - self.rejected
        return self.failed / ran if ran else None


@dataclass(frozen=True, slots=True)
class FunctionFigures:
    """Of one function: the whole range, and its buckets by their numbers; those in which nothing began are
    not there."""

    function: str
    whole: Figures
    buckets: dict[int, Figures]


def figures(
    store: Store, span: Range, *, function: str = "", timeout_s: float = 30.0, query_id: str = ""
) -> list[FunctionFigures]:
    """One for each function that anything of began in `span`, by name. Raises StoreError."""
    where = Conditions()
    where.add(_WHERE, **span.parameters)
    where.text("Function", "function", function)
    series = store.query(where.into(_SERIES), where.parameters, timeout_s=timeout_s, query_id=query_id)
    rows: list[Any] = list(series.rows())
    found: dict[str, FunctionFigures] = {}
    for name, bucket, whole, *values in rows:
        if whole:
            found[name] = FunctionFigures(name, _figures(values), {})
        else:
            found[name].buckets[int(bucket)] = _figures(values)
    return list(found.values())


def figures_of(
    store: Store, span: Range, *, app: str = "", function: str = "", timeout_s: float = 30.0
) -> Figures:
    """Of all functions of an application together, or of one. Raises StoreError."""
    where = Conditions()
    where.add(_WHERE, **span.parameters)
    where.text("App", "app", app)
    where.text("Function", "function", function)
    [row] = store.query(where.into(_TOGETHER), where.parameters, timeout_s=timeout_s).rows()
    return _figures(row)


def _figures(values: Any) -> Figures:
    *counts, durations, waited, exemplar, statuses = values
    quantiles = [_ms(value) for value in (*durations, *waited)]
    cells: Any = (*counts, *quantiles, *exemplar, tuple(sorted(statuses.items())))
    return Figures(*cells)


def _ms(value_ns: float) -> float | None:
    return None if value_ns != value_ns else value_ns / 1e6  # NaN: of none
