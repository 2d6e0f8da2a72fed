"""How many attempts of the last hours were bad: for objectives and their burn rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions

__all__ = ["failed_counts", "late_counts"]

_NS: Final = 1_000_000_000
_FAILED: Final = """
SELECT
    sumForEach(arrayMap(length -> if(Minute >= toDateTime({now:Int64} - length), Failed, 0), __LENGTHS__)),
    sumForEach(arrayMap(
        length -> if(Minute >= toDateTime({now:Int64} - length), Attempts - Rejected, 0), __LENGTHS__
    ))
FROM invocations_1m
WHERE __WHERE__
"""
_LATE: Final = """
SELECT
    sumForEach(arrayMap(
        length -> StartedAt >= toDateTime({now:Int64} - length) AND DurationNs > {under:UInt64}, __LENGTHS__
    )),
    sumForEach(arrayMap(length -> StartedAt >= toDateTime({now:Int64} - length), __LENGTHS__))
FROM invocations
WHERE __WHERE__
"""

Bad = dict[int, tuple[int, int]]
"""By the length of a window: bad attempts, and all that ran."""


def failed_counts(
    store: Store,
    now_ns: int,
    lengths_s: Sequence[int],
    *,
    app: str = "",
    function: str = "",
    timeout_s: float = 30.0,
) -> Bad:
    """Attempts that failed, to the minute. Raises StoreError."""
    where = _of(app, function)
    now = now_ns // _NS // 60 * 60
    where.add("Minute >= toDateTime({since:Int64})", since=now - max(lengths_s))
    where.parameters |= {"now": now, "lengths": list(lengths_s)}
    return _read(store, where.into(_FAILED), where.parameters, lengths_s, timeout_s)


def late_counts(
    store: Store,
    now_ns: int,
    lengths_s: Sequence[int],
    under_ns: int,
    *,
    app: str = "",
    function: str = "",
    timeout_s: float = 30.0,
) -> Bad:
    """Attempts whose handler took longer than `under_ns`, of those whose began. Raises StoreError."""
    where = _of(app, function)
    now = now_ns // _NS
    where.time_range("StartedAt", (now - max(lengths_s)) * _NS, 0)
    where.add("HandlerStartedAt > 0")
    where.parameters |= {"now": now, "lengths": list(lengths_s), "under": under_ns}
    return _read(store, where.into(_LATE), where.parameters, lengths_s, timeout_s)


def _of(app: str, function: str) -> Conditions:
    where = Conditions()
    where.text("App", "app", app)
    where.text("Function", "function", function)
    return where


def _read(
    store: Store, sql: str, parameters: dict[str, object], lengths_s: Sequence[int], timeout_s: float
) -> Bad:
    sql = sql.replace("__LENGTHS__", "{lengths:Array(UInt32)}")
    rows: list[Any] = list(store.query(sql, parameters, timeout_s=timeout_s).rows())
    if not rows or not rows[0][0]:  # nothing is there at all
        return dict.fromkeys(lengths_s, (0, 0))
    bad, total = rows[0]
    return {length: (int(bad[at]), int(total[at])) for at, length in enumerate(lengths_s)}
