"""Calls from one function to another, through the platform: the worker's half of `relive.invoke`."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.wire.messages import Call, CallResult, Invoke
from relive_base.wire.sink import FrameSink
from relive_capture.record import find_unserialisable

from relive_runtime.worker.channel import Channel, ChannelClosed
from relive_runtime.worker.outside import Outside
from relive_runtime.worker.start.namesakes import originals

__all__ = ["CallRefused", "Caller", "current_caller", "set_caller"]

_GRACE_S: Final = 1.0
"""How much longer than the call's own timeout the platform may take to say that it timed out."""

_SECOND_NS: Final = 1_000_000_000


class CallRefused(ReliveError):
    """A call to another function could not be made."""


class Caller:
    """One per worker; thread-safe."""

    def __init__(self, sink: FrameSink, channel: Channel, max_depth: int, outside: Outside) -> None:
        self._sink = sink
        self._channel = channel
        self._outside = outside
        self._max_depth = max_depth
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._invoke: Invoke | None = None
        self.find: Callable[[], Invoke | None] | None = None
        """Of whose code calls, if invocations run beside each other."""

    def begin(self, invoke: Invoke | None) -> None:
        """The invocation that calls are made for from now on."""
        self._invoke = invoke

    def forget_event(self) -> None:
        """Keep of the invocation what calls need, and not its event, which may be large."""
        if self._invoke is not None:
            self._invoke = msgspec.structs.replace(self._invoke, event=b"", http=None)

    def extend(self, seconds: float) -> None:
        """Let calls made from now on take so long, whatever is left of the invocation."""
        if self._invoke is not None:
            deadline_ns = time.monotonic_ns() + int(seconds * _SECOND_NS)
            self._invoke = msgspec.structs.replace(self._invoke, deadline_monotonic_ns=deadline_ns)

    def call(
        self,
        function: str,
        payload: object,
        timeout_s: float | None,
        *,
        asynchronous: bool = False,
        idempotency_key: str = "",
    ) -> CallResult:
        """Call and wait for the answer; for an asynchronous call, for the event's acceptance.

        Raises CallRefused: no invocation, too deep, payload not JSON, no answer in time.
        """
        invoke = self._invoke if self.find is None else self.find()
        if invoke is None:
            raise CallRefused("there is no invocation to call from", hint="call inside the handler")
        if invoke.depth >= self._max_depth:
            raise CallRefused(
                f"{function} would be call {invoke.depth + 1} in a chain of calls;"
                f" {self._max_depth} are allowed",
                hint="look for functions that call each other in a circle, or use relive.send",
            )
        left_s = (invoke.deadline_monotonic_ns - time.monotonic_ns()) / _SECOND_NS
        wait_s = min(timeout_s, left_s) if timeout_s is not None else left_s
        with _CallSpan(function) as span:
            trace_id, span_id = span.ids or (invoke.trace_id, invoke.span_id)
            frame = Call(
                call_id=self.next_id(),
                function=function,
                payload=_encode(payload),
                trace_id=trace_id,
                parent_span_id=span_id,
                asynchronous=asynchronous,
                timeout_s=timeout_s or 0.0,
                depth=invoke.depth + 1,
                idempotency_key=idempotency_key,
                trace_state=invoke.trace_state,
                sampled=invoke.sampled,
                baggage=invoke.baggage,
                invocation_id=invoke.invocation_id,
            )
            span.carry_on(frame)
            answer = self._outside.answer(frame) or self._ask(frame, max(wait_s, 0.0) + _GRACE_S)
            span.answered(answer)
            return answer

    def next_id(self) -> int:
        """A number for a question to the server, whose answer is a CallResult."""
        with self._lock:
            return next(self._ids)

    def _ask(self, frame: Call, wait_s: float) -> CallResult:
        began_ns = time.monotonic_ns()
        try:
            answer = self._exchange(frame, wait_s)
        except CallRefused as error:
            self._outside.refused(frame, error.message)
            raise
        self._outside.answered(frame, answer, time.monotonic_ns() - began_ns)
        return answer

    def _exchange(self, frame: Call, wait_s: float) -> CallResult:
        self._channel.expect(frame.call_id)
        if not self._sink.send(frame):
            raise CallRefused(
                f"the call to {frame.function} could not be sent", hint="is the server running?"
            )
        try:
            answer = self._channel.answer(frame.call_id, wait_s)
        except ChannelClosed:
            answer = None
        if answer is None:
            raise CallRefused(
                f"{frame.function} did not answer within {wait_s:.1f} s",
                hint="give the caller a longer timeout_s",
            )
        return answer


class _Current:
    caller: Caller | None = None


_current = _Current()
# The one thing of a worker that the user's code reaches without being handed it: `import relive`.


def set_caller(caller: Caller | None) -> None:
    """Make `relive.invoke` work in this process."""
    _current.caller = caller


def current_caller() -> Caller | None:
    """None outside a worker."""
    return _current.caller


def _encode(payload: object) -> bytes:
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        path, reason = find_unserialisable(payload, "payload", decimals=False)
        raise CallRefused(f"the payload is not JSON: {f'{path}: {reason}' if path else error}") from None


class _CallSpan:
    """A span around the call. `ids`: its trace and span id, None if no OpenTelemetry SDK is installed."""

    def __init__(self, function: str) -> None:
        self._function = function
        self.ids: tuple[str, str] | None = None

    def __enter__(self) -> _CallSpan:
        with originals():
            from opentelemetry import trace

        self._manager = trace.get_tracer("relive").start_as_current_span(
            f"invoke {self._function}",
            # Of an event, too: its PRODUCER span is the one that puts it on the queue.
            kind=trace.SpanKind.CLIENT,
            attributes={"faas.invoked_name": self._function, "faas.invoked_provider": "relive"},
        )
        self._span = self._manager.__enter__()
        context = self._span.get_span_context()
        if context.is_valid:
            self.ids = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        return self

    def carry_on(self, frame: Call) -> None:
        """The trace's state and flag, and the baggage, as the calling code has them by now."""
        from opentelemetry.baggage.propagation import W3CBaggagePropagator

        context = self._span.get_span_context()
        if context.is_valid:
            frame.trace_state = context.trace_state.to_header()
            frame.sampled = bool(context.trace_flags & 1)
        carrier: dict[str, str] = {}
        W3CBaggagePropagator().inject(carrier)
        frame.baggage = carrier.get("baggage", "")

    def answered(self, answer: CallResult) -> None:
        """Note the callee's invocation, and that it failed."""
        with originals():
            from opentelemetry.trace import StatusCode

        if answer.invocation_id:
            self._span.set_attribute("relive.called_invocation_id", answer.invocation_id)
        if not answer.ok:
            message = f"{answer.error.type}: {answer.error.message}" if answer.error else "the call failed"
            self._span.set_status(StatusCode.ERROR, message)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.__exit__(kind, error, trace)
