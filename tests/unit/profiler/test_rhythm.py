"""Which clock looks are taken by, and when the next one is due."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.record import SamplerLimits
from relive_profiler.record.rhythm import Rhythm
from relive_profiler.record.timer import PROFILE_SIGNAL, tick_ns

MS = 1_000_000
TICK_MS = 4


@pytest.fixture
def bench(sampler_bench):
    """A sampler with a timer on CPU time, whose first invocation has computed for 3 ms."""
    made = sampler_bench(SamplerLimits(), tick_ms=TICK_MS)
    invoke(made, 3, 3)
    return made


def invoke(bench, wall_ms, cpu_ms, waits=0):
    bench.sampler.start("before")
    bench.pass_ms(wall_ms, cpu_ms)
    bench.switches += waits
    return bench.sampler.stop()


def signal_comes(bench):
    bench.sampler._on_signal(PROFILE_SIGNAL, sys._getframe())


def test_a_function_that_computes_is_looked_at_by_cpu_time(bench):
    # Given a worker whose first invocation went by the real clock
    assert (len(bench.timer.armed), bench.cpu_timer.armed) == (1, [])
    # When the next one begins
    bench.sampler.start("i")
    # Then the next tick brings a look; the real clock is for a wait that nobody expects
    assert bench.cpu_timer.armed == [1]
    assert bench.timer.armed[1:] == [20 * MS]
    # ... and the first look stands for a whole tick, as one in four milliseconds is taken
    bench.pass_ms(0.5, 0.5)
    signal_comes(bench)
    assert bench.cpu_timer.armed == [1, 1]
    profile = bench.sampler.stop()
    assert (profile.wall_ns, profile.cpu_ns) == ([TICK_MS * MS], [TICK_MS * MS])


def test_short_invocations_share_one_shot(bench):
    # Given the first of many
    invoke(bench, 0.1, 0.1)
    # When others follow before a tick finds one
    for _ in range(30):
        invoke(bench, 0.1, 0.1)
    # Then no timer is programmed for them
    assert bench.cpu_timer.armed == [1]
    assert len(bench.timer.armed) == 2
    # When the tick falls between two of them, the next arms the shot again
    signal_comes(bench)
    assert invoke(bench, 0.1, 0.1) is None
    assert bench.cpu_timer.armed == [1, 1]


def test_a_wait_that_nobody_expected_is_seen(bench):
    # Given an invocation by CPU time
    bench.sampler.start("i")
    # When it waits until the real clock's shot comes, and 2 ms more
    bench.pass_ms(20, 0)
    bench.switches += 1
    signal_comes(bench)
    assert bench.timer.armed[-1] <= 2.5 * MS
    bench.pass_ms(2, 0)
    signal_comes(bench)
    profile = bench.sampler.stop()
    # Then all of its time is there, as waiting
    assert (sum(profile.counts), sum(profile.wall_ns), sum(profile.cpu_ns)) == (2, 22 * MS, 0)


def test_a_function_that_waits_goes_by_the_real_clock_until_it_has_not_waited_for_a_while(bench):
    # Given an invocation that waited for half of its time
    invoke(bench, 10, 5, waits=1)
    by_cpu = len(bench.cpu_timer.armed)
    # When others follow that do not
    for _ in range(16):
        invoke(bench, 2, 2)
        assert len(bench.cpu_timer.armed) == by_cpu
    # Then those after them go by CPU time; its shot was spent meanwhile
    signal_comes(bench)
    bench.sampler.start("i")
    assert len(bench.cpu_timer.armed) == by_cpu + 1


@pytest.mark.parametrize(("cpu_ms", "waits"), [(4.8, 1), (1, 0)], ids=["a moment", "others had the CPU"])
def test_being_off_the_cpu_is_not_always_a_wait(bench, cpu_ms, waits):
    # Given an invocation of 5 ms that waited for a moment, or had to give way to other programs
    invoke(bench, 5, cpu_ms, waits)
    signal_comes(bench)
    # When the next one begins, I expect it to go by CPU time
    bench.sampler.start("i")
    assert bench.cpu_timer.armed == [1, 1]


def test_in_a_burst_of_short_invocations_few_are_asked_whether_they_waited(bench):
    # Given a worker past its first invocations
    for _ in range(64):
        invoke(bench, 0.1, 0.1)
    asked = []
    bench.sampler._rhythm._switches = lambda: asked.append(1) or 0
    # When a hundred follow in a row
    for _ in range(160):
        invoke(bench, 0.1, 0.1)
    # Then each 16th was asked, at its beginning
    assert len(asked) == 10
    # When one comes after a pause
    bench.pass_ms(50, 0)
    invoke(bench, 0.1, 0.1)
    # Then it was asked
    assert len(asked) == 11


@pytest.mark.parametrize("waits", [False, True], ids=["by CPU time", "by the real clock"])
def test_after_a_pause_nothing_is_left_to_wake_a_worker_that_waits(bench, waits):
    # Given a function that computes, or one that waits
    if waits:
        invoke(bench, 10, 5, waits=1)
    # When an invocation comes a second after the one before
    bench.pass_ms(1000, 0)
    before = bench.timer.disarmed
    invoke(bench, 1, 1)
    # Then its shot by the real clock is called off, and the next one asks for its own
    assert bench.timer.disarmed == before + 1
    armed = len(bench.timer.armed)
    bench.pass_ms(1000, 0)
    bench.sampler.start("next")
    assert len(bench.timer.armed) == armed + 1


def test_the_grid_of_looks_does_not_know_when_invocations_begin_that_come_now_and_then(bench):
    # Given a function that goes by the real clock, with a short invocation each second
    invoke(bench, 10, 5, waits=1)
    delays = []
    for _ in range(400):
        bench.pass_ms(1000, 0)
        bench.sampler.start("i")
        delays.append(bench.due - bench.now)
        bench.pass_ms(0.3, 0.1)
        bench.switches += 1
        bench.sampler.stop()
    # Then its shots are spread evenly over the interval of 2 ms, and a little beyond
    assert all(0 < delay <= 2.5 * MS for delay in delays)
    quarters = [sum(n * MS / 2 < delay <= (n + 1) * MS / 2 for delay in delays) for n in range(4)]
    assert all(60 < quarter < 150 for quarter in quarters), quarters


def test_the_real_clocks_shot_brings_a_look_that_is_overdue(bench):
    # Given an invocation that computed for 20 ms, whose look by CPU time came late or not at all
    bench.sampler.start("i")
    bench.pass_ms(20, 20)
    # When the real clock's shot comes
    signal_comes(bench)
    # Then it is the look, and both are armed again
    assert bench.timer.armed[-1] == 20 * MS
    assert bench.cpu_timer.armed[-1] == 1
    assert bench.sampler.stop().wall_ns == [20 * MS]


def test_the_real_clocks_shot_is_no_look_where_others_had_the_cpu(bench):
    # Given an invocation that had to give way to others for 20 ms, without a wait of its own
    bench.sampler.start("i")
    bench.pass_ms(20, 1)
    # When the real clock's shot comes, I expect it to go on by CPU time
    signal_comes(bench)
    assert bench.timer.armed[-1] == 20 * MS
    assert bench.sampler.stop() is None
    signal_comes(bench)
    bench.sampler.start("next")
    assert bench.cpu_timer.armed[-1] == 1


def test_looks_by_cpu_time_put_off_the_real_clocks_shot(bench):
    bench.sampler.start("i")
    for _ in range(10):
        bench.pass_ms(4, 4)
        signal_comes(bench)
        assert bench.due - bench.now >= 10 * MS
    assert bench.sampler.stop().counts == [10]


def test_loading_always_goes_by_the_real_clock(bench):
    bench.sampler.start_init()
    assert bench.cpu_timer.armed == []
    assert bench.timer.armed[-1] <= 2.5 * MS


def test_intervals_of_cpu_time_grow_with_the_invocation(bench):
    bench.sampler.start("i")
    for _ in range(100):
        bench.pass_ms(10, 10)
        signal_comes(bench)
    assert bench.cpu_timer.armed[-1] >= 15 * MS
    # What is far off is of no use to the next invocation
    bench.sampler.stop()
    invoke(bench, 0.1, 0.1)
    assert bench.cpu_timer.armed[-1] == 1


class _Shot:
    """A timer on a clock of the test's."""

    def __init__(self, clock):
        self.clock = clock
        self.at = None

    def arm(self, delay_ns):
        self.at = self.clock() + delay_ns

    def disarm(self):
        self.at = None

    def delete(self):
        pass

    def fires(self):
        if self.at is None or self.clock() < self.at:
            return False
        self.at = None
        return True


