"""The sampled profile of invocations that run beside each other in one worker: each look belongs to the one
whose code it meets.

A timer signal comes every 5 ms while anything runs, and more seldom while all of them wait. On the main
thread the code that it interrupts is of the invocation whose context (contextvars) is current; other threads
are looked at from there; those that wait are seen at the lines that they await. A look stands for the time
since the one before, so that shares are right in the sum; single short invocations are seen seldom. Where
threads compute they tell themselves (ticks.py), an event loop's too: a tick is of the invocation whose
context was current there. So what comes after a long wait is not overlooked.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final, Protocol, cast

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import Profile, StackFrames

from relive_profiler.record.folded import Fold, fill
from relive_profiler.record.stacks import StackTable
from relive_profiler.record.ticks import ThreadTicks, thread_ticks
from relive_profiler.record.timer import (
    PROFILE_SIGNAL,
    ThreadTimer,
    TimerUnavailable,
    give_back_signal,
    thread_cpu_ns,
)

__builtins__ = KEPT

__all__ = ["BesideSampler", "Look", "Seen", "Tick"]

INTERVAL_NS: Final = 5_000_000
_IDLE_NS: Final = 160_000_000
"""If nobody computes, looks become as seldom as this."""
_BRIEF_NS: Final = 1_000_000
"""A thread that has computed for no longer since the look before has waited where it is met."""
_SAMPLES: Final = 2_000
"""Of one invocation; further ones are counted as dropped."""
_DEPTH: Final = 200
_STACKS: Final = 50_000
_WAITING: Final = 16  # that are looked at in one go
_THREADS: Final = 64  # whose clocks are read at each tick


def _clocks() -> dict[int, int]:
    """The CPU time of each thread of Python's but the main one, by its ident."""
    if threading.active_count() == 1:
        return {}
    main = threading.main_thread().ident
    idents = list(itertools.islice(cast(Any, threading)._active.copy(), _THREADS))
    return {ident: thread_cpu_ns(ident) for ident in idents if ident != main}


def _native(ident: int) -> int:
    """The kernel's id of a thread of Python's; 0 if it has ended."""
    return getattr(cast(Any, threading)._active.get(ident), "native_id", None) or 0


class Look:
    """What has been seen of one invocation."""

    __slots__ = (
        "begun_ns",
        "dropped",
        "fold",
        "fresh",
        "invocation_id",
        "samples",
        "seen_ns",
        "span",
        "ticked_ns",
        "waits",
    )

    def __init__(self, invocation_id: str, begun_ns: int) -> None:
        self.invocation_id = invocation_id
        self.begun_ns = begun_ns
        self.seen_ns = begun_ns  # up to when its time has been told of
        self.ticked_ns = 0  # CPU time that has been told since then
        self.waits: StackFrames | None = None  # where it was met last, if it waited there
        self.span = ""  # the id of its own span that is open where it is looked at
        self.fold: Fold = {}
        self.fresh: list[StackFrames] = []
        self.samples = self.dropped = 0


class Seen(Protocol):
    """What one tick can meet. `running`: on the main thread; `threads`: elsewhere, with the thread's ident,
    the innermost frame and how much CPU time the thread has used; `waiting`: at these frames,
    innermost first; `owners`: by the id of what the variable has for its value in their code."""

    def anybody(self) -> bool: ...
    def running(self) -> Look | None: ...
    def threads(self) -> Iterable[tuple[Look, int, FrameType, int]]: ...
    def waiting(self, limit: int) -> Iterable[tuple[Look, Sequence[FrameType]]]: ...
    def owners(self) -> Mapping[int, Look]: ...


Tick = Callable[[int, "Look | None", "StackFrames | None", "FrameType | None"], None]
"""Hears of each tick: when (perf_counter_ns), who computes on the main thread, where, and the frame."""


