from __future__ import annotations

import signal
import sys
import threading
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.record import SamplerLimits
from relive_profiler.record.rhythm import next_interval_ns
from relive_profiler.record.timer import PROFILE_SIGNAL, TimerUnavailable

MS = 1_000_000


def _here():
    return sys._getframe(1)


def _sample(bench, wall_ms, cpu_ms):
    bench.pass_ms(wall_ms, cpu_ms)
    bench.sampler._on_signal(PROFILE_SIGNAL, _here())


def _other_place(bench, wall_ms, cpu_ms):
    bench.pass_ms(wall_ms, cpu_ms)
    bench.sampler._on_signal(PROFILE_SIGNAL, _here())


def test_every_sample_stands_for_the_time_since_the_one_before(sampler_bench):
    # Given a running profile
    bench = sampler_bench()
    bench.sampler.start("i-1")
    # When samples come after 2 ms on the CPU, 30 ms of waiting, and 3 ms half on the CPU
    _sample(bench, 2, 2)
    _other_place(bench, 30, 0)
    _other_place(bench, 3, 1.5)
    profile = bench.sampler.stop()
    # Then the weights are those times, folded by stack
    assert profile.invocation_id == "i-1"
    assert profile.counts == [1, 2]
    assert profile.wall_ns == [2 * MS, 33 * MS]
    assert profile.cpu_ns == [2 * MS, 1.5 * MS]
    assert profile.duration_ns == 35 * MS
    names = [stack.functions[-1] for stack in profile.new_stacks]
    assert names == ["_sample", "_other_place"]
    assert [stack.stack_hash for stack in profile.new_stacks] == profile.stack_hashes


def test_the_first_sample_of_a_short_handler_stands_for_a_whole_interval(sampler_bench):
    # Given a handler that is sampled once, 0.25 ms after it began
    bench = sampler_bench()
    bench.sampler.start("i")
    # When
    _sample(bench, 0.25, 0.2)
    profile = bench.sampler.stop()
    # Then its weight is what one look in a millisecond stands for, and the CPU share is kept
    assert profile.wall_ns == [MS]
    assert profile.cpu_ns == [0.8 * MS]


def test_a_stack_is_told_once_per_worker(sampler_bench):
    bench = sampler_bench()
    profiles = []
    for number in range(2):
        bench.sampler.start(f"i-{number}")
        _sample(bench, 1, 1)
        profiles.append(bench.sampler.stop())
    assert [len(profile.new_stacks) for profile in profiles] == [1, 0]
    assert profiles[0].stack_hashes == profiles[1].stack_hashes
    # When the first one was lost on its way
    bench.sampler.not_delivered(profiles[0])
    bench.sampler.start("i-2")
    _sample(bench, 1, 1)
    # Then it is told again
    assert len(bench.sampler.stop().new_stacks) == 1


def test_stacks_are_told_again_in_a_worker_that_lives_for_days(sampler_bench):
    bench = sampler_bench()
    told = []
    for _ in range(3):
        bench.sampler.start("i")
        _sample(bench, 1, 1)
        told.append(len(bench.sampler.stop().new_stacks))
        bench.now += 2 * 86_400 * 1000 * MS
    assert told == [1, 0, 0]
    bench.sampler.start("i")
    _sample(bench, 1, 1)
    assert len(bench.sampler.stop().new_stacks) == 1


def test_stacks_beyond_the_limit_are_dropped_and_counted(sampler_bench):
    # Given room for one stack
    bench = sampler_bench(SamplerLimits(interval_ns=MS, stacks=1))
    bench.sampler.start("i")
    # When two different ones come
    _sample(bench, 1, 1)
    _other_place(bench, 1, 1)
    profile = bench.sampler.stop()
    # Then
    assert (profile.counts, profile.dropped) == ([1], 1)


