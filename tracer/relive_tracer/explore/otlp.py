"""Export over OTLP: continuously from the collector's batches, or once for chosen rows."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_tracer.explore.errors import ExportError
from relive_tracer.explore.models import LogRow, SpanRow
from relive_tracer.explore.otlp_messages import (
    column_tuples,
    log_tuples,
    logs_request,
    span_tuples,
    traces_request,
)
from relive_tracer.explore.otlp_metrics import metric_row_dicts, metrics_request
from relive_tracer.explore.otlp_settings import (
    OtlpSettings,
    RetryPolicy,
    SignalSettings,
    endpoint_settings,
)
from relive_tracer.explore.otlp_transport import Answer, Transport, open_transport

__all__ = ["OtlpExporter", "OtlpStats", "export_rows"]

QUEUE_LIMIT: Final = 50_000
BATCH_ROWS: Final = 2_000
_OPTIONAL: Final = frozenset({"logs", "metrics"})
"""Signals that a collector may do without: that it does not take them is no failure."""
_AGAIN_S: Final = 300.0

Rows = Mapping[str, Sequence[object]] | Sequence[SpanRow] | Sequence[LogRow]


@dataclass(frozen=True, slots=True)
class OtlpStats:
    """Rows so far. `failed`: refused by the collector, or out of retries; `dropped`: the queue was full;
    `skipped`: log lines or metrics for a collector that takes none, and `off` says why."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    queued: int = 0
    last_error: str = ""
    skipped: int = 0
    off: str = ""


