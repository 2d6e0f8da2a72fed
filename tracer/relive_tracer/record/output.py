"""The way out for log lines: joins them with the current span, applies the output limit, sends at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from relive_base.attributes import Attributes
from relive_base.wire.messages import AnyFrame, LogLine, Logs

from relive_tracer.record.console_order import ConsoleOrder
from relive_tracer.record.interruption import of_signal_handler
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.state import TAIL_LINES, InvocationState, Whereabouts
from relive_tracer.record.text import bounded, encodable

__all__ = ["CLOSE_NS", "Output"]

CLOSE_NS: Final = 10_000_000
"""A line that is at most so much earlier than the one written before it gets a later timestamp than that one;
a time further back is meant: a record of the logging module that waited, or a clock that was set back."""

_DESCRIPTORS = {"stdout": 1, "stderr": 2, "logging": 2}


class Output:
    """Sends lines as they come. Raises nothing of its own; what cannot be sent is counted."""

    def __init__(
        self, send: Callable[[AnyFrame], bool], whereabouts: Whereabouts, limits: TelemetryLimits
    ) -> None:
        self._send = send
        self.whereabouts = whereabouts
        self._limits = limits
        # Reentrant: a signal handler of the user's may print while a line is being written.
        self._lock = threading.RLock()
        self._detached = False
        self.order: ConsoleOrder | None = None

    def detach(self) -> None:
        """In a child that the user's code forked: the socket is the parent's, so lines go to the console."""
        self._lock = threading.RLock()
        self._detached = True

    def lines(self, source: str, severity: str, lines: Sequence[str]) -> None:
        """Record `lines` of one write; each is at most one line long."""
        if self._detached:
            self.to_console(source, "".join(f"{line}\n" for line in lines))
            return
        try:
            state, trace_id, span_id = self.whereabouts()
            waiting = self.order.waiting() if self.order is not None else 0
            before_ns = state.stamped_ns
            now = _moment(state, time.time_ns(), len(lines))
            if waiting and self.order is not None and self.order.mark(waiting, before_ns, now):
                now = _moment(state, time.time_ns(), len(lines))
            if len(lines) == 1:  # as nearly always
                text = lines[0]
                line = LogLine(now, severity, encodable(text), trace_id, span_id, source)
                self._one(state, line, len(text))
                return
            room = self._take(state, [len(line) for line in lines])
            cut = self._limits.frame_lines
            for start in range(0, room, cut):
                part = lines[start : min(start + cut, room)]
                # A nanosecond apart, so that a reader who pages by time never loses one of them.
                self._deliver(
                    state,
                    [
                        LogLine(now + start + i, severity, encodable(x), trace_id, span_id, source)
                        for i, x in enumerate(part)
                    ],
                )
            for i in range(max(room, len(lines) - TAIL_LINES), len(lines)):
                body = bounded(lines[i], self._limits.tail_chars)
                state.keep(LogLine(now + 1 + i, severity, body, trace_id, span_id, source))
        except Exception as error:  # a line that cannot be recorded must never fail the code that wrote it
            self._lost(len(lines))
            if of_signal_handler(error):
                raise

    def record(
        self,
        timestamp_ns: int,
        severity: str,
        body: str,
        attributes: Attributes,
        event_name: str = "",
        *,
        source: str = "logging",
        number: int = 0,
    ) -> None:
        """Record one record of the logging module or of the Logs API, or an event of that name. `number`:
        OpenTelemetry's of its severity, if it is a finer one than its range's first."""
        if self._detached:
            self.to_console("logging", f"{body}\n")
            return
        try:
            state, trace_id, span_id = self.whereabouts()
            stack = attributes.get("exception.stacktrace", "")
            size = len(body) + (len(stack) if type(stack) is str else 0)
            waiting = self.order.waiting() if self.order is not None else 0
            before_ns, now_ns = state.stamped_ns, time.time_ns()
            if now_ns - timestamp_ns < CLOSE_NS:
                timestamp_ns = now_ns  # its own is from before; see `waiting`
            timestamp_ns = _moment(state, timestamp_ns)
            if waiting and self.order is not None and self.order.mark(waiting, before_ns, timestamp_ns):
                timestamp_ns = _moment(state, time.time_ns())
            line = LogLine(
                timestamp_ns, severity, body, trace_id, span_id, source, attributes, event_name, number
            )
            self._one(state, line, size)
        except Exception as error:  # as above
            self._lost(1)
            if of_signal_handler(error):
                raise

    def close(self, state: InvocationState, failed: bool = False) -> None:
        """Tell how many lines the limit cut off, as one last line of the invocation; if it has failed, the
        last ones of them after that."""
        dropped = state.dropped_lines
        if not dropped or self._detached:
            return
        tail = state.take_tail()
        if not failed:
            tail = []
        state.dropped_lines = 0
        state.dropped -= len(tail)
        body = f"{dropped - len(tail)} lines dropped: the output limit of this invocation was reached"
        body += f"; the last {len(tail)} follow" if tail else ""
        at_ns = tail[0].timestamp_ns - 1 if tail else max(time.time_ns(), state.stamped_ns + 1)
        told = LogLine(at_ns, "WARN", body, state.trace_id, state.span_id, "logging")
        frame = Logs(invocation_id=state.invocation_id, lines=[told, *tail], dropped=dropped - len(tail))
        if self._send(frame):
            state.logs += len(tail)
        else:
            state.dropped += 1 + len(tail)

    def _one(self, state: InvocationState, line: LogLine, size: int) -> None:
        """Send one line, in as few steps as can be: in code that has not run for a while each one costs a
        microsecond or two."""
        with self._lock:
            room = state.bytes_left > 0
            if room:
                state.bytes_left -= size + 1
                state.logs += 1
            else:
                state.dropped += 1
                state.dropped_lines += 1
        if room:
            if not self._send(Logs(invocation_id=state.invocation_id, lines=[line])):
                self._unsent(state, 1)
            return
        line.body = bounded(line.body, self._limits.tail_chars)
        line.attributes, line.event_name = {}, ""
        state.keep(line)

    def _take(self, state: InvocationState, sizes: list[int]) -> int:
        """How many of the lines the output limit still allows; counts the rest."""
        with self._lock:
            room = 0
            for size in sizes:
                if state.bytes_left <= 0:
                    break
                state.bytes_left -= size + 1
                room += 1
            state.logs += room
            if room < len(sizes):
                cut = len(sizes) - room
                state.dropped += cut
                state.dropped_lines += cut
            return room

    def _deliver(self, state: InvocationState, lines: list[LogLine]) -> None:
        if not self._send(Logs(invocation_id=state.invocation_id, lines=lines)):
            self._unsent(state, len(lines))

    def _unsent(self, state: InvocationState, count: int) -> None:
        with self._lock:
            state.logs -= count
            state.dropped += count

    def _lost(self, count: int) -> None:
        try:
            self.whereabouts()[0].dropped += count
        except Exception:
            pass  # there is nobody left to tell

    def to_console(self, source: str, text: str) -> None:
        """Write `text` past the wire: the server reads the console, too."""
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[os.write(_DESCRIPTORS[source], data) :]
        except OSError:
            pass  # the console is gone, and with it whoever would have read this


def _moment(state: InvocationState, at_ns: int, count: int = 1) -> int:
    """The timestamp of the first of `count` lines written at `at_ns`: later than the line before it, so that
    sorting by time gives the order of writing, by 2 ns, so that `close` has room between them."""
    if 0 <= state.stamped_ns + 2 - at_ns < CLOSE_NS:
        at_ns = state.stamped_ns + 2
    state.stamped_ns = max(state.stamped_ns, at_ns + count - 1)
    return at_ns
