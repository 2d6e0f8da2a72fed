"""The handler's own span, as frameworks ask for it in each request."""

from __future__ import annotations

import weakref
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits
from relive_tracer.record.invoke_span import InvokeSpan, SpanSettings
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.state import InvocationState


class _State(InvocationState):
    """One that can be seen to go."""

    __slots__ = ("__weakref__",)


def _span() -> tuple[InvokeSpan, _State]:
    told: list[Any] = []

    def send(frame: Any) -> bool:
        told.append(frame)
        return True

    settings = SpanSettings("f", Resource({}), "1", SpanLimits(), TelemetryLimits(), send)
    state = _State("i-1", "a" * 32, "b" * 16, 1_000)
    state.started_ns, state.trace_state, state.sampled = 5, "vendor=1", False
    state.span = InvokeSpan(state, settings)
    return state.span, state


def test_it_leaves_nothing_for_the_garbage_collector() -> None:
    # Given a request whose framework has asked for its context, and then ends
    span, state = _span()
    span.finish()
    # Then the two are gone as soon as nobody has them
    gone = weakref.ref(state)
    del span, state
    assert gone() is None


def test_its_ids_can_be_asked_for_before_and_after_its_end() -> None:
    span, _ = _span()
    first = span.get_span_context()
    span.finish()
    for ids in (first, span.get_span_context()):
        assert (f"{ids.trace_id:032x}", f"{ids.span_id:016x}") == ("a" * 32, "b" * 16)
        assert (int(ids.trace_flags), ids.trace_state.get("vendor"), ids.is_remote) == (0, "1", False)


def test_what_is_first_asked_for_after_its_end_is_there() -> None:
    # Given a thread that goes on behind the handler
    span, _ = _span()
    span.finish()
    # Then it finds a span that has ended
    assert (span.name, span.start_time, span.is_recording()) == ("f", 5, False)
    span.set_attribute("too", "late")
    assert not hasattr(span, "nothing_of_a_span")
