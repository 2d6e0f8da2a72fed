"""OpenTelemetry in a worker: a provider whose spans leave the process as they end.

Importing this module imports the SDK, which is the dear part; the zygote does it once (`preload`).
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from typing import Any, NoReturn, cast

import opentelemetry.context as context_api
import opentelemetry.trace as trace_api
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer
from relive_base.ids import new_span_id, new_trace_id
from relive_base.resource import resource_attributes
from relive_base.unseen import UNSEEN
from relive_base.wire.messages import AnyFrame, FunctionSpec, Invoke, OpenSpan, Spans

from relive_tracer.record.aside import FRAMEWORKS, AsideTracer
from relive_tracer.record.convert import open_span, span_data
from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.invoke_span import InvokeSpan, SpanSettings
from relive_tracer.record.limits import FRAMEWORK_SPANS, TelemetryLimits
from relive_tracer.record.meters import Meters
from relive_tracer.record.propagation import Propagation
from relive_tracer.record.state import InvocationState, Where

__all__ = ["Tracing"]


_STATE_KEY = "relive-invocation"
# The key under which the API keeps the current span; asking it is the way that survives a change of its name.
_SPAN_KEY = next(iter(trace_api.set_span_in_context(NonRecordingSpan(SpanContext(1, 1, False)), Context())))
_baggage = W3CBaggagePropagator()
_logger = logging.getLogger("relive")


class _Ids(IdGenerator):
    """Ids from the system's random source: the `random` module's state belongs to the user's code."""

    def generate_span_id(self) -> int:
        return int(new_span_id(), 16)

    def generate_trace_id(self) -> int:
        return int(new_trace_id(), 16)

    def is_trace_id_random(self) -> bool:
        return True


class _RecordEverything(Sampler):
    """Every span is recorded; the caller's sampled flag is handed on as it came."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        parent = trace_api.get_current_span(parent_context).get_span_context()
        sampled = not parent.is_valid or bool(parent.trace_flags & TraceFlags.SAMPLED)
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        return "ReliveRecordEverything"


class _Provider(TracerProvider):
    """The SDK's provider, but a fork of the user's runs no resource detectors (they start threads)."""

    aside: Callable[[str], Tracer | None] | None = None
    """What a framework gets in place of a tracer; None: all get one."""

    def _handle_fork(self) -> None:
        self._tracers_lock = threading.Lock()

    def get_tracer(self, instrumenting_module_name: str, *arguments: Any, **options: Any) -> Tracer:
        """As in the API."""
        found = self.aside(instrumenting_module_name) if self.aside is not None else None
        return found or super().get_tracer(instrumenting_module_name, *arguments, **options)


class InvocationContext:
    """The runtime context of the OpenTelemetry API, with the current invocation as everyone's default.

    A thread that the user's code starts has no context of its own; by default its spans would begin traces of
    their own. Here they become children of the invoke span.
    """

    def __init__(self, settings: SpanSettings) -> None:
        self._settings = settings
        self._variable: ContextVar[Context | InvocationState] = ContextVar("relive_otel_context")
        self.fallback: Context | InvocationState = Context()

    def attach(self, context: Context | InvocationState) -> Token[Context | InvocationState]:
        """As in the API. An invocation stands for its context, which is made when somebody asks for it."""
        return self._variable.set(context)

    def get_current(self) -> Context:
        """As in the API, but the invocation's context if nothing has been attached."""
        current = self._variable.get(None)
        if type(current) is Context:  # frameworks ask several times for each request
            return current
        if type(current) is InvocationState:
            current = self._context_of(current)
            self._variable.set(current)
        elif current is None:
            current = self.fallback
            if type(current) is InvocationState:
                return self._context_of(current)
        return cast(Context, current)

    def detach(self, token: Token[Context | InvocationState]) -> None:
        """As in the API."""
        self._variable.reset(token)

    def invocation(self) -> InvocationState | None:
        """The invocation if its own context is the current one and has not been asked for yet."""
        current = self._variable.get(self.fallback)
        return current if type(current) is InvocationState else None

    def own_span(self, context: contextvars.Context | None = None) -> str:
        """The id of the function's own span that is open here, or in `context`; "" for none, or the invoke
        span. Runs no code of the user's."""
        if context is None:
            current = self._variable.get(self.fallback)
        else:
            current = context.get(self._variable, self.fallback)
        span = current.get(_SPAN_KEY) if type(current) is Context else None
        ids = span._context if isinstance(span, Span) and type(span) is not InvokeSpan else None
        return f"{ids.span_id:016x}" if ids is not None else ""

    def _context_of(self, state: InvocationState) -> Context:
        span = state.span
        if span is None:
            span = state.span = InvokeSpan(state, self._settings)
        context = Context({_SPAN_KEY: span, _STATE_KEY: state})
        if state.baggage:
            context = _baggage.extract({"baggage": state.baggage}, context)
        return context


