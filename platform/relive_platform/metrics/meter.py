"""Counts the attempts that have ended, by function: OpenTelemetry's metrics of functions as a service.

An attempt costs some 3 us here, so a server has a meter only if somebody reads it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from relive_base.records import InvocationRecord

from relive_platform.metrics.families import (
    COUNTER,
    HISTOGRAM,
    Exemplar,
    Family,
    HistogramPoint,
    NumberPoint,
    attributes,
)

__all__ = ["OTHER", "Meter"]

MAX_FUNCTIONS: Final = 1_000
OTHER: Final = "_other"
"""Stands for all functions above MAX_FUNCTIONS: a label has no more values than that."""

SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
)  # fmt: skip
BYTES: Final = tuple(float(1 << power) for power in range(24, 34))  # 16 MiB to 8 GiB
_NOT_COUNTED: Final = ("ok", "rejected")


class _Histogram:
    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.exemplars: list[tuple[str, float, int] | None] = [None] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float, trace_id: str, time_ns: int) -> None:
        at = bisect_left(self.bounds, value)
        self.counts[at] += 1
        self.total += value
        if trace_id:
            self.exemplars[at] = (trace_id, value, time_ns)

    def point(self, name: str) -> HistogramPoint:
        return HistogramPoint(
            attributes(faas__name=name),
            self.bounds,
            tuple(self.counts),
            self.total,
            tuple(Exemplar(*found) if found else None for found in self.exemplars),
        )


class _Function:
    __slots__ = (
        "coldstarts",
        "cpu",
        "duration",
        "errors",
        "init",
        "invocations",
        "memory",
        "rejected",
        "waited",
    )

    def __init__(self) -> None:
        self.invocations: Counter[str] = Counter()  # by trigger
        self.errors: Counter[str] = Counter()  # by status
        self.rejected = 0
        self.coldstarts = 0
        self.duration = _Histogram(SECONDS)
        self.waited = _Histogram(SECONDS)
        self.init = _Histogram(SECONDS)
        self.cpu = _Histogram(SECONDS)
        self.memory = _Histogram(BYTES)


_HISTOGRAMS: Final = (
    ("faas.invoke_duration", "s", "Time of the handler.", "duration"),
    ("faas.init_duration", "s", "Time of a cold start.", "init"),
    ("faas.cpu_usage", "s", "CPU time of an attempt.", "cpu"),
    ("faas.mem_usage", "By", "Largest memory of an attempt.", "memory"),
    ("relive.waited", "s", "Time in the queue and for a worker, without the cold start.", "waited"),
)


class Meter:
    """On the event loop: `observe` is called with every attempt that has ended, `read` when somebody asks."""

    def __init__(self, max_functions: int = MAX_FUNCTIONS) -> None:
        self._max = max_functions
        self._functions: dict[str, _Function] = {}

    def observe(self, record: InvocationRecord) -> None:
        """An attempt with its last word in."""
        found = self._functions.get(record.function) or self._new(record.function)
        if record.status == "rejected":
            found.rejected += 1
            return
        found.invocations[record.trigger] += 1
        trace_id = record.trace_id if record.sampled else ""  # an exemplar leads to a trace that is kept
        time_ns = record.responded_ns or record.ended_ns or record.accepted_ns
        if record.status not in _NOT_COUNTED:
            found.errors[record.status] += 1
        if record.cold:
            found.coldstarts += 1
            found.init.observe(record.init_ns / 1e9, trace_id, time_ns)
        if record.started_ns:
            found.duration.observe(record.duration_ns / 1e9, trace_id, time_ns)
            found.cpu.observe(record.cpu_ns / 1e9, trace_id, time_ns)
            if record.peak_rss_bytes:
                found.memory.observe(float(record.peak_rss_bytes), trace_id, time_ns)
        if record.dispatched_ns:
            found.waited.observe(record.queue_ns / 1e9, trace_id, time_ns)

    def _new(self, name: str) -> _Function:
        if len(self._functions) >= self._max:
            name = OTHER
            if name in self._functions:
                return self._functions[name]
        made = self._functions[name] = _Function()
        return made

    def read(self) -> list[Family]:
        """Everything counted so far."""
        ordered = sorted(self._functions.items())
        counters = [
            _counter("faas.invocations", "Attempts that ran, by what set them off.", ordered, _by_trigger),
            _counter("faas.errors", "Attempts that failed, by how.", ordered, _by_status),
            _counter("faas.timeouts", "Attempts that took too long.", ordered, _timeouts),
            _counter("faas.coldstarts", "Attempts that a worker was started for.", ordered, _coldstarts),
            _counter("relive.rejected", "Attempts that a limit refused before they ran.", ordered, _rejected),
        ]
        histograms = [
            Family(
                name,
                HISTOGRAM,
                unit,
                doc,
                histograms=[getattr(one, field).point(function) for function, one in ordered],
            )
            for name, unit, doc, field in _HISTOGRAMS
        ]
        return [*counters, *histograms]


def _counter(
    name: str,
    doc: str,
    functions: Sequence[tuple[str, _Function]],
    points: Callable[[str, _Function], list[NumberPoint]],
) -> Family:
    found = [point for function, one in functions for point in points(function, one)]
    return Family(name, COUNTER, "1", doc, numbers=found)


def _by_trigger(name: str, one: _Function) -> list[NumberPoint]:
    found = sorted(one.invocations.items())
    return [NumberPoint(attributes(faas__name=name, faas__trigger=key), value) for key, value in found]


def _by_status(name: str, one: _Function) -> list[NumberPoint]:
    found = sorted(one.errors.items())
    return [NumberPoint(attributes(faas__name=name, error__type=key), value) for key, value in found]


def _timeouts(name: str, one: _Function) -> list[NumberPoint]:
    return [NumberPoint(attributes(faas__name=name), one.errors["timeout"])]


def _coldstarts(name: str, one: _Function) -> list[NumberPoint]:
    return [NumberPoint(attributes(faas__name=name), one.coldstarts)]


def _rejected(name: str, one: _Function) -> list[NumberPoint]:
    return [NumberPoint(attributes(faas__name=name), one.rejected)]