def test_a_signal_that_comes_while_a_look_goes_on_does_not_end_the_sampling(sampler_bench):
    # Given a look that takes longer than until the next shot, as the first ones on a busy machine
    bench = sampler_bench()
    bench.sampler.start("i")
    look = bench.sampler._table.look

    def slow_look(*arguments):
        armed = len(bench.timer.armed)
        bench.sampler._on_signal(PROFILE_SIGNAL, _here())  # the next one
        assert len(bench.timer.armed) == armed
        return look(*arguments)

    bench.sampler._table = SimpleNamespace(look=slow_look, stacks={})
    armed = len(bench.timer.armed)
    _sample(bench, 1, 1)
    # Then another one is asked for when it is over
    assert len(bench.timer.armed) == armed + 2
    assert bench.timer.armed[-1] == 2 * MS


def test_no_sample_means_no_profile(sampler_bench):
    bench = sampler_bench()
    bench.sampler.start("i")
    bench.pass_ms(0.1, 0.1)
    assert bench.sampler.stop() is None


def test_a_late_signal_after_the_end_is_ignored(sampler_bench):
    bench = sampler_bench()
    bench.sampler.start("i")
    _sample(bench, 1, 1)
    bench.sampler.stop()
    armed = len(bench.timer.armed)
    _sample(bench, 1, 1)
    assert len(bench.timer.armed) == armed
    assert bench.sampler.stop() is None


def test_a_shot_due_within_the_millisecond_is_taken_over_and_a_far_one_is_called_off(sampler_bench):
    # Given an invocation that ends before its first shot
    bench = sampler_bench()
    bench.sampler.start("a")
    first = bench.timer.armed[-1]
    bench.sampler.stop()
    # When the next one starts at once, the same shot serves it
    bench.sampler.start("b")
    assert bench.timer.armed == [first]
    assert bench.timer.disarmed == 0
    # Given a long one whose next shot lies far ahead
    _sample(bench, 1000, 1000)
    assert bench.timer.armed[-1] > 10 * MS
    # Then its end calls the shot off, and the next start asks for one within the first interval again
    bench.sampler.stop()
    assert bench.timer.disarmed == 1
    bench.sampler.start("c")
    assert bench.timer.armed[-1] <= 1.25 * MS


def test_shots_of_one_rhythm_do_not_stay_in_step(sampler_bench):
    # Given invocations that begin every 2 ms exactly and last 0.5 ms
    bench = sampler_bench()
    hits = 0
    for number in range(2000):
        bench.sampler.start(str(number))
        due = bench.due - bench.now
        if 0 < due <= 0.5 * MS:
            hits += 1
        bench.now += MS // 2
        bench.sampler.stop()
        bench.now += 3 * MS // 2
    # Then a quarter of the grid's shots would fall into them: one in two intervals, half an interval wide
    assert 0.35 < hits / 2000 < 0.65


def test_profile_off_arms_nothing(sampler_bench):
    bench = sampler_bench(profile="off")
    bench.sampler.start("i")
    assert bench.timer.armed == []
    assert bench.sampler.stop() is None
    bench.sampler.start_init()
    assert bench.sampler.stop_init() is None
    # One invocation may ask for it nevertheless
    bench.sampler.start("i", mode="sampled")
    assert len(bench.timer.armed) == 1


def test_init_has_a_phase_of_its_own(sampler_bench):
    bench = sampler_bench()
    bench.sampler.start_init()
    _sample(bench, 1, 1)
    profile = bench.sampler.stop_init()
    assert (profile.phase, profile.invocation_id) == ("init", "")


def test_another_thread_is_not_sampled(sampler_bench):
    bench = sampler_bench()
    thread = threading.Thread(target=bench.sampler.start, args=("i",))
    thread.start()
    thread.join()
    assert bench.timer.armed == []
    assert bench.sampler.stop() is None


def test_a_signal_that_the_function_took_is_left_to_it(sampler_bench):
    # Given user code that handles the same signal
    bench = sampler_bench()
    bench.sampler.start("a")
    bench.sampler.stop()
    before = len(bench.timer.armed)
    seen = []
    signal.signal(PROFILE_SIGNAL, lambda signum, frame: seen.append(signum))
    try:
        # When the next invocation starts
        bench.now += 10 * MS
        bench.sampler.start("b")
        # Then there are no more shots, a reason, and the handler is theirs
        assert len(bench.timer.armed) == before
        assert "used by the function" in bench.sampler.reason
        signal.raise_signal(PROFILE_SIGNAL)
        assert seen == [PROFILE_SIGNAL]
        bench.sampler.close()
        assert signal.getsignal(PROFILE_SIGNAL) not in (signal.SIG_DFL, signal.SIG_IGN)
    finally:
        signal.signal(PROFILE_SIGNAL, signal.SIG_DFL)


