"""When the next look at the stack is due, and by which clock: the real one, or the thread's CPU time.

A shot by the real clock finds code that waits as well as code that computes. But on a virtual machine it
costs 20 to 75 us: the hardware timer is programmed, and interrupts. One by the thread's CPU time costs about
10 us: the kernel looks at it in a tick that comes anyway, 4 ms apart at 250 Hz. So an invocation of a
function that has not waited lately is looked at by CPU time, and every other by the real clock: the first of
a worker, the loading of its module, and from the moment on at which one is seen to wait after all.

By CPU time looks are as unbiased for short handlers: a tick finds a thread in its handler as often as it is
there.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = ["Rhythm", "SamplerLimits", "Timer", "next_interval_ns", "voluntary_switches"]

_SOON_NS: Final = 1
"""The tick after next to nothing: the next one."""
_CHECK_ALL: Final = 64
_CHECK_EVERY: Final = 16
_SELDOM_NS: Final = 10_000_000
"""Whether it waited is looked up, which takes 2 us, at a worker's first 64 invocations, at each that begins
more than 10 ms after the one before, and at each 16th of the others.

After a pause as long, what an invocation leaves armed would most likely wake a worker that waits for its next
one: 50 to 100 us, while calling it off takes 2."""
_BRIEF_NS: Final = 100_000
_BRIEF_SHARE: Final = 16
"""An invocation that was off the CPU for no longer than this, or 1/16 of its time, has not waited."""
_WAITING_KEPT: Final = 16
"""Checked invocations without a wait until the next goes by CPU time again."""


class Timer(Protocol):
    """What is needed of a timer."""

    repeat_ns: int

    def arm(self, delay_ns: int) -> None: ...
    def disarm(self) -> None: ...
    def delete(self) -> None: ...


class SamplerLimits(msgspec.Struct, frozen=True):  # a dataclass would take 1 to 3 ms of each start
    """Every limit of the sampler. With the defaults: 100 ms give about 50 samples (25 by CPU time at 250 Hz),
    1 s 165, 60 s 290.

    On a virtual machine a sample at 30 frames costs some 50 us by the real clock, half of it for the signal
    and the timer: one in 2 ms keeps the sum below 4 % there. By CPU time it costs 25 us.
    """

    interval_ns: int = 2_000_000  # the shortest distance of two samples
    fine_share: int = 50  # a sample stands for at most 1/50 of the time so far ...
    fine_samples: int = 250
    coarse_share: int = 12  # ... and after 250 samples for at most 1/12
    samples: int = 400
    depth: int = 200  # frames of a stack; the innermost are kept
    stacks: int = 50_000  # different stacks that a worker tells of; more are dropped and counted
    cached_stacks: int = 20_000  # different looks, and codes looked at, that the cache holds
    unseen_wait_ns: int = 20_000_000  # a wait in an invocation that goes by CPU time is looked at after this


def next_interval_ns(limits: SamplerLimits, elapsed_ns: int, samples: int) -> int:
    """How long after this sample the next one is due, in ns."""
    share = limits.fine_share if samples < limits.fine_samples else limits.coarse_share
    return max(limits.interval_ns, elapsed_ns // share)


def voluntary_switches() -> int:
    """How often this thread has given up the CPU to wait; that others took it away does not count."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class Rhythm:
    """Two one-shot timers that send the same signal. Times are of the caller's clocks, in ns.

    Programming the hardware timer costs 7 us. So if invocations follow each other, the end of one leaves a
    shot alone that is due soon: the next invocation takes it over, or it comes once and is ignored.
    """

    __slots__ = (
        "_begun",
        "_by_cpu",
        "_checking",
        "_cpu",
        "_cpu_armed",
        "_cpu_begun",
        "_cpu_clock",
        "_cpu_delay_ns",
        "_due",
        "_ended",
        "_limits",
        "_number",
        "_random",
        "_repeat_ns",
        "_switches",
        "_switches_before",
        "_tick_ns",
        "_waits",
        "_wall",
        "first_ns",
        "seldom",
    )

    def __init__(
        self,
        limits: SamplerLimits,
        wall: Timer,
        cpu: Timer | None = None,
        tick_ns: int = 0,
        *,
        cpu_clock: Callable[[], int] = time.thread_time_ns,
        switches: Callable[[], int] = voluntary_switches,
        repeat_ns: int = 0,
    ) -> None:
        """`cpu`: a timer on the thread's CPU time, which fires in a tick, `tick_ns` apart. `repeat_ns`: after
        which signals of the other one come again."""
        self._limits = limits
        self._repeat_ns = repeat_ns
        self._wall = wall
        self._cpu = cpu
        self._tick_ns = tick_ns
        self._due = 0  # when the shot by the real clock comes; in the past if none is on its way
        self._cpu_armed = False  # for the next tick or soon after
        self._cpu_delay_ns = _SOON_NS  # after so much CPU time its shot was asked for
        self._by_cpu = False
        self._waits = 1  # checked invocations that must not wait before one goes by CPU time
        self._number = 0
        self._begun = self._cpu_begun = 0
        self._ended = 0  # when the invocation before ended; 0: there was none
        self.seldom = False
        """Whether this invocation began after a pause."""
        self._cpu_clock = cpu_clock
        self._switches = switches
        self._switches_before = 0
        self._checking = False
        self._random = int.from_bytes(os.urandom(8), "big")
        self.first_ns = limits.interval_ns
        """What the first sample of an invocation stands for."""

    def begin(self, now: int, cpu: int, *, loading: bool = False) -> None:
        """An invocation begins, or the loading of a module, which may always wait."""
        number = self._number = self._number + 1
        self._checking = (
            self._cpu is not None
            and not loading
            and (number <= _CHECK_ALL or not number % _CHECK_EVERY or now - self._begun > _SELDOM_NS)
        )
        if self._checking:
            self._switches_before = self._switches()
        self._begun, self._cpu_begun = now, cpu
        self.seldom = 0 < self._ended < now - _SELDOM_NS
        limits = self._limits
        interval = limits.interval_ns
        if self._cpu is not None and not self._waits and not loading:
            self._by_cpu = True
            self.first_ns = max(interval, self._tick_ns)
            if not self._cpu_armed:
                self._cpu_armed = True
                self._arm_cpu(interval)
            if now >= self._due:
                self._shoot(now, limits.unseen_wait_ns)
            return
        self._by_cpu = self._cpu_armed = False
        self.first_ns = interval
        ahead = self._due - now
        if ahead <= 0 or ahead > interval + (interval >> 2):
            # On with the grid, shifted a little so that a caller's rhythm never stays in step with it.
            delay = interval - (-ahead) % interval + ((self._draw() - 512) * interval >> 12)
            self._shoot(now, delay if delay > 0 else delay + interval)

    def late(self, now: int) -> int:
        """How long ago the signal was due that has come; 0 or less if it was not sent by the real clock."""
        late_ns = now - self._due
        return late_ns % self._repeat_ns if late_ns > 0 and self._repeat_ns else late_ns

    def shot(self, now: int, elapsed_ns: int, wall_ns: int, cpu_ns: int, samples: int) -> bool:
        """A signal has come, `elapsed_ns` into the invocation, `wall_ns` and `cpu_ns` after the last look.

        Arms the next. Whether this one is a look, the invocation's `samples`th.
        """
        limits = self._limits
        if self._by_cpu:
            if now < self._due:
                self._next_by_cpu(now, elapsed_ns, samples)
                return True
            if wall_ns - cpu_ns <= limits.interval_ns or not self._may_have_waited():
                # It has computed, or others had the CPU: CPU time brings the looks.
                if cpu_ns >= max(self._cpu_delay_ns, self._tick_ns):  # and this one is overdue
                    self._next_by_cpu(now, elapsed_ns, samples)
                    return True
                self._shoot(now, limits.unseen_wait_ns)
                if cpu_ns >= self._cpu_delay_ns and self._cpu is not None:  # its shot may be this one, too
                    self._cpu.arm(_SOON_NS)
                return False
            self._by_cpu = self._cpu_armed = False
            self._waits = _WAITING_KEPT
        if samples < limits.samples:
            interval = next_interval_ns(limits, elapsed_ns, samples)
            if min(now - self._due, cpu_ns) > limits.interval_ns >> 3:
                # Late though on the CPU: native code, which a signal disturbs three times as much.
                interval = max(interval, 2 * limits.interval_ns)
            # +- 1/4, so that no rhythm of the code stays in step
            self._shoot(now, interval * (768 + (self._draw() >> 1)) >> 10)
        return True

    def _may_have_waited(self) -> bool:
        return not self._checking or self._switches() != self._switches_before

    def _next_by_cpu(self, now: int, elapsed_ns: int, samples: int) -> None:
        limits = self._limits
        interval = next_interval_ns(limits, elapsed_ns, samples)
        unseen_ns = max(limits.unseen_wait_ns, 2 * interval)
        if self._due - now < unseen_ns >> 1:  # cheap: the next tick comes before it
            self._shoot(now, unseen_ns)
        self._cpu_armed = False
        if samples < limits.samples:
            self._arm_cpu(interval)
            self._cpu_armed = interval == limits.interval_ns

    def _arm_cpu(self, interval_ns: int) -> None:
        """The tick that ends the interval brings the shot: the first one after all of it but a tick."""
        if self._cpu is not None:
            self._cpu_delay_ns = max(interval_ns - self._tick_ns, _SOON_NS)
            self._cpu.arm(self._cpu_delay_ns)

    def missed(self) -> None:
        """A signal has come between two invocations; it may be one that comes again."""
        self._cpu_armed = False
        if self._repeat_ns:
            self._wall.disarm()

    def overrun(self, now: int) -> None:
        """A signal has come while its predecessor's look went on, which then brings no other one."""
        interval = self._limits.interval_ns
        if self._by_cpu:
            self._shoot(now, self._limits.unseen_wait_ns)
            self._arm_cpu(interval)
        else:
            self._shoot(now, 2 * interval)

    def end(self, now: int) -> None:
        """The invocation is over."""
        interval = self._limits.interval_ns
        self._ended = now
        ahead = self._due - now
        if ahead > 0 and (self.seldom or (not self._by_cpu and ahead > interval + interval // 4)):
            self._wall.disarm()
            self._due = now - self._draw() * interval // 1024
        if self._checking:
            wall_ns = now - self._begun
            off_ns = wall_ns - (self._cpu_clock() - self._cpu_begun)
            if off_ns > max(_BRIEF_NS, wall_ns // _BRIEF_SHARE) and self._may_have_waited():
                self._waits = _WAITING_KEPT
            elif self._waits:
                self._waits -= 1

    def close(self) -> None:
        """No shot comes any more, but one that is on its way; the timers are still to be deleted."""
        self._wall.disarm()
        if self._cpu is not None:
            self._cpu.disarm()

    def delete(self) -> None:
        """Give the timers back."""
        self._wall.delete()
        if self._cpu is not None:
            self._cpu.delete()

    def _shoot(self, now: int, delay_ns: int) -> None:
        self._due = now + delay_ns
        self._wall.arm(delay_ns)

    def _draw(self) -> int:
        """0..1023, from a generator of our own."""
        self._random = (self._random * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        return self._random >> 54
