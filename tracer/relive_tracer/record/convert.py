"""A finished span of the SDK as the wire's SpanData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.trace import SpanContext, SpanKind, StatusCode
from relive_base.attributes import Attribute, Attributes
from relive_base.wire.messages import OpenSpan, SpanData, SpanEvent, SpanLink

from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.text import attribute_text, bounded, typed_list

__all__ = ["open_span", "span_attributes", "span_data", "span_events", "span_links", "status_of"]

_LATEST_NS = _LARGEST = (1 << 63) - 1

_KINDS = {
    SpanKind.INTERNAL: "Internal",
    SpanKind.SERVER: "Server",
    SpanKind.CLIENT: "Client",
    SpanKind.PRODUCER: "Producer",
    SpanKind.CONSUMER: "Consumer",
}
_STATUSES = {StatusCode.UNSET: "Unset", StatusCode.OK: "Ok", StatusCode.ERROR: "Error"}


def span_data(span: Any, limits: TelemetryLimits) -> SpanData:
    """`span` (an SDK ReadableSpan) with every text bounded. What the SDK dropped is told in an attribute."""
    context: SpanContext = span.context
    parent: SpanContext | None = span.parent
    status = span.status
    scope = span.instrumentation_scope
    attributes = span_attributes(_plain(span), limits)
    events, links = span.events, span.links
    if len(attributes) >= limits.attributes or len(events) >= limits.events or len(links) >= limits.links:
        _tell_dropped(span, attributes)
    start_ns = _time_ns(span.start_time)
    return SpanData(
        trace_id=format(context.trace_id, "032x"),
        span_id=format(context.span_id, "016x"),
        parent_span_id=format(parent.span_id, "016x") if parent is not None else "",
        name=bounded(_as_text(span.name), limits.name_chars),
        kind=_KINDS.get(span.kind, "Internal"),
        start_ns=start_ns,
        end_ns=max(_time_ns(span.end_time), start_ns),
        status=_STATUSES.get(status.status_code, "Unset"),
        status_message=bounded(_as_text(status.description or ""), limits.value_chars),
        attributes=attributes,
        events=span_events(events, limits),
        links=span_links(links, limits),
        scope=_scope_name(scope, limits),
        scope_version=bounded(_as_text(scope.version or ""), limits.name_chars) if scope is not None else "",
        trace_state=context.trace_state.to_header() if context.trace_state else "",
    )


def open_span(span: Any, limits: TelemetryLimits) -> OpenSpan:
    """What there is to say of `span`, which has not ended."""
    context: SpanContext = span.get_span_context()
    parent: SpanContext | None = span.parent
    return OpenSpan(
        trace_id=format(context.trace_id, "032x"),
        span_id=format(context.span_id, "016x"),
        parent_span_id=format(parent.span_id, "016x") if parent is not None else "",
        name=bounded(_as_text(span.name), limits.name_chars),
        kind=_KINDS.get(span.kind, "Internal"),
        start_ns=_time_ns(span.start_time),
        scope=_scope_name(span.instrumentation_scope, limits),
    )


def status_of(span: Any, limits: TelemetryLimits) -> tuple[str, str]:
    """Status and its message."""
    status = span.status
    message = bounded(_as_text(status.description or ""), limits.value_chars)
    return _STATUSES.get(status.status_code, "Unset"), message


def _scope_name(scope: Any, limits: TelemetryLimits) -> str:
    return bounded(_as_text(scope.name), limits.name_chars) if scope is not None else ""


def _time_ns(value: Any) -> int:
    """The user's own code may give any number, a float too; kept within what a 64-bit time holds."""
    return min(max(int(value or 0), 0), _LATEST_NS)


def _plain(span: Any) -> Mapping[str, object] | None:
    """The attributes as the dict inside: through the SDK's two wrappers each one costs three calls."""
    inner = getattr(getattr(span, "_attributes", None), "_dict", None)
    return inner if type(inner) is dict else span.attributes


def _tell_dropped(span: Any, attributes: Attributes) -> None:
    for name in ("dropped_attributes", "dropped_events", "dropped_links"):
        dropped = getattr(span, name, 0)
        if dropped:
            attributes[f"otel.{name}_count"] = int(dropped)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else f"<{type(value).__name__}>"


def span_attributes(values: Mapping[str, Any] | None, limits: TelemetryLimits) -> Attributes:
    """Names and values, bounded; text, truth values, numbers and flat lists keep their type."""
    if not values:
        return {}
    result: Attributes = {}
    longest = limits.value_chars
    for name, value in values.items():
        if len(result) >= limits.attributes:
            break
        if type(name) is not str or len(name) > limits.name_chars or not name.isascii():
            name = bounded(_as_text(name), limits.name_chars)
        kind: Any = type(value)
        # Short texts and numbers are nearly all there is.
        short = kind is str and len(value) <= longest and value.isascii()
        if short or kind is bool or kind is float or (kind is int and -_LARGEST <= value <= _LARGEST):
            result[name] = value
        else:
            result[name] = _other(value, longest)
    return result


def _other(value: object, longest: int) -> Attribute:
    """A list if it is flat and whole, else text."""
    if type(value) is tuple or type(value) is list:
        items = typed_list(value, longest)
        if items is not None:
            return items
    return attribute_text(value, longest)


def span_events(events: Sequence[Any], limits: TelemetryLimits) -> list[SpanEvent]:
    """Events, bounded."""
    if not events:
        return []
    return [
        SpanEvent(
            _time_ns(event.timestamp),
            bounded(_as_text(event.name), limits.name_chars),
            _event_attributes(event.attributes, limits),
        )
        for event in events[: limits.events]
    ]


def _event_attributes(values: Mapping[str, object] | None, limits: TelemetryLimits) -> Attributes:
    """As `span_attributes`, but a stack trace is cut at its beginning: the end names the error."""
    result = span_attributes(values, limits)
    stack = values.get("exception.stacktrace") if values else None
    if isinstance(stack, str) and len(stack) > limits.value_chars:
        keep = limits.stacktrace_chars - 1
        text = stack if len(stack) <= keep else "…" + stack[-keep:]
        result["exception.stacktrace"] = bounded(text, limits.stacktrace_chars)
    return result


def span_links(links: Sequence[Any], limits: TelemetryLimits) -> list[SpanLink]:
    """Links, bounded."""
    if not links:
        return []
    return [
        SpanLink(
            format(link.context.trace_id, "032x"),
            format(link.context.span_id, "016x"),
            link.context.trace_state.to_header() if link.context.trace_state else "",
            span_attributes(link.attributes, limits),
        )
        for link in links[: limits.links]
    ]