def test_without_timers_nothing_is_sampled_and_the_reason_is_known(sampler_bench):
    bench = sampler_bench()

    def none(signum):
        raise TimerUnavailable("no per-thread timer signals on this system")

    bench.sampler._timer_factory = none
    bench.sampler.start("i")
    assert bench.sampler.stop() is None
    assert bench.sampler.reason == "no per-thread timer signals on this system"


def test_an_exception_of_another_signals_handler_passes(sampler_bench):
    # Given a foreign handler that raises while the sampler looks (here: in its clock)
    bench = sampler_bench()
    bench.sampler.start("i")
    clock = bench.sampler._clock

    def interrupted():
        raise TimeoutError("the function's own alarm")

    bench.sampler._clock = interrupted
    # When
    try:
        _sample(bench, 1, 1)
    except TimeoutError as error:
        raised = str(error)
    else:
        raised = ""
    # Then it reaches the user's code, and the sampler goes on
    assert raised == "the function's own alarm"
    bench.sampler._clock = clock
    _sample(bench, 1, 1)
    assert bench.sampler.stop().counts == [1]


def test_an_error_of_the_samplers_own_costs_a_sample_only(sampler_bench):
    bench = sampler_bench()
    bench.sampler.start("i")
    bench.pass_ms(1, 1)
    bench.sampler._on_signal(PROFILE_SIGNAL, "not a frame")
    _sample(bench, 1, 1)
    profile = bench.sampler.stop()
    assert (sum(profile.counts), profile.dropped) == (1, 1)


def test_deep_recursion_keeps_the_innermost_frames(sampler_bench):
    bench = sampler_bench(SamplerLimits(interval_ns=MS, depth=20))
    bench.sampler.start("i")

    def recur(depth):
        if depth:
            recur(depth - 1)
        else:
            _sample(bench, 1, 1)

    recur(50)
    stack = bench.sampler.stop().new_stacks[0]
    assert stack.functions[0] == "(deeper than the limit)"
    assert len(stack.functions) == 21
    assert stack.functions[-1] == "_sample"


@given(st.integers(min_value=0, max_value=900 * 10**9), st.integers(min_value=0, max_value=400))
def test_intervals_are_never_shorter_than_the_limit_nor_longer_than_a_share(elapsed_ns, samples):
    limits = SamplerLimits()
    interval = next_interval_ns(limits, elapsed_ns, samples)
    assert limits.interval_ns <= interval <= max(limits.interval_ns, elapsed_ns // limits.coarse_share)


def test_samples_are_bounded_however_long_an_invocation_runs():
    limits = SamplerLimits()
    elapsed = samples = 0
    counts = {}
    for seconds in (0.1, 1, 3, 60, 900):
        while elapsed < seconds * 1e9:
            elapsed += next_interval_ns(limits, elapsed, samples)
            samples += 1
        counts[seconds] = samples
    assert counts[0.1] >= 50
    assert counts[60] <= 300
    assert counts[900] <= 330


def test_native_code_is_looked_at_half_as_often(sampler_bench):
    # Given a signal that was handled 1 ms late, with the CPU busy meanwhile: native code
    bench = sampler_bench(SamplerLimits(interval_ns=MS))
    bench.sampler.start("i")
    bench.now, bench.cpu = bench.due + MS, 2 * MS
    bench.sampler._on_signal(PROFILE_SIGNAL, _here())
    assert bench.timer.armed[-1] >= 1.5 * MS
    # When it comes as late after a wait
    bench.now = bench.due + MS
    bench.sampler._on_signal(PROFILE_SIGNAL, _here())
    # Then the next look is as early as ever
    assert bench.timer.armed[-1] <= 1.25 * MS


def test_the_number_of_samples_has_a_hard_limit(sampler_bench):
    bench = sampler_bench(SamplerLimits(samples=3))
    bench.sampler.start("i")
    for _ in range(3):
        _sample(bench, 1, 1)
    assert len(bench.timer.armed) == 3  # the start's, and after the first two samples
