"""What functions have used: the view `usage` of the store, folded as it is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions

__all__ = ["KEYS", "Usage", "usage"]

KEYS: Final = ("day", "app", "function", "version")

_USAGE: Final = """
SELECT
    __DAY__ AS day, __APP__ AS app, __FUNCTION__ AS name, __VERSION__ AS number,
    sum(Invocations), sum(Attempts), sum(Rejected), sum(Failed), sum(HandlerNs), sum(StartNs), sum(UsedCpuNs),
    sum(GbSeconds), sum(StartGbSeconds), sum(IngressBytes), sum(EgressBytes), max(LargestRssBytes)
FROM usage
WHERE __WHERE__
GROUP BY day, app, name, number
ORDER BY day DESC, app, name, number DESC
LIMIT {limit:UInt32}
"""
_COLUMNS: Final = {
    "day": ("__DAY__", "toString(Day)", "''"),
    "app": ("__APP__", "toString(App)", "''"),
    "function": ("__FUNCTION__", "toString(Function)", "''"),
    "version": ("__VERSION__", "Version", "toUInt32(0)"),
}
_MAX_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Of all attempts of a day, application, function and version; "" and 0 for what is folded. `gb_s`: the
    memory that was reserved times the time of the handlers; `start_gb_s`: of cold starts. `egress_bytes`: of
    answers."""

    day: str
    app: str
    function: str
    version: int
    invocations: int
    attempts: int
    rejected: int
    failed: int
    duration_ns: int
    start_ns: int
    cpu_ns: int
    gb_s: float
    start_gb_s: float
    ingress_bytes: int
    egress_bytes: int
    largest_rss_bytes: int


def usage(
    store: Store,
    by: Sequence[str] = KEYS,
    *,
    since_day: str = "",
    function: str = "",
    limit: int = _MAX_ROWS,
) -> list[Usage]:
    """Rows for each of what `by` names (of KEYS), the newest day first. `since_day`: YYYY-MM-DD, UTC."""
    where = Conditions()
    where.text("Function", "function", function)
    if since_day:
        where.add("Day >= toDate({since_day:String})", since_day=since_day)
    query = where.into(_USAGE)
    for name, (mark, column, none) in _COLUMNS.items():
        query = query.replace(mark, column if name in by else none)
    parameters = {**where.parameters, "limit": min(limit, _MAX_ROWS)}
    rows: list[Any] = list(store.query(query, parameters).rows())
    return [Usage(*row) for row in rows]