class _Sender(SpanProcessor):
    """Sends each span when it ends, under the invocation in whose context it was started."""

    def __init__(
        self,
        send: Callable[[AnyFrame], bool],
        limits: TelemetryLimits,
        state_of: Callable[[Context | None], InvocationState],
    ) -> None:
        self._send = send
        self._limits = limits
        self._state_of = state_of
        self._open: dict[int, InvocationState] = {}
        self.untold: dict[int, Span] = {}  # open ones that nothing has been told of
        self._lock = threading.RLock()
        self.detached = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember the invocation: the span may end after it, or in another thread."""
        opened = self._open
        if len(opened) >= self._limits.open_spans:
            try:
                oldest = next(iter(opened))  # most likely it will never be ended
                opened.pop(oldest, None)
                self.untold.pop(oldest, None)
            except (RuntimeError, StopIteration):
                pass  # another thread changed it just now
        span_id = span.context.span_id
        opened[span_id] = self._state_of(parent_context)
        self.untold[span_id] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Convert and send. Raises nothing of its own."""
        if self.detached:
            return
        context = span.context
        state = None
        if context is not None:
            state = self._open.pop(context.span_id, None)
            self.untold.pop(context.span_id, None)
        if state is None:
            state = self._state_of(None)
        try:
            parent = span.parent
            above = self._above(parent) if parent is not None and parent.span_id in self.untold else []
            with self._lock:
                if state.spans >= self._limits.spans:
                    state.dropped += 1
                    return
                state.spans += 1
            data = span_data(span, self._limits)
            if not self._send(Spans(invocation_id=state.invocation_id, spans=[data], open=above)):
                self._failed(state)
        except Exception as error:  # a span that cannot be recorded must never fail the code that made it
            self._failed(state)
            if of_signal_handler(error):
                raise

    def _above(self, parent: SpanContext | None) -> list[OpenSpan]:
        """The open spans from `parent` up that nothing has been told of, each told once."""
        found = []
        while parent is not None and (span := self.untold.pop(parent.span_id, None)) is not None:
            found.append(open_span(span, self._limits))
            parent = span.parent
        return found

    def tell_all(self) -> None:
        """The process ends now: tell of all that is open. Raises nothing of its own."""
        if self.detached:
            return
        try:
            for span_id, span in list(self.untold.items()):
                state = self._open.get(span_id) or self._state_of(None)
                above = self._above(span.get_span_context())
                if above:
                    self._send(Spans(invocation_id=state.invocation_id, spans=[], open=above))
        except Exception:
            return  # the code wants to end, and will

    def tell_open(self, context: SpanContext, state: InvocationState) -> None:
        """Something else names this open span, such as a log line. Raises nothing of its own."""
        try:
            self._send(Spans(invocation_id=state.invocation_id, spans=[], open=self._above(context)))
        except Exception as error:
            if of_signal_handler(error):
                raise

    def _failed(self, state: InvocationState) -> None:
        with self._lock:
            state.spans -= 1
            state.dropped += 1

    def detach(self) -> None:
        """In a child that the user's code forked: the socket is the parent's."""
        self._lock = threading.RLock()
        self._open = {}
        self.untold = {}
        self.detached = True


