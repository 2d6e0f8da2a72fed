"""Which invocations of a function keep their own spans, decided when they have ended: all that failed, were
slow or of a rare kind, and a share of the rest. What is kept of the rest says how many it stands for.

The platform's own spans, log lines, profiles and records are of every invocation, whatever is decided here.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from relive_base.records import InvocationRecord
from relive_base.wire.messages import Spans

from relive_platform.signals.signal import Arrival, Counts, Flow, Sampling

__all__ = ["SPANS_LEFT_OUT", "TailSample"]

SPANS_LEFT_OUT: Final = "relive.spans_left_out"
HELD_SPANS: Final = 50_000
HELD_S: Final = 300.0
"""What waits for the end of its invocation; of more, or longer, the oldest is kept."""
DECIDED: Final = 10_000
"""Attempts whose decision is remembered for spans that come after their end."""
RARE_S: Final = 60.0
_KINDS: Final = 1_000
_DURATIONS: Final = 512
_LEARN: Final = 64
_SLOW: Final = 0.95
_FUNCTIONS: Final = 4_096
_TRACE_DIGITS: Final = 14
_TRACE_RANGE: Final = 16**_TRACE_DIGITS


class _Attempt(NamedTuple):
    invocation_id: str
    attempt: int


@dataclass(slots=True)
class _Held:
    """Spans of an attempt that runs."""

    sampling: Sampling
    since: float
    arrivals: list[Arrival] = field(default_factory=list)
    spans: int = 0


@dataclass(slots=True)
class _Usual:
    """How a function's invocations usually are."""

    durations: deque[int] = field(default_factory=lambda: deque(maxlen=_DURATIONS))
    slow_ns: int = 0  # 0: not known yet
    unlearned: int = 0
    kinds: OrderedDict[tuple[object, ...], float] = field(default_factory=OrderedDict)

    def is_slow(self, duration_ns: int, sampling: Sampling) -> bool:
        """Over the function's own limit; without one, among the slowest 5 % of those before it. Before enough
        are known, each is."""
        if sampling.slow_ms:
            return duration_ns > sampling.slow_ms * 1_000_000
        slow = not self.slow_ns or duration_ns > self.slow_ns
        self.durations.append(duration_ns)
        self.unlearned += 1
        if self.unlearned >= _LEARN:
            self.unlearned = 0
            self.slow_ns = sorted(self.durations)[int(len(self.durations) * _SLOW)]
        return slow

    def is_rare(self, kind: tuple[object, ...], now: float) -> bool:
        """Whether none of its kind was kept in the last minute."""
        last = self.kinds.get(kind)
        if last is not None and now - last < RARE_S:
            return False
        self.kinds[kind] = now
        self.kinds.move_to_end(kind)
        if len(self.kinds) > _KINDS:
            self.kinds.popitem(last=False)
        return True


class TailSample:
    """Behind what follows from the end of an attempt, which is recorded in any case. Counts spans: `dropped`
    are those that were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = Counts()
        self._clock = clock
        self._held: OrderedDict[_Attempt, _Held] = OrderedDict()
        self._spans = 0
        self._decided: OrderedDict[_Attempt, float] = OrderedDict()  # to the weight; 0: left out
        self._usual: OrderedDict[tuple[str, int], _Usual] = OrderedDict()

    def __call__(self, flow: Flow) -> None:
        arrivals = flow.arrivals[Spans]
        if not self._held and all(arrival.sampling is None for arrival in arrivals):
            return
        kept: list[Arrival] = []
        for arrival in arrivals:
            if arrival.sampling is None:
                kept.append(arrival)
            else:
                self._hold(arrival, arrival.sampling, kept)
        for item in flow.finished:
            record = item.record
            held = self._take(_Attempt(record.invocation_id, record.attempt))
            if held is not None:
                self._decide(record, held, kept)
        now = self._clock()
        while self._held and (
            self._spans > HELD_SPANS or now - next(iter(self._held.values())).since > HELD_S
        ):
            oldest = next(iter(self._held))
            self._release(oldest, self._take(oldest), 1.0, kept)
        arrivals[:] = kept

    def release_all(self, flow: Flow) -> None:
        """The process ends: what waits is kept."""
        for attempt in list(self._held):
            self._release(attempt, self._take(attempt), 1.0, flow.arrivals[Spans])

    def _hold(self, arrival: Arrival, sampling: Sampling, kept: list[Arrival]) -> None:
        attempt = _Attempt(arrival.ref.invocation_id, arrival.ref.attempt)
        count = len(arrival.frame.spans)
        weight = self._decided.get(attempt)
        if weight is not None or not attempt.invocation_id:  # it has ended, or has none
            self._pass(arrival, 1.0 if weight is None else weight, kept)
            return
        held = self._held.get(attempt)
        if held is None:
            held = self._held[attempt] = _Held(sampling, self._clock())
        held.arrivals.append(arrival)
        held.spans += count
        self._spans += count

    def _take(self, attempt: _Attempt) -> _Held | None:
        held = self._held.pop(attempt, None)
        if held is not None:
            self._spans -= held.spans
        return held

    def _decide(self, record: InvocationRecord, held: _Held, kept: list[Arrival]) -> None:
        usual = self._usual_of(record)
        slow = usual.is_slow(record.duration_ns, held.sampling)
        rare = usual.is_rare(_kind(record), self._clock())
        share = held.sampling.share
        if record.failed or slow or rare or share >= 1:
            weight = 1.0
        else:
            weight = 1 / share if _place(record.trace_id) < share else 0.0
        if not weight:
            record.attributes[SPANS_LEFT_OUT] = str(held.spans)
        self._release(_Attempt(record.invocation_id, record.attempt), held, weight, kept)

    def _usual_of(self, record: InvocationRecord) -> _Usual:
        key = (record.function, record.version)
        found = self._usual.get(key)
        if found is None:
            found = self._usual[key] = _Usual()
            if len(self._usual) > _FUNCTIONS:
                self._usual.popitem(last=False)
        return found

    def _release(self, attempt: _Attempt, held: _Held | None, weight: float, kept: list[Arrival]) -> None:
        self._decided[attempt] = weight
        if len(self._decided) > DECIDED:
            self._decided.popitem(last=False)
        for arrival in held.arrivals if held is not None else ():
            self._pass(arrival, weight, kept)

    def _pass(self, arrival: Arrival, weight: float, kept: list[Arrival]) -> None:
        count = len(arrival.frame.spans)
        if not weight:
            self.counts.dropped += count
            return
        self.counts.taken += count
        arrival.weight = weight
        kept.append(arrival)


def _kind(record: InvocationRecord) -> tuple[object, ...]:
    """Invocations that differ in this are not alike."""
    return (
        record.trigger,
        record.status,
        record.http_method,
        record.http_route,
        record.http_status,
        record.cold,
    )


def _place(trace_id: str) -> float:
    """Where in 0..1 a trace is, by the random part of its id: functions with the same share decide alike."""
    try:
        return int(trace_id[-_TRACE_DIGITS:], 16) / _TRACE_RANGE
    except ValueError:
        return 0.0
