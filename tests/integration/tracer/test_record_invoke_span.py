"""The current span of a handler is its invoke span, and records: in a real process over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from relive_base.wire.messages import SpanUpdate

Run = Callable[..., Any]


def test_the_current_span_records(run_worker: Run) -> None:
    # Given a handler that puts on its current span whatever the API has
    recorded = run_worker("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import ReadableSpan
        telemetry.begin(invoke(7))
        span = trace.get_current_span()
        tell((span.is_recording(), isinstance(span, ReadableSpan), trace.get_current_span() is span))
        span.set_attribute("order.id", 41)
        span.set_attributes({"vip": True, "total": 9.5, "skus": ["a", "b"], "note": "x"})
        span.set_attribute("order.id", 42)
        span.add_event("priced", {"rules": 3})
        span.add_link(trace.SpanContext(5, 6, True), {"why": "retry"})
        span.update_name("checkout order")
        try:
            raise KeyError("sku")
        except KeyError as error:
            span.record_exception(error)
        span.set_status(trace.StatusCode.ERROR, "no stock")
        tell((span.name, dict(span.attributes)["order.id"], span.get_span_context().span_id))
        with trace.get_tracer("t").start_as_current_span("own"):
            pass
        tell(telemetry.end())
        span.set_attribute("late", 1)
        tell(span.is_recording())
    """)
    # I expect all of it, with its types, told of under the platform's own ids
    span = recorded.invoke_span
    assert (span.trace_id, span.span_id) == (f"{7:032x}", f"{7:016x}")
    assert span.attributes == {
        "order.id": 42,
        "vip": True,
        "total": 9.5,
        "skus": ["a", "b"],
        "note": "x",
    }
    assert [event.name for event in span.events] == ["priced", "exception"]
    assert span.events[0].attributes == {"rules": 3}
    assert span.events[1].attributes["exception.type"] == "KeyError"
    assert [(link.span_id, link.attributes) for link in span.links] == [(f"{6:016x}", {"why": "retry"})]
    assert (span.name, span.status, span.status_message) == ("checkout order", "Error", "no stock")
    assert recorded.span("own").parent_span_id == f"{7:016x}"
    first, second, *_ = recorded.console.splitlines()
    assert first == "(True, True, True)"
    assert second == "('checkout order', 42, 7)"
    assert recorded.console.splitlines()[-1] == "False"


def test_what_is_put_on_it_is_kept_where_the_process_dies(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke())
        trace.get_current_span().set_attribute("order.id", 42)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert recorded.returncode == -9
    assert recorded.invoke_span.attributes == {"order.id": 42}


def test_a_flood_of_updates_leaves_in_one_piece(run_worker: Run) -> None:
    # Given more of everything than a span may have
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke())
        span = trace.get_current_span()
        for number in range(1_000):
            span.set_attribute(f"a{number}", number)
            span.add_event(f"e{number}")
        tell(telemetry.end())
    """)
    # I expect few frames, the newest of everything, and to be told what is gone
    updates = [f for f in recorded.frames if isinstance(f, SpanUpdate)]
    assert len(updates) <= 130
    span = recorded.invoke_span
    assert span.attributes["a999"] == 999
    assert (len(span.attributes), len(span.events)) <= (128 + 3, 128)
    assert span.events[-1].name == "e999"


def test_what_nobody_asks_for_costs_no_frame(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke())
        trace.get_current_span().get_span_context()
        with trace.get_tracer("t").start_as_current_span("own"):
            pass
        telemetry.end()
    """)
    assert not [f for f in recorded.frames if isinstance(f, SpanUpdate)]


def test_each_invocation_has_its_own_also_in_threads(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        for number in (1, 2):
            telemetry.begin(invoke(number))
            work = lambda: trace.get_current_span().set_attribute("n", number)
            thread = threading.Thread(target=work); thread.start(); thread.join()
            telemetry.end()
    """)
    told = [(f.invocation_id, f.span.span_id, f.span.attributes) for f in recorded.frames]
    assert told == [
        ("invocation-1", f"{1:016x}", {"n": 1}),
        ("invocation-2", f"{2:016x}", {"n": 2}),
    ]


def test_its_resource_says_who_and_where_it_is(run_worker: Run) -> None:
    recorded = run_worker(
        """
        from opentelemetry import trace
        telemetry.begin(invoke())
        tell(dict(trace.get_current_span().resource.attributes))
        telemetry.end()
    """,
        env={"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod%20eu,service.name=other,broken"},
    )
    resource = eval(recorded.console)  # a dict of texts that the test itself printed
    assert resource["deployment.environment.name"] == "prod eu"
    assert resource["service.name"] == "shop"
    assert resource["service.instance.id"] == resource["faas.instance"] == "w-1"
    assert (resource["telemetry.sdk.name"], resource["telemetry.sdk.language"]) == ("opentelemetry", "python")
    assert resource["telemetry.sdk.version"]
    assert resource["host.name"]
    assert "broken" not in resource


def test_baggage_state_and_flag_are_the_handlers_own_context(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import baggage, propagate, trace
        telemetry.begin(invoke(7, baggage="user=42,tier=gold%20plus", trace_state="v=1", sampled=False))
        tell(dict(baggage.get_all()))
        carrier = {}
        propagate.inject(carrier)
        tell(carrier)
        tell(trace.get_current_span().is_recording())
        telemetry.end()
        telemetry.begin(invoke(8))
        tell(dict(baggage.get_all()))
    """)
    first, second, recording, other = recorded.console.splitlines()
    assert eval(first) == {"user": "42", "tier": "gold plus"}
    carried = eval(second)
    assert carried["traceparent"] == f"00-{7:032x}-{7:016x}-00"
    assert carried["tracestate"] == "v=1"
    assert set(carried["baggage"].split(",")) == {"user=42", "tier=gold+plus"}
    assert recording == "True"
    assert other == "{}"


@pytest.mark.parametrize(
    ("names", "headers"),
    [("tracecontext,baggage", {"traceparent", "baggage"}), ("baggage", {"baggage"}), ("none", set())],
)
def test_the_functions_propagators(run_worker: Run, names: str, headers: set[str]) -> None:
    recorded = run_worker(
        """
        from opentelemetry import propagate
        telemetry.begin(invoke(7, baggage="user=42"))
        carrier = {}
        propagate.inject(carrier)
        tell(sorted(carrier))
        telemetry.end()
    """,
        env={"OTEL_PROPAGATORS": names},
    )
    assert set(eval(recorded.console)) == headers
    assert not recorded.bodies


def test_a_propagator_that_is_not_there_is_said(run_worker: Run) -> None:
    recorded = run_worker("telemetry.begin(invoke())", env={"OTEL_PROPAGATORS": "tracecontext,nosuch"})
    (said,) = recorded.bodies
    assert "OTEL_PROPAGATORS" in said
    assert "nosuch" in said
