"""The handler's own span, as the function's code sees it: a span of the SDK that records."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags, TraceState
from relive_base.wire.messages import AnyFrame, SpanData, SpanUpdate

from relive_tracer.record.convert import span_attributes, span_data, span_events, span_links, status_of
from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.state import InvocationState

__all__ = ["InvokeSpan", "SpanSettings"]

_SCOPE: Final = "relive"
_making = threading.RLock()
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)


class SpanSettings:
    """What all invoke spans of a worker have in common. `send` gives False for what could not be sent."""

    def __init__(
        self,
        name: str,
        resource: Resource,
        version: str,
        span_limits: SpanLimits,
        limits: TelemetryLimits,
        send: Callable[[AnyFrame], bool],
    ) -> None:
        self.name = name
        self.resource = resource
        self.scope = InstrumentationScope(_SCOPE, version)
        self.span_limits = span_limits
        self.limits = limits
        self.send = send


class InvokeSpan(Span):
    """Its state is the SDK's, made when something of it is first asked for: most code only wants the ids.

    What is put on it leaves the process at once, so that an order's number is kept even if the process
    dies; after `limits.span_updates` of these, the rest leaves in one piece when the handler ends.
    """

    # Defaults stand on the class: there is one for each request whose framework asks for its context.
    _relive_context: SpanContext | None = None  # once somebody wants the ids
    _relive_made = _relive_ended = _relive_behind = False
    _relive_told = 0

    def __init__(self, state: InvocationState, settings: SpanSettings) -> None:
        # The SDK's own constructor runs in `__getattr__`.
        self._relive_state = state
        self._relive_settings = settings

    def __getattr__(self, name: str) -> Any:
        """Only for what is not there yet: the SDK's state."""
        if self._relive_made or "_relive_settings" not in self.__dict__:
            raise AttributeError(name)
        self._relive_make()
        return getattr(self, name)

    def _relive_make(self) -> None:
        with _making:
            if self._relive_made:
                return
            settings = self._relive_settings
            super().__init__(
                name=settings.name,
                context=self.get_span_context(),
                resource=settings.resource,
                limits=settings.span_limits,
                instrumentation_scope=settings.scope,
            )
            self._start_time = self._relive_state.started_ns
            self._end_time = None
            self._relive_made = True

    def get_span_context(self) -> SpanContext:
        """As in the API."""
        context = self._relive_context
        if context is None:
            context = self._relive_context = _ids_of(self._relive_state)
        return context

    def is_recording(self) -> bool:
        """Until the handler ends."""
        return not self._relive_ended

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """As in the API."""
        super().set_attributes(attributes)
        kept = self.attributes or {}
        self._relive_tell(attributes={name: kept[name] for name in attributes if name in kept})

    def set_attribute(self, key: str, value: Any) -> None:
        """As in the API."""
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """As in the API; `record_exception` comes here too."""
        super().add_event(name, attributes, timestamp)
        self._relive_tell(events=self.events[-1:])

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """As in the API."""
        before = len(self.links)
        super().add_link(context, attributes)
        links = self.links
        self._relive_tell(links=links[before:] if len(links) > before else links[-1:])

    def set_status(self, status: Any, description: str | None = None) -> None:
        """As in the API."""
        super().set_status(status, description)
        self._relive_tell()

    def update_name(self, name: str) -> None:
        """As in the API."""
        super().update_name(name)
        self._relive_tell()

    def end(self, end_time: int | None = None) -> None:
        """As in the API. The platform ends it anyway, when the handler returns."""
        super().end(end_time)
        self._relive_ended = True

    def _relive_tell(self, attributes: Any = None, events: Any = (), links: Any = ()) -> None:
        if self._relive_ended:
            return
        settings = self._relive_settings
        self._relive_told += 1
        if self._relive_told > settings.limits.span_updates:
            self._relive_behind = True
            return
        limits = settings.limits
        try:
            status, message = status_of(self, limits)
            data = self._relive_data(
                status=status,
                status_message=message,
                attributes=span_attributes(attributes, limits),
                events=span_events(events, limits),
                links=span_links(links, limits),
            )
            update = SpanUpdate(invocation_id=self._relive_state.invocation_id, span=data)
            if not settings.send(update):
                self._relive_behind = True
        except Exception as error:  # what cannot be recorded must never fail the code that records it
            self._relive_state.dropped += 1
            if of_signal_handler(error):
                raise

    def _relive_data(self, **fields: Any) -> SpanData:
        state = self._relive_state
        name = self.name
        own = self._relive_settings.name
        return SpanData(
            trace_id=state.trace_id,
            span_id=state.span_id,
            parent_span_id="",
            name="" if name == own else name if type(name) is str else str.__str__(name),
            kind="Internal",
            start_ns=0,
            end_ns=0,
            **fields,
        )

    def finish(self) -> None:
        """The handler has ended: what has not been told is told now, and nothing more can be put on it."""
        if self._relive_ended:
            return
        self._relive_ended = True
        if self._relive_made:
            self._relive_finish()
        # It is the state's, too: the two of them would wait for the garbage collector.
        self._relive_state = self._relive_state.ended()

    def _relive_finish(self) -> None:
        try:
            if self._relive_behind or self.dropped_attributes or self.dropped_events or self.dropped_links:
                whole = span_data(self, self._relive_settings.limits)
                if whole.name == self._relive_settings.name:
                    whole.name = ""
                update = SpanUpdate(invocation_id=self._relive_state.invocation_id, span=whole, whole=True)
                if not self._relive_settings.send(update):
                    self._relive_state.dropped += 1
            super().end()
        except Exception:
            self._relive_state.dropped += 1


def _ids_of(state: InvocationState) -> SpanContext:
    flags = _SAMPLED if state.sampled else _UNSAMPLED
    trace_state = TraceState.from_header([state.trace_state]) if state.trace_state else None
    return SpanContext(int(state.trace_id, 16), int(state.span_id, 16), False, flags, trace_state)
