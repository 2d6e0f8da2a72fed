"""The way out for measurements: joined with the current span and sent at once, so that a process that is
killed in the next moment loses none. From the 1,001st of an invocation on they are added up for 10 ms.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from itertools import islice
from types import GeneratorType
from typing import Any, Final

import opentelemetry.trace as trace_api
from relive_base.attributes import Attributes
from relive_base.wire.messages import AnyFrame, FunctionSpec, LogLine, Logs, MetricData, MetricPoint, Metrics

from relive_tracer.record.asking import Round
from relive_tracer.record.convert import span_attributes
from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.state import InvocationState, Whereabouts
from relive_tracer.record.text import bounded

__all__ = ["Instrument", "Measuring"]

_EXPONENTIAL: Final = "base2_exponential_bucket_histogram"
_AGGREGATION: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
_OBSERVE_EVERY_NS: Final = 1_000_000_000
_SLOW_NS: Final = 100_000_000
"""Callbacks that take longer in all are asked at most once a second, too: an answer waits for them."""
_NO_ATTRIBUTES: Final[Attributes] = {}


class Instrument:
    """What is told of one with each measurement. `kind`: as in MetricData."""

    __slots__ = ("bounds", "description", "exponential", "kind", "name", "scope", "scope_version", "unit")

    def __init__(
        self,
        name: object,
        kind: str,
        unit: object,
        description: object,
        scope: tuple[str, str],
        limits: TelemetryLimits,
        bounds: object = None,
    ) -> None:
        chars = limits.name_chars
        self.name = bounded(name, chars) if isinstance(name, str) else f"<{type(name).__name__}>"
        self.kind = kind
        self.unit = bounded(unit, chars) if isinstance(unit, str) else ""
        self.description = bounded(description, chars) if isinstance(description, str) else ""
        self.scope, self.scope_version = scope
        self.bounds = _floats(bounds)
        self.exponential = kind == "histogram" and _exponential(bounds)

    def data(self, points: list[MetricPoint]) -> MetricData:
        """Its measurements as a message has them."""
        return MetricData(
            self.name,
            self.kind,
            self.unit,
            self.description,
            points,
            self.scope,
            self.scope_version,
            self.bounds,
            self.exponential,
        )


class _Held:
    """Measurements of one invocation that wait for each other."""

    __slots__ = ("points", "since_ns", "values")

    def __init__(self, since_ns: int) -> None:
        self.points: dict[object, tuple[Instrument, MetricPoint]] = {}
        self.values = 0
        self.since_ns = since_ns


class Measuring:
    """Of one worker. Raises nothing of its own; what cannot be sent is counted."""

    def __init__(
        self,
        send: Callable[[AnyFrame], bool],
        spec: FunctionSpec,
        limits: TelemetryLimits,
        where: Whereabouts,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._send = send
        self.limits = limits
        self._where = where
        self._lock = threading.RLock()
        self._held: dict[InvocationState, _Held] = {}
        self._observed: list[tuple[Instrument, list[Any]]] = []
        self._callbacks = 0
        self._totals: dict[object, float] = {}
        self._began_ns = time.time_ns()
        self._clock = clock
        self._asked_ns = 0
        self._slow = False  # the callbacks were, when they were asked last
        self._asking: Round | None = None
        self._limit_ns = spec.observe_limit_ms * 1_000_000
        self.interrupt: Any = None  # as in Meters
        self._detached = False

    def detach(self) -> None:
        """In a child that the user's code forked."""
        self._lock = threading.RLock()
        self._held = {}
        self._detached = True

    def measure(self, instrument: Instrument, value: object, attributes: Any, context: Any) -> None:
        """One measurement, just made."""
        if self._detached:
            return
        try:
            number = _number(value)
            state, trace_id, span_id = self._where()
            if number is None or _is_refused(number, instrument.kind):
                state.dropped += 1
                return
            if context is not None:
                trace_id, span_id = _span_of(context) or (trace_id, span_id)
            kept = span_attributes(attributes, self.limits) if attributes else _NO_ATTRIBUTES
            point = MetricPoint(time.time_ns(), [number], kept, trace_id, span_id)
            with self._lock:
                state.measured += 1
                one_by_one = state.measured <= self.limits.measurements
            if one_by_one:
                self._tell(state, [instrument.data([point])])
            else:
                self._hold(state, instrument, point)
        except Exception as error:  # what cannot be recorded must never fail the code that measures
            if of_signal_handler(error):
                raise

    def _tell(self, state: InvocationState, metrics: list[MetricData]) -> None:
        if not self._send(Metrics(invocation_id=state.invocation_id, metrics=metrics)):
            state.dropped += len(metrics)

    def _hold(self, state: InvocationState, instrument: Instrument, point: MetricPoint) -> None:
        with self._lock:
            held = self._held.get(state)
            if held is None:
                held = self._held[state] = _Held(point.time_ns)
            key = (id(instrument), repr(point.attributes))
            found = held.points.get(key)
            if found is None:
                held.points[key] = (instrument, point)
                held.values += 1
            else:
                held.values += _add(instrument.kind, found[1], point)
            full = held.values >= self.limits.held_measurements
            due = full or point.time_ns - held.since_ns > self.limits.held_measurement_ns
            if due:
                del self._held[state]
        if due:
            self._leave(state, held)

    def _leave(self, state: InvocationState, held: _Held) -> None:
        self._tell(state, [instrument.data([point]) for instrument, point in held.points.values()])

    def observe(self, instrument: Instrument, callbacks: Iterable[Any] | None) -> None:
        """An observable instrument: its callbacks are asked at the end of invocations. Those over the limit
        are not; each is counted."""
        given = list(callbacks or ())
        kept = given[: max(self.limits.observed_callbacks - self._callbacks, 0)]
        self._callbacks += len(kept)
        self._where()[0].dropped += len(given) - len(kept)
        if kept:
            self._observed.append((instrument, kept))

    def finish(self, state: InvocationState, beside: bool) -> None:
        """An invocation has ended."""
        if self._detached:
            return
        try:
            if self._observed:
                now_ns = self._clock()
                asking = self._asking
                if asking is not None:
                    self._say(state, asking.hangs())
                if self._due(beside, now_ns):
                    self._asked_ns = now_ns
                    self._ask(state)
                    self._slow = self._clock() - now_ns > _SLOW_NS
            with self._lock:
                # Of nobody else but who runs beside it, and of threads that went on after their invocation.
                done = [state] if beside else list(self._held)
                left = [(one, held) for one in done if (held := self._held.pop(one, None)) is not None]
            for one, held in left:
                self._leave(one, held)
        except Exception:
            state.dropped += 1

    def _due(self, beside: bool, now_ns: int) -> bool:
        if self._asking is not None:  # in another thread, where one of them hangs
            return False
        return not (beside or self._slow) or now_ns - self._asked_ns > _OBSERVE_EVERY_NS

    def asks_in_thread(self) -> bool:
        """Whether callbacks are due, in a thread in which nothing can interrupt them."""
        return (
            bool(self._observed)
            and not _on_main_thread()
            and not self._detached
            and self._due(True, self._clock())
        )

    def _ask(self, state: InvocationState) -> None:
        """All together have `observe_limit_ms`: an answer, or the worker's next one, waits for them."""
        metrics: list[MetricData] = []
        asking = self._asking = Round(self._clock, self._limit_ns)
        try:
            if self.interrupt is not None and _on_main_thread():
                cut, stop = self.interrupt
                try:
                    cut(lambda: self._ask_each(state, metrics, asking, cuts=True), self._limit_ns)
                except BaseException:  # it came between two of them
                    stop()
                    state.dropped += 1
                    asking.end(False)
            else:
                self._ask_each(state, metrics, asking, cuts=False)
        finally:
            self._asking = None
        if asking.over:
            self._say(state, asking.drop())
        if metrics:
            self._tell(state, metrics)

    def _ask_each(
        self, state: InvocationState, metrics: list[MetricData], asking: Round, *, cuts: bool
    ) -> None:
        from opentelemetry.metrics import CallbackOptions

        options = CallbackOptions(timeout_millis=self._limit_ns / 1e6)
        for instrument, callbacks in self._observed:
            points: list[MetricPoint] = []
            for callback in list(callbacks):
                asking.begin(instrument.name, callbacks, callback)
                raised = False
                try:
                    points += self._points(state, instrument, _observations(callback, options))
                except BaseException:  # the user's own, sys.exit() too; its invocation has ended well
                    state.dropped += 1
                    raised = True
                over = asking.over
                asking.end(cuts and raised and over)
                if over:
                    break
            if points:
                metrics.append(instrument.data(points))
            if asking.over:
                return

    def _say(self, state: InvocationState, text: str) -> None:
        if not text:
            return
        line = LogLine(time.time_ns(), "WARN", text, state.trace_id, state.span_id, "logging")
        if not self._send(Logs(invocation_id=state.invocation_id, lines=[line], dropped=0)):
            state.dropped += 1

    def _points(
        self, state: InvocationState, instrument: Instrument, observations: Iterable[Any]
    ) -> list[MetricPoint]:
        points = []
        for observation in islice(observations, self.limits.held_measurements):
            number = _number(observation.value)
            # What is observed falls back to less where a program has begun anew: that is no negative count.
            if number is None or _is_refused(
                number, "level" if instrument.kind == "counter" else instrument.kind
            ):
                state.dropped += 1
                continue
            attributes = span_attributes(observation.attributes, self.limits)
            if instrument.kind == "counter":
                key = (id(instrument), repr(attributes))
                before = self._totals.get(key, 0)
                self._totals[key] = number
                number = number - before if number >= before else number  # else it began anew
            points.append(MetricPoint(time.time_ns(), [number], attributes, start_ns=self._began_ns))
        return points


