from __future__ import annotations

import gc
import os
import resource
import types

import pytest
from relive_base.wire.messages import Profile
from relive_profiler.record import COST_FILES, CostMeter
from relive_profiler.record.folded import fill, place_cpu
from relive_profiler.record.native import PURE_VARIABLE

MS = 1_000_000


@pytest.fixture(params=["native", "pure"])
def meter(request, monkeypatch):
    if request.param == "pure":
        monkeypatch.setenv(PURE_VARIABLE, "1")
    files = [os.open(path, os.O_RDONLY) for path in COST_FILES]
    meter = CostMeter(*files)
    meter.open()
    yield meter
    meter.close()
    for descriptor in files:
        os.close(descriptor)


def end(meter, at_ms):
    return meter.end(at_ms * MS, 0, lambda: 0)


class Queue:
    """How long a thread has had no CPU, by a file as /proc has one, and how often it has waited."""

    def __init__(self, folder):
        self.path = folder / "schedstat"
        self.switches = 0
        self.lacks_cpu(0)
        self.meter = CostMeter(os.open(self.path, os.O_RDONLY))

    def lacks_cpu(self, ms):
        self.path.write_text(f"1 {ms * MS} 1")

    def look(self, late_ms, cpu_ms, *, waits_on):
        self.meter.late(late_ms * MS, round(cpu_ms * MS), lambda: self.switches)
        self.switches += waits_on


@pytest.fixture
def queue(tmp_path):
    queue = Queue(tmp_path)
    queue.meter.begin(0, True)
    yield queue
    os.close(queue.meter._cpu_wait)


def test_a_wait_that_a_look_has_broken_is_no_wait_for_a_cpu(queue):
    # Given a thread that sleeps, and looks that wake it, each 5 ms late on a busy machine
    for _ in range(3):
        queue.look(5, 0.1, waits_on=True)
    queue.lacks_cpu(15)
    # Then it has not waited for a CPU
    assert queue.meter.end(100 * MS, 0, lambda: queue.switches).runqueue_ns == 0


@pytest.mark.parametrize(
    ("cpu_ms", "waits_on"), [(0.1, False), (2, True)], ids=["computes", "computes and waits"]
)
def test_who_computes_after_a_late_look_has_waited_for_a_cpu(queue, cpu_ms, waits_on):
    for _ in range(3):
        queue.look(5, cpu_ms, waits_on=waits_on)
    queue.lacks_cpu(15)
    assert queue.meter.end(100 * MS, 2 * MS, lambda: queue.switches).runqueue_ns == 15 * MS


def test_looks_that_come_in_time_excuse_nothing(queue):
    for _ in range(3):
        queue.look(0, 0, waits_on=True)
    queue.lacks_cpu(15)
    assert queue.meter.end(100 * MS, 0, lambda: queue.switches).runqueue_ns == 15 * MS


def test_a_wait_that_signals_of_ours_break_into_is_counted_once(queue, monkeypatch):
    # Given a thread that waits twice: the kernel counts each signal that wakes it as another wait
    signals = [(0, 0.1, 2)] * 20 + [
        (0, 5, 10)
    ] * 4  # the last four met one that has computed half of the time
    usage = resource.getrusage(resource.RUSAGE_SELF)
    waits = 2 + 20 + 2
    counted = types.SimpleNamespace(
        **{name: getattr(usage, name) for name in dir(usage) if name[:3] == "ru_"}
    )
    counted.ru_nvcsw += waits
    queue.meter.begin(0, True)
    queue.meter._begun.usage = usage
    monkeypatch.setattr(resource, "getrusage", lambda who: counted)
    for late_ms, cpu_ms, wall_ms in signals:
        queue.meter.late(late_ms, round(cpu_ms * MS), lambda: 0, wall_ms * MS)
    # ... and signals that came by CPU time met it computing
    queue.meter.late(-1, MS, lambda: 0, 10 * MS)
    assert queue.meter.end(100 * MS, 0, lambda: 0).waits == 2


def test_the_collectors_time_is_measured(meter):
    kept = [[number] for number in range(100_000)]
    meter.begin(0, True)
    for _ in range(2):
        gc.collect()
    costs = end(meter, 50)
    assert costs.collections >= 2
    assert costs.gc_ns > 0
    assert costs.runqueue_ns >= 0
    assert costs.memory_bytes > 1_000_000
    assert costs.growth_bytes is not None
    assert kept


def test_after_it_is_closed_nothing_of_it_stays(meter):
    before = len(gc.callbacks)
    meter.open()
    assert len(gc.callbacks) == before
    meter.close()
    assert len(gc.callbacks) == before - 1


def test_a_short_invocation_is_not_measured(meter):
    meter.begin(0, True)
    assert end(meter, 3) is None


def test_a_function_that_closes_every_descriptor_costs_a_figure_and_no_more():
    meter = CostMeter(*[os.open(path, os.O_RDONLY) for path in COST_FILES])
    os.close(meter._cpu_wait)
    meter.begin(0, True)
    costs = end(meter, 50)
    assert costs.runqueue_ns == -1
    assert costs.waits >= 0
    os.close(meter._memory)


def test_a_reading_serves_the_invocations_of_the_next_tenth_of_a_second(meter):
    meter.begin(0, True)
    first = meter._begun
    end(meter, 10)
    second = meter._last
    meter.begin(50 * MS, False)
    assert meter._begun is second
    assert second is not first
    # Given a first look that comes in time, it is the beginning
    meter.looked(52 * MS)
    assert meter._begun is not second


def test_samples_inside_spans_name_them():
    profile = fill(Profile("i"), {7: [1, 10, 5], (7, "ab"): [2, 20, 5], (8, "cd"): [1, 5, 5]})
    assert profile.stack_hashes == [7, 7, 8]
    assert profile.counts == [1, 2, 1]
    assert (profile.spans, profile.stack_spans) == (["ab", "cd"], [0, 1, 2])
    assert fill(Profile("i"), {7: [1, 10, 5]}).spans == []


def test_cpu_time_that_no_look_has_met_is_shared_out_and_none_is_lost():
    fold = {1: [1, 10, 8], 2: [1, 100, 0], 3: [1, 10, 0]}
    place_cpu(fold, 50)
    assert [entry[2] for entry in fold.values()] == [10, 48, 0]
