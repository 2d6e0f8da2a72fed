"""What the records say of when functions are invoked, how they start and what memory they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store

__all__ = ["Habits", "habits"]

# Of the newest invocations of each function: idle times that ended with an arrival, but not a timer's.
_GAPS: Final = """
SELECT Function, groupArray(gap) FROM (
    SELECT Function, began, Timer, (began - ended_before) / 1e9 AS gap FROM (
        SELECT Function, Trigger = 'timer' AS Timer, toUnixTimestamp64Nano(StartedAt) AS began,
            max(toUnixTimestamp64Nano(if(HandlerEndedAt > StartedAt, HandlerEndedAt, StartedAt))) OVER (
                PARTITION BY Function ORDER BY StartedAt
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended_before
        FROM (
            SELECT Function, Trigger, StartedAt, HandlerEndedAt FROM invocations
            WHERE StartedAt >= now64() - toIntervalDay({days:UInt32}) AND Status != 'rejected'
            ORDER BY StartedAt DESC LIMIT {rows:UInt32} BY Function
        )
    )
    WHERE ended_before > 0 AND gap >= {least_s:Float64} AND NOT Timer
    ORDER BY began DESC LIMIT {gaps:UInt32} BY Function
)
GROUP BY Function
"""
_COSTS: Final = """
SELECT Function, avgIf(InitNs, Cold = 1 AND InitNs > 0) / 1e9, avgIf(PeakRssBytes, PeakRssBytes > 0)
FROM invocations
WHERE StartedAt >= now64() - toIntervalDay({days:UInt32})
GROUP BY Function
"""
_DAYS: Final = 7
_ROWS: Final = 20_000
_GAP_COUNT: Final = 400
_LEAST_S: Final = 0.1
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Habits:
    """Of one function: its idle times, oldest first; seconds of a start and bytes of memory, 0 if they are
    not known."""

    function: str
    gaps_s: list[float]
    start_s: float
    memory_bytes: float


def habits(store: Store) -> list[Habits]:
    """Of each function that was invoked in the last week. Raises StoreError."""
    given: dict[str, object] = {
        "days": _DAYS,
        "rows": _ROWS,
        "gaps": _GAP_COUNT,
        "least_s": _LEAST_S,
    }
    rows: list[Any] = list(store.query(_GAPS, given, timeout_s=_TIMEOUT_S).rows())
    gaps = {name: [float(gap) for gap in reversed(found)] for name, found in rows}
    costs: list[Any] = list(store.query(_COSTS, {"days": _DAYS}, timeout_s=_TIMEOUT_S).rows())
    return [
        Habits(name, gaps.get(name, []), _known(start_s), _known(memory)) for name, start_s, memory in costs
    ]


def _known(value: float) -> float:
    return 0.0 if value != value else float(value)  # NaN: of none
