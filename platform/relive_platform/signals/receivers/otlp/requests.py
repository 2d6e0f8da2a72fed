"""Requests of OTLP as rows. What cannot be one is refused and counted, and costs nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from relive_base.redaction.redactor import Redactor
from relive_base.shown_numbers import counted
from relive_tracer.explore.levels import severity_name
from relive_tracer.explore.rows import LOG_COLUMNS, SpanColumns

from relive_platform.signals.kept import DAY_NS, KeptDays
from relive_platform.signals.receivers.otlp.budget import RowBudget, chars_of
from relive_platform.signals.receivers.otlp.limits import OtlpLimits
from relive_platform.signals.receivers.otlp.points import PointRows
from relive_platform.signals.receivers.otlp.values import Texts, hex_id, time_in
from relive_platform.signals.signal import Columns

__all__ = ["Converted", "Converter"]

_KINDS: Final = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUSES: Final = ("Unset", "Ok", "Error")
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
_SAMPLED: Final = 1


@dataclass(slots=True)
class Converted:
    """What became of a request: rows by table, and how many records were refused, by why."""

    tables: list[tuple[str, Columns]] = field(default_factory=list)
    taken: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def message(self) -> str:
        """For the sender."""
        return "; ".join(f"{count} {why}" for why, count in self.refused.items())


class Converter:
    """Of one process. Not thread-safe. Each of its three raises Refused for a request of too large rows."""

    def __init__(
        self,
        redactor: Redactor,
        limits: OtlpLimits,
        clock_ns: Callable[[], int] = time.time_ns,
        kept: KeptDays | None = None,
    ) -> None:
        """`kept`: how long the tables keep rows; what is older is refused."""
        self._texts = Texts(redactor, limits)
        self._limits = limits
        self._clock_ns = clock_ns
        self._kept = kept or KeptDays()
        self._ahead = f"{counted(limits.ahead_days, 'day')} ahead"

    def _service(self, group: Any) -> tuple[str, dict[str, str]]:
        """The name of a resource's service, and its attributes."""
        resource = group.resource
        attributes = self._texts.shared(resource.attributes, resource.dropped_attributes_count)
        return attributes.get("service.name") or "unknown_service", attributes

    def _why_not(self, at_ns: int, table: str, now_ns: int) -> str:
        """Why a table cannot have a row of this time, or ""."""
        if at_ns < now_ns - self._kept.ns_of(table):
            return self._kept.too_old(table)
        return f"more than {self._ahead}" if at_ns > now_ns + self._limits.ahead_days * DAY_NS else ""

    def traces(self, request: Any) -> Converted:
        """Of an ExportTraceServiceRequest."""
        done, out, texts = Converted(), SpanColumns(), self._texts
        budget = RowBudget(self._limits, request.ByteSize())
        now_ns = self._clock_ns()
        last_ns = now_ns + self._limits.ahead_days * DAY_NS
        for group in request.resource_spans:
            service, resource = self._service(group)
            resource_chars = len(service) + chars_of(resource)
            for part in group.scope_spans:
                scope = texts.name(part.scope.name), texts.name(part.scope.version)
                budget.take(len(part.spans), resource_chars + sum(map(len, scope)))
                for span in part.spans:
                    why = self._why_not(span.start_time_unix_nano, "otel_traces", now_ns)
                    if not why and span.end_time_unix_nano > last_ns:
                        why = f"ending more than {self._ahead}"
                    if not why:
                        why = self._span(out, span, service, resource, scope)
                    if why:
                        done.refused[why] += 1
        done.taken = len(out)
        if done.taken:
            done.tables.append(("otel_traces", out.columns))
        return done

    def _span(
        self, out: SpanColumns, span: Any, service: str, resource: dict[str, str], scope: tuple[str, str]
    ) -> str:
        """Add it; why it cannot be, or ""."""
        trace_id, span_id = hex_id(span.trace_id, _TRACE_BYTES), hex_id(span.span_id, _SPAN_BYTES)
        if not trace_id or not span_id:
            return "without a valid trace id and span id"
        texts = self._texts
        types: dict[str, str] = {}
        attributes = texts.attributes(span.attributes, types, "", span.dropped_attributes_count)
        status = span.status
        start_ns = span.start_time_unix_nano
        out.add(
            start_ns,
            max(time_in(span.end_time_unix_nano), start_ns),
            (trace_id, span_id, hex_id(span.parent_span_id, _SPAN_BYTES), texts.name(span.trace_state)),
            texts.name(span.name),
            _of(_KINDS, span.kind),
            service,
            resource,
            attributes,
            _of(_STATUSES, status.code),
            texts.text(status.message) if status.message else "",
            scope[0],
            scope[1],
            self._events(span, types, attributes) if span.events else None,
            self._links(span, types) if span.links else None,
            types,
            sampled=not span.flags or bool(span.flags & _SAMPLED),
        )
        return ""

    def _events(
        self, span: Any, types: dict[str, str], attributes: dict[str, str]
    ) -> tuple[list[object], list[object], list[object]]:
        texts, limit = self._texts, self._limits.events
        dropped = span.dropped_events_count + max(len(span.events) - limit, 0)
        if dropped:
            attributes["otel.dropped_events_count"] = str(dropped)
        events = span.events[:limit]
        return (
            [time_in(event.time_unix_nano) for event in events],
            [texts.name(event.name) for event in events],
            [
                texts.attributes(event.attributes, types, f"event/{i}/", event.dropped_attributes_count)
                for i, event in enumerate(events)
            ],
        )

    def _links(
        self, span: Any, types: dict[str, str]
    ) -> tuple[list[object], list[object], list[object], list[object]]:
        texts = self._texts
        links = span.links[: self._limits.links]
        return (
            [hex_id(link.trace_id, _TRACE_BYTES) for link in links],
            [hex_id(link.span_id, _SPAN_BYTES) for link in links],
            [texts.name(link.trace_state) for link in links],
            [
                texts.attributes(link.attributes, types, f"link/{i}/", link.dropped_attributes_count)
                for i, link in enumerate(links)
            ],
        )

    def logs(self, request: Any) -> Converted:
        """Of an ExportLogsServiceRequest."""
        done, texts = Converted(), self._texts
        rows: list[tuple[object, ...]] = []
        budget = RowBudget(self._limits, request.ByteSize())
        now_ns = self._clock_ns()
        for group in request.resource_logs:
            service, resource = self._service(group)
            for part in group.scope_logs:
                scope = self._scope(part)
                urls = (texts.name(group.schema_url), texts.name(part.schema_url))
                budget.take(len(part.log_records), _chars_of(service, resource, scope, urls))
                for record in part.log_records:
                    at_ns = record.time_unix_nano or record.observed_time_unix_nano or now_ns
                    why = self._why_not(at_ns, "otel_logs", now_ns)
                    if why:
                        done.refused[why] += 1
                    else:
                        rows.append(self._record(record, at_ns, service, resource, scope, urls))
        done.taken = len(rows)
        if rows:
            columns = {
                name: list(column) for name, column in zip(LOG_COLUMNS, zip(*rows, strict=True), strict=True)
            }
            done.tables.append(("otel_logs", columns))
        return done

    def _scope(self, part: Any) -> tuple[str, str, dict[str, str]]:
        scope = part.scope
        texts = self._texts
        return texts.name(scope.name), texts.name(scope.version), texts.shared(scope.attributes)

    def _record(
        self,
        record: Any,
        at_ns: int,
        service: str,
        resource: dict[str, str],
        scope: tuple[str, str, dict[str, str]],
        urls: tuple[str, str],
    ) -> tuple[object, ...]:
        """In the order of LOG_COLUMNS."""
        texts = self._texts
        types: dict[str, str] = {}
        number = record.severity_number if 0 <= record.severity_number <= 24 else 0
        name, number = severity_name(texts.name(record.severity_text), number)
        attributes = texts.attributes(record.attributes, types, "", record.dropped_attributes_count)
        return (
            at_ns, hex_id(record.trace_id, _TRACE_BYTES), hex_id(record.span_id, _SPAN_BYTES),
            record.flags & 0xFF, name, number, service, texts.body(record.body),
            urls[0], resource, urls[1], *scope, attributes,
            texts.name(record.event_name), types,
        )  # fmt: skip

    def metrics(self, request: Any) -> Converted:
        """Of an ExportMetricsServiceRequest."""
        done, texts = Converted(), self._texts
        budget = RowBudget(self._limits, request.ByteSize())
        now_ns = self._clock_ns()
        rows = PointRows(texts, self._limits)
        for group in request.resource_metrics:
            service, resource = self._service(group)
            for part in group.scope_metrics:
                scope = self._scope(part)
                urls = (texts.name(group.schema_url), texts.name(part.schema_url))
                shared_chars = _chars_of(service, resource, scope, urls)
                for metric in part.metrics:
                    table, points = rows.points(metric)
                    told = map(texts.name, (metric.name, metric.description, metric.unit))
                    budget.take(len(points), shared_chars + sum(map(len, told)))
                    for point in points:
                        why = self._why_not(point.time_unix_nano, table, now_ns)
                        if not why:
                            why = rows.add(metric, point, service, resource, scope, urls)
                        if why:
                            done.refused[why] += 1
        done.tables = [(table.table, table.columns) for table in rows.tables.values()]
        done.taken = sum(len(table) for table in rows.tables.values())
        return done


def _chars_of(
    service: str, resource: dict[str, str], scope: tuple[str, str, dict[str, str]], urls: tuple[str, str]
) -> int:
    """That each row of a scope repeats."""
    return len(service) + chars_of(resource) + chars_of(scope[2]) + sum(map(len, (*scope[:2], *urls)))


def _of(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]
