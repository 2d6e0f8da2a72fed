"""Which invocations keep their own spans: decided at their end, and what is kept stands for what is not."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Metrics, SpanData, Spans
from relive_platform.evidence import Finished
from relive_platform.signals.processors.sample import HELD_S, HELD_SPANS, SPANS_LEFT_OUT, TailSample
from relive_platform.signals.signal import Arrival, Flow, Sampling
from relive_tracer.explore.rows import FunctionRef
from tracer_records import MS, NOW, failed_record, record

TENTH = Sampling(0.1, slow_ms=50)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def invocation(number: int, **more: Any) -> InvocationRecord:
    trace_id = f"{random.Random(number).getrandbits(128):032x}"
    fields = {"cold": False, "attributes": {}, **more}
    return msgspec.structs.replace(record(), invocation_id=f"i-{number}", trace_id=trace_id, **fields)


def arrival(of: InvocationRecord, sampling: Sampling | None = TENTH, count: int = 1) -> Arrival:
    spans = [SpanData(of.trace_id, f"{n:016x}", "", "load", "Internal", NOW, NOW + 1) for n in range(count)]
    ref = FunctionRef(of.function, of.version, invocation_id=of.invocation_id, attempt=of.attempt)
    return Arrival(Spans(invocation_id=of.invocation_id, spans=spans), ref, [], sampling=sampling)


def passed(sample: TailSample, arrivals: list[Arrival], ended: list[InvocationRecord]) -> list[Arrival]:
    """What comes through of a batch."""
    flow = Flow([Spans, Metrics])
    flow.arrivals[Spans] += arrivals
    flow.finished += [Finished(one, [], []) for one in ended]
    sample(flow)
    return flow.arrivals[Spans]


def test_a_share_is_kept_and_stands_for_all() -> None:
    # Given many invocations of one kind, all of them quick
    sample = TailSample(Clock())
    records = [invocation(number) for number in range(5_000)]
    # When they end
    kept = passed(sample, [arrival(one) for one in records], records)
    # I expect about a tenth of them, and their weights to add up to all
    assert 400 < len(kept) < 600
    assert abs(sum(one.weight for one in kept) - 5_000) < 1_000
    assert {round(one.weight) for one in kept} == {1, 10}  # the first of its kind is a rare one
    assert (sample.counts.taken, sample.counts.dropped) == (len(kept), 5_000 - len(kept))
    left_out = [one for one in records if one.attributes.get(SPANS_LEFT_OUT) == "1"]
    assert len(left_out) == sample.counts.dropped
    # ... and another function with the same share to decide alike
    again = passed(TailSample(Clock()), [arrival(one) for one in records], records)
    assert [one.ref for one in again] == [one.ref for one in kept]


def test_what_failed_was_slow_or_is_rare_is_kept_as_it_is() -> None:
    clock = Clock()
    sample = TailSample(clock)
    none = Sampling(0.0, slow_ms=50)
    plain = invocation(1)
    cases = [
        msgspec.structs.replace(failed_record(), invocation_id="failed", attributes={}),
        invocation(2, ended_ns=plain.started_ns + 60 * MS),
        invocation(3, http_status=404),
        invocation(4, cold=True),
    ]
    passed(sample, [arrival(plain, none)], [plain])  # of its kind there is one now
    for case in cases:
        [kept] = passed(sample, [arrival(case, none)], [case])
        assert (kept.weight, SPANS_LEFT_OUT in case.attributes) == (1.0, False)
    assert passed(sample, [arrival(other := invocation(5), none)], [other]) == []
    # ... one of each kind a minute
    clock.now = 61.0
    assert len(passed(sample, [arrival(other := invocation(6), none)], [other])) == 1


def test_the_slowest_are_kept_where_no_limit_is_given() -> None:
    sample = TailSample(Clock())
    none = Sampling(0.0)
    records = [invocation(n, ended_ns=record().started_ns + (n % 100 + 1) * MS) for n in range(1_000)]
    kept = [one for each in records for one in passed(sample, [arrival(each, none)], [each])]
    known = [one for one in kept if int(one.ref.invocation_id[2:]) >= 200]
    assert len(known) <= 0.08 * 800
    assert {int(one.ref.invocation_id[2:]) % 100 for one in known} <= set(range(90, 100))


def test_spans_wait_for_the_end_and_late_ones_follow_the_decision() -> None:
    sample = TailSample(Clock())
    none = Sampling(0.0, slow_ms=50)
    first, second = invocation(1), invocation(2)
    assert passed(sample, [arrival(first, none)], []) == []
    assert len(passed(sample, [arrival(first, none)], [first])) == 2
    assert passed(sample, [arrival(second, none)], [second]) == []
    assert len(passed(sample, [arrival(first, none), arrival(second, none)], [])) == 1
    # What is of no invocation, or of a function that keeps all, never waits
    free = arrival(first, None)
    assert passed(sample, [free], []) == [free]
    nobody = arrival(msgspec.structs.replace(first, invocation_id=""), none)
    assert passed(sample, [nobody], []) == [nobody]


def test_what_waits_is_bounded_and_then_kept() -> None:
    clock = Clock()
    sample = TailSample(clock)
    long = invocation(1)
    assert passed(sample, [arrival(long)], []) == []
    clock.now = HELD_S + 1
    assert len(passed(sample, [arrival(invocation(2), None)], [])) == 2
    # ... too many spans, the oldest first; and all of them when the process ends
    big = HELD_SPANS // 2 + 1
    kept = passed(sample, [arrival(invocation(3), count=big), arrival(invocation(4), count=big)], [])
    assert [one.ref.invocation_id for one in kept] == ["i-3"]
    flow = Flow([Spans])
    sample.release_all(flow)
    assert [one.ref.invocation_id for one in flow.arrivals[Spans]] == ["i-4"]