class OtlpExporter:
    """Sends rows to an OTLP endpoint from a thread of its own.

    `submit` only appends to a bounded queue: a collector that is slow or dead costs its caller nothing. When
    the queue is full the oldest batch is dropped and counted.
    """

    def __init__(
        self,
        endpoint: str = "",
        protocol: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        queue_limit: int = QUEUE_LIMIT,
        *,
        settings: OtlpSettings | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._settings = settings or endpoint_settings(endpoint, protocol, headers, timeout_s)
        self._retry = retry or RetryPolicy()
        self._limit = queue_limit
        self._queue: deque[tuple[str, Rows, int]] = deque()
        self._changed = threading.Condition()
        self._queued = self._sent = self._failed = self._dropped = 0
        self._last_error = ""
        self._skipped = 0
        self._off: dict[str, tuple[str, float]] = {}  # signal -> why it is not sent, and until when
        self._abandoned = False  # closed while a batch was under way
        self._closing_at = 0.0  # monotonic time when the thread must have ended; 0 while open
        # Opened here, so that settings that cannot work are an error of the caller's, not of the thread's.
        self._transports: dict[str, tuple[Transport, SignalSettings]] = {
            name: (open_transport(name, chosen), chosen) for name, chosen in self._settings.signals.items()
        }
        self._random = random.Random()
        self._thread = threading.Thread(target=self._run, name="relive-otlp", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls, env: Mapping[str, str], queue_limit: int = QUEUE_LIMIT) -> OtlpExporter | None:
        """By the standard OTEL_EXPORTER_OTLP_* variables; None if they name no endpoint."""
        settings = OtlpSettings.from_environment(env)
        return cls(settings=settings, queue_limit=queue_limit) if settings is not None else None

    def submit(self, rows: Rows, signal: str = "traces") -> None:
        """Queue `rows`: columns of the signal's table, which must not change any more, or row objects.

        Never blocks, never raises for what the collector does.
        """
        if signal not in self._transports:
            return
        count = _count(rows)
        if not count:
            return
        with self._changed:
            if self._closing_at:
                self._dropped += count
                return
            if self._is_off(signal):
                self._skipped += count
                return
            self._queue.append((signal, rows, count))
            self._queued += count
            while self._queued > self._limit and self._queue:
                _, _, oldest = self._queue.popleft()
                self._queued -= oldest
                self._dropped += oldest
            self._changed.notify()

    def stats(self) -> OtlpStats:
        """What has been counted so far."""
        with self._changed:
            off = "; ".join(f"{signal}: {why}" for signal, (why, _) in self._off.items())
            return OtlpStats(
                self._sent, self._failed, self._dropped, self._queued, self._last_error, self._skipped, off
            )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was submitted has been sent or given up. False when the time was over first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queued, timeout_s)

    def close(self, timeout_s: float = 5.0) -> OtlpStats:
        """Send what is queued for at most `timeout_s`; what is left then counts as dropped."""
        with self._changed:
            if not self._closing_at:
                self._closing_at = time.monotonic() + timeout_s
            self._changed.notify_all()
        self._thread.join(timeout_s)
        for transport, _ in self._transports.values():
            transport.close()  # ends a call under way
        self._thread.join(1.0)
        with self._changed:
            self._abandoned = True
            self._dropped += self._queued
            self._queue.clear()
            self._queued = 0
        return self.stats()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing_at)
                if not self._queue or self._out_of_time():
                    return
                signal, rows, count = self._queue.popleft()
            try:
                self._export(signal, _tuples(signal, rows))
            except Exception as error:  # rows of a wrong shape must not end the export of all others
                self._finished(0, count, f"{type(error).__name__}: {error}")
            finally:
                self._settle(count)

    def _settle(self, count: int) -> None:
        """Whatever became of a batch, it is not queued any more, and each of its rows is counted once."""
        with self._changed:
            if not self._abandoned:
                self._queued -= count
            self._changed.notify_all()

    def _export(self, signal: str, rows: list[Any]) -> None:
        for start in range(0, len(rows), BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            if self._is_off(signal):
                self._skip(len(part))
                continue
            try:
                answer = self._deliver(signal, part)
            except Exception as error:  # a row that protobuf does not take
                answer = Answer(False, 0, f"{type(error).__name__}: {error}")
            if answer.unsupported and signal in _OPTIONAL:
                self._switch_off(signal, answer.message)
                self._skip(len(part))
            elif answer.ok:
                self._off.pop(signal, None)
                rejected = min(answer.rejected, len(part))
                self._finished(len(part) - rejected, rejected, answer.message)
            else:
                self._finished(0, len(part), answer.message)

    def _is_off(self, signal: str) -> bool:
        why = self._off.get(signal)
        return why is not None and time.monotonic() < why[1]

    def _switch_off(self, signal: str, message: str) -> None:
        """The collector has no service for it, as Jaeger has none for logs. Asked again later."""
        with self._changed:
            why = f"not sent, the collector does not take them ({message})"
            self._off[signal] = why, time.monotonic() + _AGAIN_S

    def _skip(self, count: int) -> None:
        with self._changed:
            if not self._abandoned:
                self._skipped += count

    def _finished(self, sent: int, failed: int, message: str) -> None:
        with self._changed:
            if self._abandoned:  # these rows are counted as dropped already
                return
            self._sent += sent
            self._failed += failed
            if message:
                self._last_error = message

    def _deliver(self, signal: str, rows: list[Any]) -> Answer:
        """Send with retries, within the limits of the retry policy and of `close`."""
        transport, settings = self._transports[signal]
        body = _body(signal, rows)
        give_up_at = time.monotonic() + self._retry.total_s
        wait_s = self._retry.first_s
        while True:
            answer = transport.send(body, self._attempt_timeout(settings.timeout_s))
            if answer.ok or not answer.retryable:
                return answer
            self._finished(0, 0, answer.message)
            pause_s = max(wait_s * self._random.uniform(0.5, 1.0), min(answer.retry_after_s, 60.0))
            if time.monotonic() + pause_s > give_up_at or not self._pause(pause_s):
                return answer
            wait_s = min(wait_s * 2, self._retry.longest_s)

    def _attempt_timeout(self, timeout_s: float) -> float:
        if not self._closing_at:
            return timeout_s
        return max(min(timeout_s, self._closing_at - time.monotonic()), 0.05)

    def _pause(self, seconds: float) -> bool:
        """Wait before a retry. False when there is no time left for one."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left := until - time.monotonic()) > 0:
                if self._closing_at and until > self._closing_at:
                    return False
                self._changed.wait(left)
        return not self._out_of_time()

    def _out_of_time(self) -> bool:
        return bool(self._closing_at) and time.monotonic() >= self._closing_at


def export_rows(
    settings: OtlpSettings,
    spans: Sequence[SpanRow] = (),
    logs: Sequence[LogRow] = (),
    *,
    retry: RetryPolicy | None = None,
    timeout_s: float = 60.0,
) -> OtlpStats:
    """Send these rows and wait for it. Raises ExportError if none of them arrived."""
    exporter = OtlpExporter(settings=settings, queue_limit=len(spans) + len(logs) + 1, retry=retry)
    exporter.submit(spans, "traces")
    exporter.submit(logs, "logs")
    stats = exporter.close(timeout_s)
    if not stats.sent and (stats.failed or stats.dropped):
        chosen = settings.traces or settings.logs
        where = chosen.target if chosen is not None else ""
        raise ExportError(
            f"nothing arrived: {stats.last_error or 'no answer in time'}",
            where=where,
            hint="is a collector listening there, and with this protocol (grpc 4317, http 4318)?",
        )
    return stats


def _count(rows: Rows) -> int:
    if isinstance(rows, Mapping):
        return len(next(iter(rows.values()), ()))
    return len(rows)


def _tuples(signal: str, rows: Rows) -> list[Any]:
    if isinstance(rows, Mapping):
        return metric_row_dicts(rows) if signal == "metrics" else column_tuples(signal, rows)
    if signal == "traces":
        return span_tuples(rows)  # type: ignore[arg-type]
    return log_tuples(rows)  # type: ignore[arg-type]


def _body(signal: str, rows: list[Any]) -> bytes:
    if signal == "traces":
        return bytes(traces_request(rows).SerializeToString())
    if signal == "metrics":
        return bytes(metrics_request(rows).SerializeToString())
    return bytes(logs_request(rows).SerializeToString())
