"""Invocations: pages, counts and single ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions, Page
from relive_tracer.explore.errors import AmbiguousId, InvocationNotFound
from relive_tracer.explore.models import InvocationRow

__all__ = ["ORDERS", "InvocationFilter", "count", "get", "key_of", "page"]

ORDERS: Final = {
    "newest": ("toUnixTimestamp64Nano(StartedAt)", "DESC"),
    "oldest": ("toUnixTimestamp64Nano(StartedAt)", "ASC"),
    "slowest": ("toInt64(DurationNs)", "DESC"),
    "cpu": ("toInt64(CpuNs)", "DESC"),
    "memory": ("toInt64(PeakRssBytes)", "DESC"),
    "queue": ("toInt64(QueueNs)", "DESC"),
}
"""Orders of a page: the key's expression and direction; ties are broken by invocation id and attempt."""

_KEY_FIELDS: Final = {
    "newest": "started_at",
    "oldest": "started_at",
    "slowest": "duration_ns",
    "cpu": "cpu_ns",
    "memory": "peak_rss_bytes",
    "queue": "queue_ns",
}

# First the keys alone, from few columns; then the rows of that page. A page costs the same at any width.
_KEYS: Final = """
SELECT __KEY__ AS key, InvocationId AS id, Attempt AS attempt, toUnixTimestamp64Nano(StartedAt) AS at,
    Function
FROM invocations
WHERE __WHERE__
ORDER BY key __DIRECTION__, id __DIRECTION__, attempt __DIRECTION__
LIMIT 1 BY id, attempt
LIMIT {limit:UInt32} OFFSET {offset:UInt64}
"""

_COLUMNS: Final = """
InvocationId, Attempt, Function, Version, App, CodeHash, Trigger, Status, Cold, Pooled,
StartedAt, EnqueuedAt, DispatchedAt, HandlerStartedAt, HandlerEndedAt, RespondedAt,
QueueNs, InitNs, DurationNs, TotalNs, CpuNs, PeakRssBytes, MemoryLimitBytes, TimeoutNs,
TraceId, SpanId, ParentSpanId, TriggerSpanId, EventId, CallerInvocationId,
ErrorType, ErrorMessage, ErrorKind, ErrorFile, ErrorLine, ErrorFunction, Fingerprint,
HttpMethod, HttpRoute, HttpPath, HttpStatus, WorkerPid, WorkerId, IsolationTier,
Spans, Logs, Dropped, HasScene, EventBytes, ResultBytes
"""

_ROWS: Final = """
SELECT __COLUMNS__
FROM invocations
WHERE __WHERE__
ORDER BY RecordVersion DESC
LIMIT 1 BY InvocationId, Attempt
""".replace("__COLUMNS__", _COLUMNS)

_COUNT: Final = "SELECT count() FROM invocations FINAL WHERE __WHERE__"

_BY_PREFIX: Final = """
SELECT InvocationId AS id, max(Attempt) AS attempt, max(toUnixTimestamp64Nano(StartedAt)) AS at,
    any(Function)
FROM invocations
WHERE __WHERE__
GROUP BY id
ORDER BY at DESC
LIMIT 2
"""

_WINDOWS_NS: Final = (3_600 * 1_000_000_000, 86_400 * 1_000_000_000)
_BOOLEANS: Final = frozenset({8, 9, 47})  # positions of Cold, Pooled, HasScene


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationFilter:
    """Which invocations. Empty means any. `text` is looked for in errors, paths and the beginnings of ids."""

    function: str = ""
    statuses: tuple[str, ...] = ()
    since_ns: int = 0
    until_ns: int = 0
    trigger: str = ""
    version: int = 0
    trace_id: str = ""
    min_duration_ns: int = 0
    text: str = ""
    fingerprint: str = ""
    cold: bool | None = None