class Tracing:
    """The OpenTelemetry side of a worker's telemetry."""

    def __init__(
        self,
        send: Callable[[AnyFrame], bool],
        spec: FunctionSpec,
        limits: TelemetryLimits,
        idle: InvocationState,
    ) -> None:
        resource = Resource(_resource(spec))
        span_limits = _span_limits(limits)
        self._context = InvocationContext(
            SpanSettings(spec.name, resource, spec.relive_version, span_limits, limits, send)
        )
        self._state = idle
        self._beside: ContextVar[InvocationState] | None = None
        self._sender = _Sender(send, limits, self._state_of)
        self._token: Token[Context | InvocationState] | None = None
        self._provider = _Provider(
            sampler=_RecordEverything(),
            resource=resource,
            shutdown_on_exit=False,
            id_generator=_Ids(),
            span_limits=span_limits,
        )
        self._propagation = Propagation(spec.environment.get("OTEL_PROPAGATORS") or spec.propagators)
        self._framework_spans = spec.environment.get(FRAMEWORK_SPANS) == "on"
        self._provider.add_span_processor(self._sender)
        self._meters = Meters(send, spec, limits, self.whereabouts)
        self._known: object = self._provider

    def install(self) -> str:
        """Make ours the global provider, in such a way that the user's code can still set its own. Gives what
        of it could not be done, or ""."""
        context_api._RUNTIME_CONTEXT = cast(Any, self._context)
        logging.getLogger("opentelemetry.attributes").addFilter(_tells_news)
        if hasattr(trace_api, "_TRACER_PROVIDER"):
            trace_api._TRACER_PROVIDER = self._provider
        else:
            trace_api.set_tracer_provider(self._provider)
        cast(Any, os)._exit = self._telling_exit(os._exit)
        self._meters.install()
        return self._propagation.install()

    def _telling_exit(self, real: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
        """`os._exit` skips every `finally`: spans that are open would be gone without a word."""

        @wraps(real)
        def _exit(status: int) -> NoReturn:
            self._sender.tell_all()
            with UNSEEN:
                real(status)

        self._real_exit = real
        return _exit

    def begin(self, invoke: Invoke, state: InvocationState) -> None:
        """The invoke span becomes the current span of this thread and the default of all others."""
        self._prepare(invoke, state)
        self._state = self._context.fallback = state
        self._token = self._context.attach(state)

    def _prepare(self, invoke: Invoke, state: InvocationState) -> None:
        provider = getattr(trace_api, "_TRACER_PROVIDER", self._known)
        if provider is not self._known:
            self._join(provider)
        state.sampled = invoke.sampled
        state.trace_state = invoke.trace_state
        state.baggage = invoke.baggage
        state.started_ns = time.time_ns()

    def own_span(self, context: contextvars.Context | None = None) -> str:
        """The function's own span that is open here, or in `context`: see `InvocationContext`."""
        return self._context.own_span(context)

    def tell_apart(self, current: ContextVar[InvocationState]) -> None:
        """Invocations run beside each other: `current` has the one whose code it is."""
        self._beside = current
        if not self._framework_spans:
            self._provider.aside = self._aside

    def _aside(self, name: str) -> Tracer | None:
        return AsideTracer(name, self._invoke_span) if name in FRAMEWORKS else None

    def _invoke_span(self) -> trace_api.Span | None:
        state = self._context.get_current().get(_STATE_KEY)
        return state.span if type(state) is InvocationState else None

    def enter(self, invoke: Invoke, state: InvocationState) -> None:
        """Of an invocation beside others, inside its own context: its span becomes the current one there."""
        self._prepare(invoke, state)
        self._context.attach(state)

    def interrupt_by(
        self, cut: Callable[[Callable[[], object], int], None], stop: Callable[[], None]
    ) -> None:
        """As `Telemetry.interrupt_by`."""
        self._meters.interrupt = cut, stop

    @property
    def asks_in_thread(self) -> bool:
        """As `Telemetry.asks_in_thread`."""
        return self._meters.asks_in_thread

    def leave(self, state: InvocationState) -> None:
        """Such an invocation has ended."""
        if state.span is not None:
            state.span.finish()
        self._meters.finish(state, beside=True)

    def end(self) -> None:
        """This thread's context is again what it was, whatever the user's code left attached."""
        state = self._state
        if state.span is not None:
            state.span.finish()
        self._meters.finish(state)
        token = self._token
        if token is not None:
            self._token = None
            try:
                self._context.detach(token)
            except (ValueError, RuntimeError):  # ended in another context than it began in
                pass

    def whereabouts(self) -> Where:
        """The invocation, trace id and span id of the calling code."""
        own = self._context.invocation()
        if own is not None:
            return own, own.trace_id, own.span_id
        context = self._context.get_current()
        state = context.get(_STATE_KEY)
        if type(state) is not InvocationState:
            state = self._own()
        span = context.get(_SPAN_KEY)
        if span is None or span is state.span:
            return state, state.trace_id, state.span_id
        current = cast(trace_api.Span, span).get_span_context()
        if current.span_id in self._sender.untold:
            self._sender.tell_open(current, state)
        return state, format(current.trace_id, "032x"), format(current.span_id, "016x")

    def _state_of(self, context: Context | None) -> InvocationState:
        if context is None:
            context = self._context.get_current()
        state = context.get(_STATE_KEY)
        return state if type(state) is InvocationState else self._own()

    def _own(self) -> InvocationState:
        """Of code in whose context there is none."""
        return self._state if self._beside is None else self._beside.get(self._state)

    def _join(self, provider: object) -> None:
        """The user's code has set a provider of its own: it stays, and tells us of its spans too."""
        self._known = provider
        add = getattr(provider, "add_span_processor", None)
        try:
            if add is not None:
                add(self._sender)
            _logger.debug(
                "the function has its own TracerProvider; its spans are recorded: %s", add is not None
            )
        except Exception:  # a provider of the user's that does not want us
            _logger.debug("the function's own TracerProvider takes no span processor")

    def detach_child(self) -> None:
        """In a child that the user's code forked."""
        self._sender.detach()
        self._meters.detach()

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        if getattr(trace_api, "_TRACER_PROVIDER", None) is self._provider:
            trace_api._TRACER_PROVIDER = None
        logging.getLogger("opentelemetry.attributes").removeFilter(_tells_news)
        self._propagation.uninstall()
        self._meters.uninstall()
        cast(Any, os)._exit = self._real_exit
        context_api._RUNTIME_CONTEXT = context_api._load_runtime_context()


def _tells_news(record: logging.LogRecord) -> bool:
    """The SDK warns about every attribute over the limit; the span says how many there were."""
    return not str(record.msg).startswith("Attributes dict is full")


def _resource(spec: FunctionSpec) -> dict[str, str]:
    own = spec.environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return resource_attributes(
        spec.name, spec.version, spec.app, spec.code_hash, spec.instance, spec.resource, own,
        sdk_version=sdk_version, distro_version=spec.relive_version,
    )  # fmt: skip


def _span_limits(limits: TelemetryLimits) -> SpanLimits:
    """Counts for the SDK to keep; lengths are cut when the span ends (the SDK would log each cut)."""
    return SpanLimits(
        max_attributes=limits.attributes,
        max_span_attributes=limits.attributes,
        max_event_attributes=limits.attributes,
        max_link_attributes=limits.attributes,
        max_events=limits.events,
        max_links=limits.links,
        max_attribute_length=SpanLimits.UNSET,
        max_span_attribute_length=SpanLimits.UNSET,
    )