def _add(kind: str, to: MetricPoint, point: MetricPoint) -> int:
    """Make one of two; gives how many values that are more."""
    to.start_ns = to.start_ns or to.time_ns
    to.time_ns, to.trace_id, to.span_id = point.time_ns, point.trace_id, point.span_id
    if kind == "histogram":
        to.values += point.values
        return 1
    to.values = point.values if kind == "gauge" else [to.values[0] + point.values[0]]
    return 0


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _observations(callback: Any, options: Any) -> Iterable[Any]:
    if isinstance(callback, GeneratorType):
        if not callback.gi_suspended and callback.gi_frame is not None:
            next(callback, None)  # up to where it waits for its options
        found: Iterable[Any] = callback.send(options)
        return found
    return callback(options) or ()


def _number(value: object) -> int | float | None:
    """A measurement that can be one."""
    if type(value) is float or (type(value) is int and value.bit_length() < 64):
        return value
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _is_refused(number: float, kind: str) -> bool:
    """What OpenTelemetry lets no instrument record: NaN, which is no measurement; an infinity of anything but
    a gauge, as it would be the sum of all; less than nothing of a counter."""
    if number - number == 0:
        return number < 0 and kind == "counter"
    return kind != "gauge" or number != number


def _span_of(context: Any) -> tuple[str, str] | None:
    """Of a context that was given with a measurement."""
    found = trace_api.get_current_span(context).get_span_context()
    if not found.is_valid:
        return None
    return format(found.trace_id, "032x"), format(found.span_id, "016x")


def _floats(bounds: object) -> list[float] | None:
    try:
        return [float(bound) for bound in bounds] if bounds is not None else None  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        return None


def _exponential(bounds: object) -> bool:
    """By the standard variable; an instrument that says its bounds keeps them."""
    return bounds is None and os.environ.get(_AGGREGATION, "").strip().lower() == _EXPONENTIAL