def page(
    store: Store,
    filter: InvocationFilter,
    *,
    before: tuple[int, str, int] | None = None,
    after: tuple[int, str, int] | None = None,
    offset: int = 0,
    limit: int = 256,
    order: str = "newest",
    timeout_s: float = 30.0,
    query_id: str = "",
) -> list[InvocationRow]:
    """A page in `order`. `before` (`key_of` the last row) goes on; `after` (of the first) gives rows above.

    With "newest" that reads: before = older, after = newer. Keys stay valid while rows are added; an `offset`
    counts from the current top.
    """
    for since_ns in _windows(filter, order, before, after):
        narrowed = replace(filter, since_ns=since_ns)
        keys = _page_keys(store, narrowed, before, after, offset, limit, order, timeout_s, query_id)
        if since_ns == filter.since_ns or len(keys) >= limit:
            break
    return _rows(store, keys, timeout_s)


def _windows(
    filter: InvocationFilter, order: str, before: tuple[int, str, int] | None, after: object
) -> Iterator[int]:
    """Times since which a page is looked for: in the last hour, of which only granules at the end of each
    function are read; in the last day, as the store keeps each day apart; then in all of the time. So a page
    costs the same however much there is."""
    if order == "newest" and after is None:
        newest_ns = before[0] if before is not None else filter.until_ns or time.time_ns()
        yield from (newest_ns - window for window in _WINDOWS_NS if newest_ns - window > filter.since_ns)
    yield filter.since_ns


def _page_keys(
    store: Store,
    filter: InvocationFilter,
    before: tuple[int, str, int] | None,
    after: tuple[int, str, int] | None,
    offset: int,
    limit: int,
    order: str,
    timeout_s: float,
    query_id: str,
) -> list[tuple[Any, ...]]:
    expression, direction = ORDERS[order]
    where = _conditions(filter)
    if before is not None:
        _beyond(where, expression, "<" if direction == "DESC" else ">", before)
    if after is not None:
        _beyond(where, expression, ">" if direction == "DESC" else "<", after)
        direction = "ASC" if direction == "DESC" else "DESC"
    where.parameters |= {"limit": min(limit, Page.MAX_ROWS), "offset": offset}
    sql = where.into(_KEYS.replace("__KEY__", expression).replace("__DIRECTION__", direction))
    keys = list(store.query(sql, where.parameters, timeout_s=timeout_s, query_id=query_id).rows())
    if after is not None:
        keys.reverse()
    return keys


def count(store: Store, filter: InvocationFilter, *, timeout_s: float = 30.0, query_id: str = "") -> int:
    """How many invocations (attempts) the filter matches."""
    where = _conditions(filter)
    result = store.query(where.into(_COUNT), where.parameters, timeout_s=timeout_s, query_id=query_id)
    return int(str(result.scalar()))


def get(store: Store, id_prefix_or_last: str, *, attempt: int = 0) -> InvocationRow:
    """One invocation by an unambiguous prefix of its id, or the newest ("last"); its last attempt by default.

    Raises InvocationNotFound, AmbiguousId.
    """
    if id_prefix_or_last in ("", "last"):
        found = page(store, InvocationFilter(), limit=1)
        if not found:
            raise InvocationNotFound(
                "no invocation is stored yet", hint="invoke a function: relive invoke NAME"
            )
        return found[0]
    prefix = id_prefix_or_last.lower()
    where = Conditions()
    where.add("startsWith(InvocationId, {prefix:String})", prefix=prefix)
    if attempt:
        where.add("Attempt = {attempt:UInt16}", attempt=attempt)
    ids = list(store.query(where.into(_BY_PREFIX), where.parameters).rows())
    if not ids:
        raise InvocationNotFound(
            f"no invocation's id begins with {prefix!r}", hint="list them: relive invocations"
        )
    if len(ids) > 1 and ids[0][0] != prefix:
        raise AmbiguousId(f"{prefix!r} may mean {ids[0][0]} and {ids[1][0]}", hint="give more of the id")
    invocation_id, last, at, function = ids[0]
    rows = _rows(store, [(0, invocation_id, attempt or last, at, function)], 30.0)
    if not rows:
        raise InvocationNotFound(f"invocation {invocation_id} has just expired")
    return rows[0]