def looks_ms(seconds, share=1.0):
    """When code that computes without a pause is looked at. It has `share` of the CPU."""
    now = 0

    def on_cpu():
        return int(now * share)

    wall, cpu = _Shot(lambda: now), _Shot(on_cpu)
    rhythm = Rhythm(SamplerLimits(), wall, cpu, TICK_MS * MS, cpu_clock=on_cpu, switches=lambda: 0)
    rhythm.begin(0, 0)
    now = 3 * MS
    rhythm.end(now)  # an invocation that has not waited
    wall.disarm()
    begun = last = now
    last_cpu = on_cpu()
    rhythm.begin(now, last_cpu)
    looks = []
    while now < begun + seconds * 1_000 * MS:
        now += MS // 4
        signals = wall.fires()
        if not now % (TICK_MS * MS):
            signals |= cpu.fires()
        if signals and rhythm.shot(now, now - begun, now - last, on_cpu() - last_cpu, len(looks) + 1):
            looks.append((now - begun) / MS)
            last, last_cpu = now, on_cpu()
    return looks


@pytest.mark.parametrize("share", [1.0, 0.9, 0.3])
def test_code_that_computes_for_long_is_looked_at_all_the_time(share):
    # Given code that computes for 20 s, with the CPU to itself or not
    # When it is looked at, I expect no gap longer than 1/12 of its time so far and two ticks
    looks = looks_ms(20, share)
    gaps = zip([0.0, *looks], [*looks, 20_000.0], strict=True)
    assert all(after - before <= after / 12 / share + 2 * TICK_MS / share + 20 for before, after in gaps)
    assert 100 <= len(looks) <= 400


