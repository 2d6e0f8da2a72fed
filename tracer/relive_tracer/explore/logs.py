"""Log lines: pages in time, for listings and for following."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions, Page, invocation_since_ns
from relive_tracer.explore.models import LogRow
from relive_tracer.explore.rows import SEVERITY_NUMBERS

__all__ = ["LogFilter", "has_service", "page", "pages"]

_ROWS: Final = """
SELECT Timestamp, SeverityText, Body, ServiceName, InvocationId, TraceId, SpanId, LogAttributes,
    ResourceAttributes, SeverityNumber, EventName, AttributeTypes, TraceFlags
FROM otel_logs
WHERE __WHERE__
ORDER BY Timestamp __DIRECTION__, _part __DIRECTION__, _part_offset __DIRECTION__
LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which lines. Empty means any. `severity` is the least one; `text` is looked for in the body.
    `pattern`: a regular expression (RE2) that the body matches somewhere. `attributes`: name to value."""

    function: str = ""
    invocation_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    severity: str = ""
    text: str = ""
    pattern: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    since_ns: int = 0
    until_ns: int = 0


def page(
    store: Store,
    filter: LogFilter,
    *,
    after_ns: int | None = None,
    before_ns: int | None = None,
    limit: int = 1_000,
    timeout_s: float = 30.0,
    query_id: str = "",
) -> list[LogRow]:
    """At most `limit` lines, oldest first.

    `after_ns`: the first ones later than that (to follow); else the last ones, before `before_ns` if given.
    """
    since = max(filter.since_ns, invocation_since_ns(filter.invocation_id))
    until = filter.until_ns
    if after_ns is not None:
        since = max(since, after_ns + 1)
    if before_ns is not None:
        until = min(until, before_ns) if until else before_ns
    where = Conditions()
    where.time_range("Timestamp", since, until)
    where.text("ServiceName", "function", filter.function)
    where.text("InvocationId", "invocation_id", filter.invocation_id)
    where.text("TraceId", "trace_id", filter.trace_id)
    where.text("SpanId", "span_id", filter.span_id)
    if filter.severity:
        least = SEVERITY_NUMBERS.get(filter.severity.upper(), 0)
        where.add("SeverityNumber >= {severity:UInt8}", severity=least)
    if filter.text:
        where.add("positionCaseInsensitiveUTF8(Body, {text:String}) > 0", text=filter.text)
    if filter.pattern:
        where.add("match(Body, {pattern:String})", pattern=filter.pattern)
    for number, (name, value) in enumerate(filter.attributes.items()):
        # The values alone are what the index knows.
        where.add(
            f"LogAttributes[{{name{number}:String}}] = {{value{number}:String}}"
            f" AND has(mapValues(LogAttributes), {{value{number}:String}})",
            **{f"name{number}": name, f"value{number}": value},
        )
    where.parameters["limit"] = min(limit, Page.MAX_ROWS)
    forward = after_ns is not None
    sql = where.into(_ROWS.replace("__DIRECTION__", "ASC" if forward else "DESC"))
    result = store.query(sql, where.parameters, timeout_s=timeout_s, query_id=query_id)
    rows = [_row(values) for values in result.rows()]
    if not forward:
        rows.reverse()
    return rows


def has_service(store: Store, name: str) -> bool:
    """Whether a program of this name has sent lines, be it a function or not."""
    found = store.query("SELECT 1 FROM otel_logs WHERE ServiceName = {name:String} LIMIT 1", {"name": name})
    return len(found) > 0


def pages(store: Store, filter: LogFilter, limit: int = 5_000) -> Iterator[list[LogRow]]:
    """All lines that `filter` lets through, oldest first, each once, at most `limit` at a time."""
    begin = filter.since_ns
    while True:
        rows = page(store, filter, after_ns=begin - 1, limit=limit)
        if len(rows) < limit:
            if rows:
                yield rows
            return
        last = rows[-1].timestamp_ns
        # Lines of one moment stay together: those of the last one may go on in the next page.
        whole = [row for row in rows if row.timestamp_ns < last]
        yield whole or rows
        begin = last if whole else last + 1


def _row(values: tuple[Any, ...]) -> LogRow:
    attributes: dict[str, str] = values[7]
    return LogRow(
        timestamp_ns=values[0],
        severity=values[1],
        body=values[2],
        function=values[3],
        invocation_id=values[4],
        trace_id=values[5],
        span_id=values[6],
        source=attributes.get("relive.source", ""),
        attributes=attributes,
        resource=values[8],
        severity_number=values[9],
        event_name=values[10],
        types=values[11],
        flags=values[12],
    )
