"""Traces: all spans of one, and finding its id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore import invocations
from relive_tracer.explore.conditions import Conditions, Page
from relive_tracer.explore.errors import AmbiguousId, InvocationNotFound, TraceNotFound
from relive_tracer.explore.models import SpanEventRow, SpanLinkRow, SpanRow

__all__ = [
    "MOST_SPANS",
    "extent_ns",
    "goes_on",
    "invocation_spans",
    "resolve",
    "span",
    "spans_since",
    "trace",
    "trace_pages",
]

_SECOND_NS: Final = 1_000_000_000
_FULL_ID = re.compile(r"[0-9a-f]{32}")

_WHEN: Final = """
SELECT toInt64(toUnixTimestamp(min(Start))), toInt64(toUnixTimestamp(max(End))), count()
FROM otel_traces_trace_id_ts
WHERE TraceId = {trace_id:String}
"""

_SPANS: Final = """
SELECT Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
    ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage,
    Events.Timestamp, Events.Name, Events.Attributes,
    Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes, AttributeTypes,
    TraceFlags
FROM otel_traces
WHERE __WHERE__
ORDER BY Timestamp, SpanId
LIMIT {limit:UInt32}
"""

_AFTER: Final = "(Timestamp, SpanId) > (fromUnixTimestamp64Nano({after_ns:Int64}, 'UTC'), {after:String})"

_BY_PREFIX: Final = """
SELECT DISTINCT TraceId FROM otel_traces_trace_id_ts
WHERE startsWith(TraceId, {prefix:String})
LIMIT 2
"""


MOST_SPANS: Final = 200_000
"""Of one trace that is held in memory at once."""
_PAGE: Final = 10_000
_INVOCATION: Final = "SpanAttributes['faas.invocation_id']"


def trace(store: Store, trace_id: str, limit: int = MOST_SPANS, *, timeout_s: float = 30.0) -> list[SpanRow]:
    """The spans of a trace by start time, at most `limit`; [] if there are none. Each span comes once."""
    pages = trace_pages(store, trace_id, limit, timeout_s=timeout_s)
    return [found for spans in pages for found in spans]


def goes_on(store: Store, trace_id: str, spans: Sequence[SpanRow], *, timeout_s: float = 30.0) -> bool:
    """Whether a trace has spans after these, its first ones."""
    if not spans:
        return False
    last = spans[-1].start_ns, spans[-1].span_id
    return bool(_rows(store, trace_id, last, 1, timeout_s))


def trace_pages(
    store: Store, trace_id: str, limit: int, page: int = _PAGE, *, timeout_s: float = 30.0
) -> Iterator[list[SpanRow]]:
    """The same in pages: what reads a page lets other threads run before the next one."""
    seen: set[str] = set()
    after: tuple[int, str] | None = None
    read = 0
    while read < limit:
        rows = _rows(store, trace_id, after, min(page, limit - read), timeout_s)
        spans = []
        for values in rows:
            found = _span(values)
            if found.span_id not in seen:  # a replayed batch may have written it twice
                seen.add(found.span_id)
                spans.append(found)
        yield spans
        read += len(rows)
        if len(rows) < page:
            return
        after = rows[-1][0], rows[-1][2]


def span(store: Store, trace_id: str, span_id: str, *, timeout_s: float = 30.0) -> SpanRow | None:
    """One span of a trace, however many it has."""
    rows = _rows(store, trace_id, None, 1, timeout_s, span_id=span_id)
    return _span(rows[0]) if rows else None


def invocation_spans(
    store: Store, trace_id: str, invocation_id: str, limit: int, *, timeout_s: float = 30.0
) -> list[SpanRow]:
    """The spans of one invocation, by start time, at most `limit`. Each comes once."""
    rows = _rows(store, trace_id, None, limit, timeout_s, invocation_id=invocation_id)
    return list({found.span_id: found for found in map(_span, rows)}.values())


def _rows(
    store: Store, trace_id: str, after: tuple[int, str] | None, limit: int, timeout_s: float, *,
    span_id: str = "", invocation_id: str = "",
) -> list[tuple[Any, ...]]:  # fmt: skip
    """Those after a time and a span id; `span_id`, `invocation_id`: of these only."""
    where = Conditions()
    where.time_range("Timestamp", *extent_ns(store, trace_id))
    where.text("TraceId", "trace_id", trace_id)
    where.text("SpanId", "span_id", span_id)
    where.text(_INVOCATION, "invocation_id", invocation_id)
    if after is not None:
        where.add(_AFTER, after_ns=after[0], after=after[1])
    where.parameters["limit"] = limit
    return list(store.query(where.into(_SPANS), where.parameters, timeout_s=timeout_s).rows())


def extent_ns(store: Store, trace_id: str) -> tuple[int, int]:
    """From when until when a trace has spans; (0, 0) if it is not known."""
    start_s, end_s, known = next(iter(store.query(_WHEN, {"trace_id": trace_id}).rows()))
    # The lookup table counts in whole seconds.
    return (int(str(start_s)) * _SECOND_NS, (int(str(end_s)) + 1) * _SECOND_NS) if known else (0, 0)


def spans_since(
    store: Store, since_ns: int, until_ns: int = 0, *, function: str = "", after_span_id: str = "",
    limit: int = 10_000,
) -> list[SpanRow]:  # fmt: skip
    """Spans that began in [since, until), oldest first, for export.

    To go on: the last span's `start_ns` as `since_ns` and its id as `after_span_id`.
    """
    where = Conditions()
    where.time_range("Timestamp", since_ns, until_ns)
    where.text("ServiceName", "function", function)
    if after_span_id:
        where.add(
            "(toUnixTimestamp64Nano(Timestamp) > {since:Int64} OR SpanId > {after:String})",
            after=after_span_id,
        )
    where.parameters["limit"] = min(limit, Page.MAX_ROWS)
    return [_span(values) for values in store.query(where.into(_SPANS), where.parameters).rows()]


def resolve(store: Store, prefix: str) -> str:
    """The trace id that `prefix` of a trace or invocation id means; "last" is the newest invocation's.

    Raises TraceNotFound, AmbiguousId.
    """
    prefix = prefix.lower()
    if prefix in ("", "last"):
        return invocations.get(store, "last").trace_id
    found = [str(row[0]) for row in store.query(_BY_PREFIX, {"prefix": prefix}).rows()]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousId(f"{prefix!r} may mean {found[0]} and {found[1]}", hint="give more of the id")
    if _FULL_ID.fullmatch(prefix) and trace(store, prefix, limit=1):
        return prefix
    try:
        return invocations.get(store, prefix).trace_id
    except InvocationNotFound:
        raise TraceNotFound(
            f"no trace and no invocation has an id that begins with {prefix!r}",
            hint="list the invocations: relive invocations",
        ) from None


def _span(v: tuple[Any, ...]) -> SpanRow:
    return SpanRow(
        start_ns=v[0],
        trace_id=v[1],
        span_id=v[2],
        parent_span_id=v[3],
        trace_state=v[4],
        name=v[5],
        kind=v[6],
        service=v[7],
        resource=v[8],
        scope=v[9],
        scope_version=v[10],
        attributes=v[11],
        duration_ns=v[12],
        status=v[13],
        status_message=v[14],
        events=tuple(map(SpanEventRow, v[15], v[16], v[17])) if v[15] else (),
        links=tuple(map(SpanLinkRow, v[18], v[19], v[20], v[21])) if v[18] else (),
        types=v[22],
        flags=v[23],
    )