def test_ticks_of_this_machine_are_known():
    assert tick_ns() in (0, *(round(1e9 / hertz) for hertz in (100, 250, 300, 1000)))


class _Silent:
    def arm(self, delay_ns: int) -> None:
        assert delay_ns > 0

    def disarm(self) -> None:
        pass

    def delete(self) -> None:
        pass


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "load", "shot", "missed", "end"]),
            st.integers(0, 10**11),
            st.integers(0, 10**11),
        ),
        max_size=60,
    )
)
def test_no_order_of_events_arms_a_shot_in_the_past(events):
    # Given any order of beginnings, signals and ends, after any times
    rhythm = Rhythm(SamplerLimits(), _Silent(), _Silent(), TICK_MS * MS, cpu_clock=lambda: cpu)
    now = cpu = samples = 0
    for what, wall_ns, busy_ns in events:
        now += wall_ns
        cpu += min(busy_ns, wall_ns)
        # When each is told, I expect each shot that is asked for to lie ahead
        if what in ("begin", "load"):
            rhythm.begin(now, cpu, loading=what == "load")
            samples = 0
        elif what == "shot":
            samples += rhythm.shot(now, wall_ns, wall_ns, min(busy_ns, wall_ns), samples + 1)
        elif what == "missed":
            rhythm.missed()
        else:
            rhythm.end(now)
        assert rhythm.first_ns in (2 * MS, TICK_MS * MS)
