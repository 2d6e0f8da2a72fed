"""A worker's telemetry: spans, log records and output lines, each sent when it is finished."""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any

from relive_base.attributes import Attributes
from relive_base.wire.begun import BegunSlot
from relive_base.wire.messages import AnyFrame, FunctionSpec, Invoke

from relive_tracer.record.console_order import ConsoleOrder
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.logs import EMIT_CODE, LoggingSetup, Places, RecordHandler
from relive_tracer.record.noticed import Noticed, NoticedBeside
from relive_tracer.record.output import Output
from relive_tracer.record.state import InvocationState, TelemetryCounts, Where
from relive_tracer.record.streams import LineStream
from relive_tracer.record.text import bounded

if TYPE_CHECKING:
    from contextvars import Context, ContextVar

    from relive_tracer.record.api_logs import ApiLogs
    from relive_tracer.record.tracing import Tracing

__all__ = ["Telemetry", "preload", "rehearse"]


def preload() -> str:
    """Import the OpenTelemetry SDK, in the zygote. Gives why it cannot be had, or "".

    A function may bring its own version of OpenTelemetry; if that does not fit, its invocations run
    without spans of the user's own and everything else is recorded.
    """
    try:
        import relive_tracer.record.api_logs
        import relive_tracer.record.tracing  # noqa: F401
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def rehearse(spec: FunctionSpec) -> None:
    """For the zygote, after `preload`: make once what a worker makes, so that its code has run."""
    try:
        from relive_tracer.record.tracing import Tracing

        Tracing(lambda _frame: True, spec, TelemetryLimits(), InvocationState("", "", "", 0))
    except Exception:
        return  # `preload` says why


