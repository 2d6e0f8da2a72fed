"""The sampled profile: a timer signal on the main thread, a look at the stack, a weight.

Sampling is unbiased for short handlers too: samples fall on a grid of 2 ms (4 ms by CPU time at 250 Hz; see
rhythm.py) that does not know when invocations begin, and the first one of an invocation stands for a whole
interval. So a handler of 0.3 ms is seen in 3 invocations of 20, and their sum is right. Every later sample
stands for the time since the one before, and intervals grow with the invocation.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # a built-in module without a stub
import atexit
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from relive_base.kept_builtins import KEPT, intact
from relive_base.wire.messages import Profile, StackFrames

from relive_profiler.record import timer
from relive_profiler.record.costs import CostMeter
from relive_profiler.record.folded import Fold, fill, place_cpu
from relive_profiler.record.outlook import Awaiting, Outlook
from relive_profiler.record.precise import PreciseProfiler
from relive_profiler.record.rhythm import Rhythm, SamplerLimits, Timer, voluntary_switches
from relive_profiler.record.stacks import StackTable, standard_folders, without_inner, without_own
from relive_profiler.record.threads import OtherThreads, TickingThreads
from relive_profiler.record.ticks import thread_ticks
from relive_profiler.record.timer import (
    PROFILE_SIGNAL,
    ThreadTimer,
    TimerUnavailable,
    cpu_timer,
    give_back_signal,
    tick_ns,
)

__builtins__ = KEPT

__all__ = ["Sampler", "SamplerLimits", "preload"]

_RESEND_AFTER_NS: Final = 3 * 86_400 * 1_000_000_000
_REPEAT_NS: Final = 50_000_000
_HERE: Final = os.path.dirname(__file__)
_WARM_ROUNDS: Final = 9  # from the eighth on the interpreter has adapted its code


def preload() -> None:
    """For the zygote: have everything at hand that a worker's sampler needs."""
    standard_folders()
    timer.preload()
    for _ in range(_WARM_ROUNDS):
        StackTable(_HERE)


