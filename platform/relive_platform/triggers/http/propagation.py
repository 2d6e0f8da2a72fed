"""How a request's trace is carried on: W3C trace context and baggage, or what OTEL_PROPAGATORS names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from relive_base.errors import UsageError
from relive_base.traceparent import parse_traceparent

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.http.connections.head import Head

__all__ = ["Propagation"]

_STATE_CHARS: Final = 512
_BAGGAGE_CHARS: Final = 8_192
_W3C: Final = frozenset(("tracecontext", "baggage"))


class Propagation:
    """One per server. Raises UsageError for a name that nothing installed has."""

    def __init__(self, names: str = "") -> None:
        wanted = [name.strip().lower() for name in names.split(",") if name.strip()] or list(_W3C)
        if "none" in wanted:
            wanted = []
        self._context = "tracecontext" in wanted
        self._baggage = "baggage" in wanted
        self._others = [_load(name) for name in dict.fromkeys(wanted) if name not in _W3C]

    def carry_on(self, request: InvokeRequest, head: Head) -> None:
        """Put what the caller sent along on the request. What is malformed is as if it were not there."""
        special = head.special
        if self._context and "traceparent" in special:
            _w3c(request, special)
        if self._baggage and "baggage" in special:
            request.baggage = special["baggage"].decode("latin-1")[:_BAGGAGE_CHARS]
        if self._others and not request.trace_id:
            carrier: dict[str, str] = {}
            for name, value in head.pairs:
                carrier.setdefault(name, value)
            for other in self._others:
                _extract(request, other, carrier)


def _w3c(request: InvokeRequest, special: Mapping[str, bytes]) -> None:
    found = parse_traceparent(special["traceparent"].decode("latin-1"))
    if found is not None:
        request.trace_id = found.trace_id
        request.parent_span_id = found.span_id
        request.sampled = found.sampled
        request.trace_state = special.get("tracestate", b"").decode("latin-1")[:_STATE_CHARS]


def _extract(request: InvokeRequest, propagator: Any, carrier: dict[str, str]) -> None:
    from opentelemetry import baggage, trace
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.context import Context

    try:
        context = propagator.extract(carrier, Context())
    except Exception:  # a package that does not bear what came: a trace of our own begins
        return
    found = trace.get_current_span(context).get_span_context()
    if found.is_valid and not request.trace_id:
        request.trace_id = f"{found.trace_id:032x}"
        request.parent_span_id = f"{found.span_id:016x}"
        request.sampled = bool(found.trace_flags & 1)
        request.trace_state = found.trace_state.to_header()[:_STATE_CHARS]
    if baggage.get_all(context) and not request.baggage:
        written: dict[str, str] = {}
        W3CBaggagePropagator().inject(written, context)
        request.baggage = written.get("baggage", "")[:_BAGGAGE_CHARS]


def _load(name: str) -> Any:
    found = next(iter(entry_points(group="opentelemetry_propagator", name=name)), None)
    if found is None:
        raise UsageError(
            f"there is no propagator {name!r}",
            where="OTEL_PROPAGATORS",
            hint="tracecontext, baggage and none are built in;"
            f" others come as packages: pip install opentelemetry-propagator-{name.removesuffix('multi')}",
        )
    return found.load()()