class Telemetry:
    """One per worker. `send` must not raise; it gives False for what could not be sent. A signal handler of
    the user's that prints calls it from inside itself: its frame has to wait there.

    `install` once, before the user's code is imported; then `begin` and `end` around each handler call, both
    on the thread that runs the handler. What is recorded before the first `begin` has no invocation (id "").
    """

    def __init__(
        self,
        send: Callable[[AnyFrame], bool],
        spec: FunctionSpec,
        limits: TelemetryLimits | None = None,
        begun: Sequence[BegunSlot] = (),
        beside: bool = False,
    ) -> None:
        """`begun`: where the server finds what stdout and stderr have begun when the process is gone.
        `beside`: invocations run beside each other, by `enter` and `leave`."""
        self._spec = spec
        self._send = send
        self.limits = limits or TelemetryLimits()
        self._state = InvocationState("", "", "", spec.output_limit_bytes)
        self._tracing: Tracing | None = None
        self._interrupt: tuple[Callable[[Callable[[], object], int], None], Callable[[], None]] | None = None
        self._api_logs: ApiLogs | None = None
        self._output = Output(self._send, self._where, self.limits)
        chars = self.limits.line_chars
        self._begun = begun
        out, err = begun or (None, None)
        self.stdout = LineStream("stdout", "INFO", 1, self._output, chars, out)
        self.stderr = LineStream("stderr", "WARN", 2, self._output, chars, err)
        self._current: ContextVar[InvocationState] | None = None
        self.noticed = Noticed()
        if beside:
            from contextvars import ContextVar  # here: no other kind needs it

            self._tell_apart(ContextVar("relive_attempt"))
        places = Places(spec.source, self.limits)
        self._handler = RecordHandler(self._output, self.limits, places, self.noticed)
        self._logging = LoggingSetup(self._handler)
        self._before: tuple[Any, Any] | None = None
        self.failed = False
        """Whether the invocation that runs has failed: then the last lines over the output limit are told."""

    def _tell_apart(self, current: ContextVar[InvocationState]) -> None:
        """What tells is asked whose it is, by the context of its code."""
        self._current = current
        idle = self._state

        def writer() -> Hashable:
            return get_ident(), current.get(idle).invocation_id

        def owner() -> tuple[str, str, str]:
            state = current.get(idle)
            return state.invocation_id, state.trace_id, state.span_id

        self.noticed = NoticedBeside(lambda: current.get(idle).noticed)
        self.stdout.tell_apart(writer, owner)
        self.stderr.tell_apart(writer, owner)

    def order_console(self, descriptor: int) -> None:
        """Mark in the console pipe, which `descriptor` writes to, where lines of Python belong."""
        self._output.order = ConsoleOrder(descriptor)

    def install(self) -> None:
        """Take over stdout, stderr, the root logger and OpenTelemetry's global provider. Never raises."""
        self._before = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = self.stdout, self.stderr
        self.stdout.watch_records(EMIT_CODE, self._handler.from_stream)
        self.stderr.watch_records(EMIT_CODE, self._handler.from_stream)
        self.stdout.watch_text(self.noticed.note_text)
        self.stderr.watch_text(self.noticed.note_text)
        self._logging.install()
        reason = preload()
        if not reason:
            reason = self._install_tracing()
        if reason:
            self._output.lines("logging", "WARN", [f"spans of this function are not recorded: {reason}"])
        os.register_at_fork(after_in_child=_forwarder(weakref.WeakMethod(self._after_fork_in_child)))

    def _install_tracing(self) -> str:
        from relive_tracer.record.api_logs import ApiLogs
        from relive_tracer.record.tracing import Tracing

        try:
            tracing = Tracing(self._send, self._spec, self.limits, self._state)
            missing = tracing.install()
        except Exception as error:  # an SDK that does not fit; the invocations must run all the same
            return f"{type(error).__name__}: {error}"
        if self._interrupt is not None:
            tracing.interrupt_by(*self._interrupt)
        self._tracing = tracing
        if self._current is not None:
            tracing.tell_apart(self._current)
        self._output.whereabouts = tracing.whereabouts
        if missing:
            self._output.lines("logging", "WARN", [missing])
        self._api_logs = ApiLogs(self._output, self.limits, self._handler.handle)
        self._api_logs.install()
        return ""

    def begin(self, invoke: Invoke) -> None:
        """An invocation begins: fresh counters, and the invoke span is the parent of what comes."""
        state = InvocationState(
            invoke.invocation_id, invoke.trace_id, invoke.span_id, self._spec.output_limit_bytes
        )
        self._state = state
        owner = (state.invocation_id, state.trace_id, state.span_id)
        for slot in self._begun:
            slot.owner = owner
        self.failed = False
        self.noticed.begin(invoke.http is not None)
        self._logging.ensure()
        if self._tracing is not None:
            self._tracing.begin(invoke, state)

    def end(self) -> TelemetryCounts:
        """The handler has ended: unfinished lines leave, then the limit's last word. Gives the counts.

        What threads and tasks of the user's code finish later is still sent, under the right invocation.
        """
        self.noticed.begin(False)
        try:
            self.stdout.finish()
            self.stderr.finish()
            self._output.close(self._state, self.failed)
        except Exception:  # what cannot be flushed is lost, the invocation is not
            self._state.dropped += 1
        if self._tracing is not None:
            self._tracing.end()
        return self._state.counts()

    def enter(self, invoke: Invoke) -> InvocationState:
        """An invocation begins beside others. Call it inside the invocation's own context (contextvars)."""
        assert self._current is not None
        state = InvocationState(
            invoke.invocation_id, invoke.trace_id, invoke.span_id, self._spec.output_limit_bytes
        )
        if invoke.http is not None:
            state.noticed = Noticed()
            state.noticed.begin(True)
        self._current.set(state)
        if self._tracing is not None:
            self._tracing.enter(invoke, state)
        return state

    def leave(self, state: InvocationState, failed: bool) -> TelemetryCounts:
        """As `end`, for one that was entered; inside its own context, as well."""
        state.noticed = None
        try:
            if self.stdout.begun_lines or self.stderr.begun_lines:
                self._finish_lines(state.invocation_id)
            if state.dropped_lines:
                self._output.close(state, failed)
        except Exception:  # what cannot be flushed is lost, the invocation is not
            state.dropped += 1
        if self._tracing is not None:
            self._tracing.leave(state)
        return state.counts()

    def _finish_lines(self, invocation_id: str) -> None:
        def mine(writer: Hashable) -> bool:
            return type(writer) is tuple and writer[1] == invocation_id

        self.stdout.finish_of(mine)
        self.stderr.finish_of(mine)

    def interrupt_by(
        self, cut: Callable[[Callable[[], object], int], None], stop: Callable[[], None]
    ) -> None:
        """Callbacks of the user's that are asked on the main thread are called by `cut`, which interrupts
        them after so many ns; after `stop` it does so no more."""
        self._interrupt = cut, stop
        if self._tracing is not None:
            self._tracing.interrupt_by(cut, stop)

    @property
    def asks_in_thread(self) -> bool:
        """Whether the end of an invocation in this thread asks callbacks that nothing can interrupt."""
        return self._tracing is not None and self._tracing.asks_in_thread

    def ensure_logging(self) -> None:
        """Once for the invocations that begin together: the root logger may have lost our handler."""
        self._logging.ensure()

    def current(self) -> InvocationState | None:
        """The invocation whose code this is, of those that run beside each other."""
        return self._current.get(None) if self._current is not None else None

    @property
    def variables(self) -> list[ContextVar[Any]]:
        """What says whose code runs, of those that run beside each other."""
        return [self._current] if self._current is not None else []

    def current_of(self, context: Context) -> InvocationState | None:
        """The same, of a context: of a task, or of what a thread runs."""
        return context.get(self._current) if self._current is not None else None

    @property
    def invocation_id(self) -> str:
        """Of the invocation that runs, or ran last; "" before the first one."""
        if self._current is not None:
            return self._current.get(self._state).invocation_id
        return self._state.invocation_id

    def error(self, body: str, attributes: Attributes) -> None:
        """Record an exception of the user's code, at level ERROR. Never raises; from any thread."""
        chars = self.limits.line_chars
        self._output.record(time.time_ns(), "ERROR", bounded(body, chars), attributes, "exception")

    def event(self, name: str, body: str, attributes: Attributes) -> None:
        """Record an event of ours in the code that runs, at level INFO. Never raises; from any thread."""
        chars = self.limits.line_chars
        self._output.record(time.time_ns(), "INFO", bounded(body, chars), attributes, name)

    @property
    def started_ns(self) -> int:
        """When the invocation that runs, or ran last, began; 0 if that is not known."""
        return self._state.started_ns

    def current_span_id(self) -> str:
        """The span id of the calling code: the parent for a call to another function."""
        return self._output.whereabouts()[2]

    def own_span(self, context: Context | None = None) -> str:
        """The id of the span of the function's own that is open here, or in `context`; "" if there is none.
        Runs no code of the user's."""
        return self._tracing.own_span(context) if self._tracing is not None else ""

    def _where(self) -> Where:
        state = self._state if self._current is None else self._current.get(self._state)
        return state, state.trace_id, state.span_id

    def _after_fork_in_child(self) -> None:
        self._output.detach()
        self.stdout.write_through()
        self.stderr.write_through()
        if self._tracing is not None:
            self._tracing.detach_child()

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        if self._before is not None:
            sys.stdout, sys.stderr = self._before
        self._logging.uninstall()
        if self._tracing is not None:
            self._tracing.uninstall()
        if self._api_logs is not None:
            self._api_logs.uninstall()


def _forwarder(method: weakref.WeakMethod[Callable[[], None]]) -> Callable[[], None]:
    def after_in_child() -> None:
        bound = method()
        if bound is not None:
            bound()

    return after_in_child