class BesideSampler:
    """One per worker; `begin` on the main thread, `end` on any. `recording` False: it only ticks. No method
    raises."""

    def __init__(
        self,
        seen: Seen,
        tick: Tick,
        *,
        source: str = "",
        recording: bool = True,
        variable: ContextVar[Any] | None = None,
        timer_factory: Callable[[int], Any] = ThreadTimer,
        clock: Callable[[], int] = time.perf_counter_ns,
        cpu_clock: Callable[[], int] = time.thread_time_ns,
        thread_clocks: Callable[[], dict[int, int]] = _clocks,
        switches: Callable[[], int] | None = None,
    ) -> None:
        """`variable`: its value says whose code runs, in a context. `switches`: how often the main thread has
        given up the CPU to wait; without it, all that it does not compute is waiting."""
        self.reason = ""
        self._variable = variable
        self._ticks: ThreadTicks | None = None
        self._seen = seen
        self._tick = tick
        self._recording = recording
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._thread_clocks = thread_clocks
        self._switches = switches
        self._switched = -1  # at the last look
        self._timer_factory = timer_factory
        self._table = StackTable(source)
        self._sent: set[int] = set()
        self._timer: Any = None
        self._armed = self._busy = self._closed = False
        self._interval = INTERVAL_NS
        self._last = self._cpu_last = 0
        self._thread_cpu: dict[int, int] = {}
        self._met: dict[int, tuple[Look, StackFrames]] = {}  # where threads stood at the look before
        self._main = 0  # the kernel's id of an event loop's thread
        self._idle = False  # the tick before has met nobody who computes
        self._unplaced_ns = 0  # CPU time of the main thread since it was met in somebody's code
        self._was_ignored = False  # the signal, before it was taken
        os.register_at_fork(after_in_child=self._after_fork)

    # ------------------------------------------------------------ life of a profile

    def start(self, *, interrupting: bool = False) -> None:
        """Take the signal, on the main thread; says in `reason` if it cannot be had. `interrupting`: the main
        thread waits in system calls of its own, and would come to no look before they return."""
        try:
            if signal.getsignal(PROFILE_SIGNAL) not in (signal.SIG_DFL, signal.SIG_IGN):
                ours = getattr(signal.getsignal(PROFILE_SIGNAL), "__self__", None)
                if type(ours).__module__ != "relive_profiler.record.sampler":
                    self.reason = f"signal {PROFILE_SIGNAL} is used by the function"
                    return
            self._timer = self._timer_factory(PROFILE_SIGNAL)
            self._was_ignored = signal.getsignal(PROFILE_SIGNAL) is signal.SIG_IGN
            signal.signal(PROFILE_SIGNAL, self._on_signal)
            signal.siginterrupt(PROFILE_SIGNAL, interrupting)
            if self._recording and self._variable is not None:
                self._ticks = thread_ticks(
                    self._table, depth=_DEPTH, interval_ns=INTERVAL_NS, variable=self._variable
                )
                self._main = 0 if interrupting else threading.get_native_id()
        except (TimerUnavailable, OSError, ValueError) as error:
            self.reason = str(error)
            self._timer = None

    def begin(self, invocation_id: str) -> Look:
        """One more invocation runs."""
        now = self._clock()
        if not self._armed and self._timer is not None:
            self._armed = True
            self._interval = INTERVAL_NS
            self._idle = False
            self._last, self._cpu_last = now, self._cpu_clock()
            self._unplaced_ns = 0
            self._switched = -1
            self._thread_cpu = self._thread_clocks()
            self._watch(self._thread_cpu)
            self._timer.arm(INTERVAL_NS)
        elif self._idle and self._timer is not None:
            self._idle = False
            if self._interval > 2 * INTERVAL_NS:
                self._timer.arm(INTERVAL_NS)
            self._interval = INTERVAL_NS
        return Look(invocation_id, now)

    def end(self, look: Look) -> Profile | None:
        """It is over. None if nothing was sampled."""
        self._take_ticks()
        ended = self._clock()
        self._tell_rest(look, ended)
        if look.waits is not None:
            self._waited(look, look.waits, ended)
        fold = look.fold
        if not fold:
            return None
        profile = Profile(
            invocation_id=look.invocation_id,
            phase="invoke",
            engine="sampled",
            started_ns=time.time_ns() - (ended - look.begun_ns),
            duration_ns=ended - look.begun_ns,
            new_stacks=look.fresh,
            dropped=look.dropped,
        )
        return fill(profile, fold)

    def not_delivered(self, profile: Profile) -> None:
        """`profile` did not reach the server: tell of its stacks again when they come next."""
        self._sent.difference_update(stack.stack_hash for stack in profile.new_stacks)

    def close(self) -> None:
        """No tick any more."""
        self._closed = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.disarm()
            give_back_signal(self._on_signal, self._was_ignored)
            timer.delete()
        if self._ticks is not None:
            self._ticks.close()

    # ------------------------------------------------------------ inside

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        timer = self._timer
        if self._busy or timer is None:
            return
        if not self._seen.anybody():
            self._armed = False
            return
        self._busy = True
        try:
            self._look(frame)
        except Exception:
            pass  # a look that fails is lost; whatever it was, the code goes on
        finally:
            self._busy = False
            timer.arm(self._interval)

    def _look(self, frame: FrameType | None) -> None:
        now, cpu = self._clock(), self._cpu_clock()
        wall_ns = min(now - self._last, INTERVAL_NS if self._idle else 4 * INTERVAL_NS)
        cpu_ns = min(cpu - self._cpu_last, wall_ns)
        stood_ns = wall_ns - cpu_ns if self._may_have_waited() else 0
        computes = self._recording and self._take_ticks()
        look = self._seen.running()
        stack = None
        if look is not None:
            computes = True
            stack = self._table.look(frame, None, _DEPTH)
            if stack is not None and self._recording:
                self._met_running(look, stack, now, cpu_ns, stood_ns)
        else:  # of code whose turns are shorter than the ticks: who is met next has a part in it
            self._unplaced_ns += cpu_ns
        if self._recording:
            computes = self._look_at_threads(now, wall_ns) or computes
            self._look_at_waiting(now)
        self._tick(now, look, stack, frame)
        self._idle = not computes
        self._interval = INTERVAL_NS if computes else min(self._interval * 2, _IDLE_NS)
        self._cpu_last, self._last = self._cpu_clock(), now
        if len(self._table.stacks) > _STACKS:
            self._table.forget()
            self._sent.clear()

    def _may_have_waited(self) -> bool:
        """Whether the main thread has given up the CPU since the last look. If not, others had it while it
        did not compute: that is no waiting at the line where it stands."""
        if self._switches is None:
            return True
        before, self._switched = self._switched, self._switches()
        return before != self._switched

    def _met_running(self, look: Look, stack: StackFrames, now: int, cpu_ns: int, stood_ns: int) -> None:
        """On the main thread, which has computed and stood for so long since the look before. If that ticks,
        what is left to tell is where it stood."""
        if self._ticks is None or not self._ticks.ticks(self._main):
            unplaced_ns = min(self._unplaced_ns, stood_ns)
            self._add(look, stack, cpu_ns + stood_ns, cpu_ns + unplaced_ns)
        elif look.waits is not None:  # up to now, for all that is known
            self._waited(look, look.waits, now)
            look.waits = None
        else:
            stood_ns = min(stood_ns, now - look.begun_ns - cpu_ns)
            if stood_ns > 0:
                self._add(look, stack, stood_ns, 0)
            look.ticked_ns = 0
        look.seen_ns = now
        self._unplaced_ns = 0

    def _look_at_threads(self, now: int, wall_ns: int) -> bool:
        """One that does not tick by itself is charged what it has used since the look before, whoever's code
        it ran then: requests that are shorter than that are met once at most."""
        computes = False
        used = self._thread_clocks()
        since_ns = now - self._last
        met, self._met = self._met, {}
        for look, ident, frame, cpu in self._seen.threads():
            stack = self._table.look(frame, None, _DEPTH)
            if stack is None:
                continue
            before = self._thread_cpu.get(ident, 0 if ident in used else cpu)  # 0: it is new
            used[ident] = cpu
            age_ns = now - look.begun_ns  # who was there at the look before has all of the time since then
            own_ns = since_ns if age_ns >= since_ns else min(wall_ns, max(age_ns, INTERVAL_NS))
            cpu_ns = min(max(cpu - before, 0), own_ns)
            computes = computes or bool(cpu_ns)
            waited_ns, at = own_ns - cpu_ns, stack
            if waited_ns > 2 * INTERVAL_NS and cpu_ns > _BRIEF_NS:
                # Looks were seldom as it waited then; what it is met at is what it does since.
                before_look, before_stack = met.get(ident, (look, stack))
                at = before_stack if before_look is look else stack
            self._met[ident] = look, stack
            if self._ticks is None or not self._ticks.ticks(_native(ident)):
                self._add(look, stack, own_ns - waited_ns if at is not stack else own_ns, cpu_ns)
                if at is not stack:
                    self._add(look, at, waited_ns, 0)
            elif waited_ns:
                self._add(look, at, waited_ns, 0)
        self._thread_cpu = used
        self._watch(used)
        return computes

    def _tell_rest(self, look: Look, now: int) -> None:
        """Looks are seldom while all wait: how long this thread has, since the last one."""
        ident = threading.get_ident()
        met_look, stack = self._met.get(ident, (None, None))
        if self._idle and met_look is look and stack is not None:
            used_ns = self._thread_clocks().get(ident, 0) - self._thread_cpu.get(ident, 0)
            rest_ns = now - self._last - max(used_ns, 0)
            if rest_ns > 0:
                self._add(look, stack, rest_ns, 0)

    def _watch(self, idents: Iterable[int]) -> None:
        """These threads are to tick, and an event loop's."""
        if self._ticks is not None:
            natives = [self._main, *map(_native, idents)]
            self._ticks.watch(native for native in natives if native)

    def _take_ticks(self) -> bool:
        """What threads have told since the last time; whether any has."""
        ticks = self._ticks.fetch() if self._ticks is not None else ()
        if not ticks:
            return False
        owners = self._seen.owners()
        for tick in ticks:
            look = owners.get(tick.owner)
            if look is not None and tick.stack is not None:
                self._add(look, tick.stack, tick.cpu_ns, tick.cpu_ns)
                if tick.native == self._main:
                    look.ticked_ns += tick.cpu_ns
        return True

    def _look_at_waiting(self, now: int) -> None:
        """Of many not all are looked at each time: a look stands for the time since its last one."""
        for look, frames in self._seen.waiting(_WAITING):
            stack = self._table.look_frames(frames, _DEPTH)
            if stack is not None:
                self._waited(look, stack, now)
                look.waits = stack

    def _waited(self, look: Look, stack: StackFrames, until: int) -> None:
        """It has since it was seen, but for what it has computed: of that a tick may tell more than there
        was, which the next wait makes up for."""
        waited_ns = until - look.seen_ns - look.ticked_ns
        if waited_ns > 0:
            self._add(look, stack, waited_ns, 0)
        look.seen_ns, look.ticked_ns = until, max(-waited_ns, 0)

    def _add(self, look: Look, stack: StackFrames, wall_ns: int, cpu_ns: int) -> None:
        number = stack.stack_hash
        key = (number, look.span) if look.span else number
        entry = look.fold.get(key)
        if entry is not None:
            entry[0] += 1
            entry[1] += wall_ns
            entry[2] += cpu_ns
            return
        if look.samples >= _SAMPLES:
            look.dropped += 1
            return
        look.samples += 1
        if number not in self._sent:
            self._sent.add(number)
            look.fresh.append(stack)
        look.fold[key] = [1, wall_ns, cpu_ns]

    def _after_fork(self) -> None:
        """Timers stay with the parent."""
        self._timer = self._ticks = None
