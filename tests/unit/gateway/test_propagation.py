"""What a request brings along: W3C trace context and baggage, or what OTEL_PROPAGATORS names."""

from __future__ import annotations

import pytest
from relive_base.errors import UsageError
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.http.connections.head import Head, HeadTexts
from relive_platform.triggers.http.propagation import Propagation

TRACE, SPAN = "a" * 32, "b" * 16


def carried(names: str, *headers: tuple[str, str]) -> InvokeRequest:
    """A request with these headers, after the propagation."""
    pairs, special = HeadTexts().headers([(name.encode(), value.encode()) for name, value in headers])
    request = InvokeRequest(function="f")
    Propagation(names).carry_on(request, Head("GET", "/", "", pairs, special, "http", ""))
    return request


W3C = (
    ("Traceparent", f"00-{TRACE}-{SPAN}-00"),
    ("tracestate", "a=1"), ("tracestate", "b=2"),
    ("baggage", "user=42"), ("baggage", "tier=gold"),
)  # fmt: skip


@pytest.mark.parametrize("names", ["", "tracecontext,baggage", " Baggage , TraceContext "])
def test_w3c_is_the_default(names: str) -> None:
    request = carried(names, *W3C)
    assert (request.trace_id, request.parent_span_id, request.sampled) == (TRACE, SPAN, False)
    # A list in several headers is one list.
    assert (request.trace_state, request.baggage) == ("a=1,b=2", "user=42,tier=gold")


def test_each_can_be_left_out() -> None:
    assert (carried("baggage", *W3C).trace_id, carried("baggage", *W3C).baggage) == ("", "user=42,tier=gold")
    assert (carried("tracecontext", *W3C).trace_id, carried("tracecontext", *W3C).baggage) == (TRACE, "")
    assert carried("none", *W3C).trace_id == carried("none", *W3C).baggage == ""


@pytest.mark.parametrize("header", ["", "00-0-0-00", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01"])
def test_what_is_malformed_begins_a_trace_of_our_own(header: str) -> None:
    request = carried("", ("traceparent", header), ("tracestate", "a=1"))
    assert (request.trace_id, request.trace_state, request.sampled) == ("", "", True)


def test_a_name_that_nothing_has_is_an_error() -> None:
    with pytest.raises(UsageError, match="nosuch") as raised:
        Propagation("tracecontext,nosuch")
    assert raised.value.where == "OTEL_PROPAGATORS"


def test_other_formats_come_as_packages() -> None:
    pytest.importorskip("opentelemetry.propagators.b3")
    single = carried("b3", ("b3", f"{TRACE}-{SPAN}-0"))
    assert (single.trace_id, single.parent_span_id, single.sampled) == (TRACE, SPAN, False)
    several = carried("b3multi", ("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Sampled", "1"))
    assert (several.trace_id, several.parent_span_id, several.sampled) == (TRACE, SPAN, True)
    # W3C comes first where both are asked for and there
    both = carried("tracecontext,b3", *W3C, ("b3", f"{'c' * 32}-{SPAN}-1"))
    assert both.trace_id == TRACE