def key_of(row: InvocationRow, order: str = "newest") -> tuple[int, str, int]:
    """Where `row` stands in `order`: for `before` and `after` of `page`."""
    return getattr(row, _KEY_FIELDS[order]), row.invocation_id, row.attempt


def _conditions(filter: InvocationFilter) -> Conditions:
    where = Conditions()
    where.text("Function", "function", filter.function)
    where.time_range("StartedAt", filter.since_ns, filter.until_ns)
    if filter.statuses:
        where.add("has({statuses:Array(String)}, Status)", statuses=list(filter.statuses))
    where.text("Trigger", "trigger", filter.trigger)
    where.text("TraceId", "trace_id", filter.trace_id)
    where.text("Fingerprint", "fingerprint", filter.fingerprint)
    if filter.version:
        where.add("Version = {version:UInt32}", version=filter.version)
    if filter.cold is not None:
        where.add("Cold = {cold:UInt8}", cold=int(filter.cold))
    if filter.min_duration_ns:
        where.add("DurationNs >= {min_duration:UInt64}", min_duration=filter.min_duration_ns)
    if filter.text:
        where.add(
            "(positionCaseInsensitiveUTF8(ErrorMessage, {text:String}) > 0"
            " OR positionCaseInsensitiveUTF8(ErrorType, {text:String}) > 0"
            " OR startsWith(InvocationId, {text:String}) OR startsWith(TraceId, {text:String})"
            " OR positionCaseInsensitiveUTF8(HttpPath, {text:String}) > 0)",
            text=filter.text,
        )
    return where


def _beyond(where: Conditions, expression: str, sign: str, key: tuple[int, str, int]) -> None:
    """Rows strictly on one side of `key`, by the three columns of the order."""
    if expression.endswith("(StartedAt)"):
        # On the bare column too, for the index.
        moment = "fromUnixTimestamp64Nano({key:Int64}, 'UTC')"
        where.add(
            f"StartedAt {sign}= {moment}"
            f" AND toStartOfFiveMinutes(StartedAt) {sign}= toStartOfFiveMinutes({moment})"
        )
    where.add(
        f"({expression} {sign} {{key:Int64}} OR ({expression} = {{key:Int64}}"
        f" AND (InvocationId, Attempt) {sign} ({{key_id:String}}, {{key_attempt:UInt16}})))",
        key=key[0],
        key_id=key[1],
        key_attempt=key[2],
    )


def _rows(store: Store, keys: list[tuple[Any, ...]], timeout_s: float) -> list[InvocationRow]:
    """The whole rows of `keys` (key, id, attempt, started at, function), in that order."""
    if not keys:
        return []
    times = [key[3] for key in keys]
    where = Conditions()
    where.time_range("StartedAt", min(times), max(times) + 1)
    where.add("InvocationId IN {ids:Array(String)}", ids=[key[1] for key in keys])
    # the first column of the table's order: what is of other functions is not looked at
    where.add("Function IN {functions:Array(String)}", functions=sorted({key[4] for key in keys}))
    result = store.query(where.into(_ROWS), where.parameters, timeout_s=timeout_s)
    found = {(row.invocation_id, row.attempt): row for row in map(_row, result.rows())}
    return [found[key[1], key[2]] for key in keys if (key[1], key[2]) in found]


def _row(values: tuple[Any, ...]) -> InvocationRow:
    cells: list[Any] = [bool(v) if i in _BOOLEANS else v for i, v in enumerate(values)]
    return InvocationRow(**dict(zip(_FIELDS, cells, strict=True)))


_FIELDS: Final = tuple(InvocationRow.__dataclass_fields__)