class Sampler:
    """One per worker. Not thread-safe: all methods belong to the main thread; elsewhere they do nothing.

    `reason` says why nothing is sampled ("" if sampling works). No method raises.
    """

    def __init__(
        self,
        spec_profile: str = "sampled",
        *,
        source: str = "",
        outlook: Outlook | None = None,
        costs: CostMeter | None = None,
        limits: SamplerLimits | None = None,
        timer_factory: Callable[[int], Timer] = ThreadTimer,
        cpu_timer_factory: Callable[[int], Timer | None] = cpu_timer,
        tick_ns: Callable[[], int] = tick_ns,
        switches: Callable[[], int] = voluntary_switches,
        clock: Callable[[], int] = time.perf_counter_ns,
        cpu_clock: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        """`outlook`: what is seen beside the main thread's stack. `costs`: measures what they are, too."""
        self.reason = ""
        self._mode = spec_profile
        self._outlook = outlook or Outlook()
        self._costs = costs if spec_profile != "off" else None
        self._limits = limits or SamplerLimits()
        self._timer_factory = timer_factory
        self._cpu_timer_factory = cpu_timer_factory
        self._tick_ns = tick_ns
        self._switches = switches
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._others: OtherThreads | TickingThreads | None = None  # made when threads are to be looked at
        self._table = StackTable(source, cached=self._limits.cached_stacks)
        self._sent: set[int] = set()
        self._sent_since_ns = clock()
        self._rhythm: Rhythm | None = None
        self._was_ignored = False  # the signal, before it was taken
        self._handler = self._on_signal  # one bound method, so that it can be recognised
        self._precise: PreciseProfiler | None = None
        self._thread = threading.get_ident()
        self._active = self._busy = self._overrun = False
        self._reset("", "invoke")
        if self._costs is not None:
            self._costs.open()
        os.register_at_fork(after_in_child=self._after_fork)
        # The interpreter puts back default actions as it ends; a shot that comes then would kill the process.
        atexit.register(self.close)

    # ------------------------------------------------------------ life of one profile

    def start(self, invocation_id: str, *, mode: str = "") -> None:
        """Begin the profile of an invocation. `mode`: "sampled", "precise" or "off"; "" means the spec's."""
        self._begin(invocation_id, "invoke", mode or self._mode, sys._getframe(1))

    def stop(self) -> Profile | None:
        """End it. None if nothing was sampled."""
        return self._end()

    def start_init(self) -> None:
        """Begin the profile of loading the user's module; its invocation id is left empty."""
        self._begin("", "init", "off" if self._mode == "off" else "sampled", sys._getframe(1))

    def stop_init(self) -> Profile | None:
        """End it. None if nothing was sampled."""
        return self._end()

    def not_delivered(self, profile: Profile) -> None:
        """`profile` did not reach the server: tell of its stacks again when they come next."""
        self._sent.difference_update(stack.stack_hash for stack in profile.new_stacks)

    def close(self) -> None:
        """Give the signal and the timer back."""
        self._active = False
        if self._costs is not None:
            self._costs.close()
        others, self._others = self._others, None
        if others is not None:
            others.close()
        rhythm, self._rhythm = self._rhythm, None
        if rhythm is not None and threading.get_ident() == self._thread:
            rhythm.close()
            give_back_signal(self._handler, self._was_ignored)
            rhythm.delete()

    # ------------------------------------------------------------ inside

    def _reset(self, invocation_id: str, phase: str) -> None:
        self._invocation_id = invocation_id
        self._phase = phase
        self._fold: Fold = {}
        self._fresh: list[StackFrames] = []
        self._samples = self._dropped = 0
        self._unplaced_ns = 0  # CPU time of an event loop since it was met computing

    def _begin(self, invocation_id: str, phase: str, mode: str, outer: FrameType) -> None:
        self._active = False
        if mode == "off" or threading.get_ident() != self._thread:
            return
        self._reset(invocation_id, phase)
        self._outer: FrameType | None = outer
        if mode == "precise" and self._begin_precise():
            return
        # _signal: the wrapper in signal.py builds an enum member, which costs 1.6 us.
        rhythm = self._rhythm
        if rhythm is None or _signal.getsignal(PROFILE_SIGNAL) is not self._handler:
            rhythm = self._take_signal()
            if rhythm is None:
                return
        cpu = self._cpu_last = self._cpu_clock()
        if self._outlook.looks_at_threads:
            if self._others is None:
                self._others = self._other_threads()
            self._others.begin(self._outlook.threads(), cpu)
        now = self._begun = self._last = self._clock()
        self._active = True
        rhythm.begin(now, cpu, loading=phase == "init")
        if self._costs is not None:
            self._costs.begin(now, rhythm.seldom)

    def _begin_precise(self) -> bool:
        precise = PreciseProfiler(self._limits.cached_stacks, self._cpu_clock)
        self.reason = precise.start(self._outer) if self._outer is not None else "no frame"
        if self.reason:
            return False
        self._precise = precise
        self._begun = self._clock()
        if self._costs is not None:
            self._costs.begin(self._begun, True)
        return True

    def _end(self) -> Profile | None:
        if self._precise is not None:
            return self._end_precise(self._precise)
        if not self._active:
            return None
        self._active = False
        ended = self._clock()
        self._outer = None
        rhythm = self._rhythm
        if rhythm is not None:
            rhythm.end(ended)
        if self._others is not None:
            for share in self._others.end():
                self._add(*share)
        return self._profile("sampled", ended) if self._fold or self._dropped else None

    def _end_precise(self, precise: PreciseProfiler) -> Profile | None:
        ended = self._clock()
        self._precise = self._outer = None
        try:
            records, lost = precise.stop(self._table.short, self._limits.depth)
            self._dropped += lost
            for locations, count, wall_ns, cpu_ns in records:
                kept = without_inner(without_own(locations))
                if kept:
                    self._add(self._table.add(kept), count, wall_ns, cpu_ns)
        except Exception as error:
            # The profile is lost, not the invocation.
            self.reason = f"pyinstrument: {type(error).__name__}"
        if len(self._table.stacks) > self._limits.stacks:
            self._table.forget()
        return self._profile("precise", ended) if self._fold else None

    def _profile(self, engine: str, ended: int) -> Profile:
        if ended - self._sent_since_ns > _RESEND_AFTER_NS:  # a worker that lives for days tells again
            self._sent.clear()
            self._sent_since_ns = ended
        if self._unplaced_ns:
            place_cpu(self._fold, self._unplaced_ns)
        profile = Profile(
            invocation_id=self._invocation_id,
            phase=self._phase,
            engine=engine,
            started_ns=time.time_ns() - (self._clock() - self._begun),
            duration_ns=ended - self._begun,
            new_stacks=self._fresh,
            dropped=self._dropped,
            costs=self._costs.end(ended, self._cpu_clock() - self._cpu_last, self._switches)
            if self._costs is not None
            else None,
        )
        return fill(profile, self._fold)

    def _take_signal(self) -> Rhythm | None:
        """The rhythm, made if there is none yet. None, with a reason, if the signal is another's."""
        try:
            current = signal.getsignal(PROFILE_SIGNAL)
            free = self._rhythm is None and current in (signal.SIG_DFL, signal.SIG_IGN)
            if current is not self._handler and not free:
                self.reason = f"signal {PROFILE_SIGNAL} is used by the function"
                return None
            if self._rhythm is None:
                timer = self._timer_factory(PROFILE_SIGNAL)
                if self._outlook.looks_at_threads:
                    timer.repeat_ns = _REPEAT_NS
                by_cpu = self._cpu_timer_factory(PROFILE_SIGNAL)
                self._rhythm = Rhythm(
                    self._limits,
                    timer,
                    by_cpu,
                    self._tick_ns(),
                    cpu_clock=self._cpu_clock,
                    switches=self._switches,
                    repeat_ns=_REPEAT_NS if self._outlook.looks_at_threads else 0,
                )
            if current is not self._handler:
                self._was_ignored = current is signal.SIG_IGN
                signal.signal(PROFILE_SIGNAL, self._handler)
                # System calls restart, unless threads are to be looked at: a main thread that waits for them
                # in a lock would not come to a look before they have ended.
                signal.siginterrupt(PROFILE_SIGNAL, self._outlook.looks_at_threads)
        except (TimerUnavailable, OSError, ValueError) as error:
            self.reason = str(error)
            return None
        self.reason = ""
        return self._rhythm

    def _on_signal(self, signum: int, frame: FrameType | None) -> Any:
        """Runs between two instructions of the user's code."""
        rhythm = self._rhythm
        if not self._active or self._busy or rhythm is None:
            if rhythm is not None and not self._active:
                rhythm.missed()
            self._overrun = self._busy
            return
        self._busy = True
        try:
            now = self._clock()
            cpu = self._cpu_clock()
            wall_ns, cpu_ns = now - self._last, cpu - self._cpu_last
            if self._costs is not None:
                self._costs.late(rhythm.late(now), cpu_ns, self._switches, wall_ns)
            if not rhythm.shot(now, now - self._begun, wall_ns, cpu_ns, self._samples + 1):
                return
            self._samples += 1
            if self._samples == 1 and self._costs is not None:
                self._costs.looked(now)
            self._look(frame, wall_ns, cpu_ns, rhythm.first_ns)
            self._cpu_last = self._cpu_clock()
            self._last = self._clock()  # after the look: its own time counts for nobody
        except Exception as error:
            # Ours (no memory, recursion limit, no builtins for the standard library) costs one sample; a
            # foreign one comes from another signal's handler that ran meanwhile: it is the user's code's.
            if not isinstance(error, (RecursionError, MemoryError)) and intact() and _foreign(error):
                raise
            self._dropped += 1
        finally:
            self._busy = False
            if self._overrun:
                self._overrun = False
                rhythm.overrun(self._clock())

    def _look(self, frame: FrameType | None, wall_ns: int, cpu_ns: int, first_ns: int) -> None:
        if self._samples == 1 and wall_ns < first_ns:
            cpu_ns = cpu_ns * first_ns // max(wall_ns, 1)
            wall_ns = first_ns
        outlook = self._outlook
        tasks = outlook.awaiting(frame)
        if tasks:
            self._look_at_tasks(tasks, wall_ns)
            self._unplaced_ns += cpu_ns
        else:
            stack = self._table.look(frame, self._outer, self._limits.depth)
            if stack is not None:
                cpu_ns = min(cpu_ns, wall_ns) + self._unplaced_ns
                self._unplaced_ns = 0
                self._add(stack, 1, wall_ns, cpu_ns, outlook.span())
        if self._others is not None:
            main_ns = self._cpu_clock()
            for share in self._others.look(outlook.threads(), self._stack_of_thread, main_ns, wall_ns):
                self._add(*share)

    def _look_at_tasks(self, tasks: Sequence[Awaiting], wall_ns: int) -> None:
        """The loop waits, and all of its tasks do: each for an equal part of the time, in one sample. What it
        computed before is of those that will be met computing."""
        count = 1
        for found, span in tasks:
            frames = list(itertools.takewhile(lambda frame: frame is not self._outer, found))
            stack = self._table.look_frames(frames, self._limits.depth)
            if stack is not None:
                self._add(stack, count, wall_ns // len(tasks), 0, span)
                count = 0

    def _other_threads(self) -> OtherThreads | TickingThreads:
        limits = self._limits
        ticks = thread_ticks(
            self._table, depth=limits.depth, interval_ns=limits.interval_ns, share=limits.fine_share
        )
        return OtherThreads() if ticks is None else TickingThreads(ticks)

    def _stack_of_thread(self, frame: FrameType) -> StackFrames | None:
        return self._table.look(frame, None, self._limits.depth)

    def _add(self, stack: StackFrames, count: int, wall_ns: int, cpu_ns: int, span: str = "") -> None:
        number = stack.stack_hash
        key = (number, span) if span else number
        entry = self._fold.get(key)
        if entry is not None:
            entry[0] += count
            entry[1] += wall_ns
            entry[2] += cpu_ns
            return
        if number not in self._sent:
            if len(self._sent) >= self._limits.stacks:
                self._dropped += count
                return
            self._sent.add(number)
            self._fresh.append(stack)
        self._fold[key] = [count, wall_ns, cpu_ns]

    def _after_fork(self) -> None:
        """Timers stay with the parent; a worker forked from a warmed process makes its own."""
        self._rhythm = None
        self._active = self._busy = False
        self._thread = threading.get_ident()


def _foreign(error: BaseException) -> bool:
    """Whether `error` was raised in a file that is not the recorder's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.rpartition("/")[0] != _HERE
