"""A replay that can be gone back in: the handler runs once with a trail, and again up to any of its steps."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from time import monotonic_ns, process_time_ns  # the real ones, whatever `time` has by then
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from relive_base.wire.messages import FunctionSpec, Invoke
from relive_capture.record.frames import InApp
from relive_capture.record.playback import TRAIL_STEPS, Player
from relive_runtime.travel.checkpoints import Checkpoint, Checkpoints, Pace
from relive_runtime.travel.effects import Effects
from relive_runtime.travel.forking import same_pid, standing
from relive_runtime.travel.last_resort import LastResort
from relive_runtime.travel.starving import starved_ns
from relive_runtime.travel.stem import Child, Stem
from relive_runtime.travel.tracers import make_tracer
from relive_runtime.travel.tracing import Tracer
from relive_runtime.travel.trail import NOBODY, Trail
from relive_runtime.worker.limits.deadline import DeadlineTimer, HandlerTimeout

if TYPE_CHECKING:
    from relive_capture.record.playback.virtual_clock import VirtualClock
    from relive_runtime.travel.playing import Run

__all__ = ["Traveller"]

STEPS: Final = TRAIL_STEPS
"""Of a trail: 40 MB."""
_PACE: Final = Pace()
_LOOK_NS: Final = 500_000_000
_STILL: Final = 4
"""After so many looks without a step, a reading of the clock or any work, it stands still; looks in which it
mostly waited for a CPU do not count."""
_IDLE_NS: Final = 20_000_000
_CPU_NS: Final = 300_000_000_000
_ONE_CALL: Final = 2.0
"""Times the function's limit, of CPU time without a step: one call of compiled code has run into it."""
_DEAF_NS: Final = 5_000_000_000
"""More of that time: the call lets no signal be handled, and only the end of the process ends it."""
_MB: Final = 1_048_576
_SECOND_NS: Final = 1_000_000_000


class Traveller:
    """One per worker of such a replay."""

    def __init__(
        self,
        spec: FunctionSpec,
        player: Player,
        steps: int = STEPS,
        pace: Pace = _PACE,
        look_ns: int = _LOOK_NS,
    ) -> None:
        """`pace`: how often checkpoints are made; `look_ns`: how often it is looked whether a run stands
        still."""
        self.in_app = InApp.of(spec, here=True)
        self.trail = Trail()
        self.stem: Stem | None = None
        self.expire: Callable[[HandlerTimeout], None] | None = None
        """Told of the time limit, if it is not to be raised where the clock moves."""
        self.noticed: Callable[[], BaseException | None] | None = None
        """What a framework has caught and answered for, once the handler has come to its end."""
        self.notes: list[str] = []
        """What the person should know."""
        self._name = spec.name
        self._player = player
        self._timeout_s = player.timeout_s or spec.timeout_s
        self._steps = steps
        self._pace = pace
        self._look_ns = look_ns
        self._clock: VirtualClock | None = None
        self._timer: DeadlineTimer | None = None
        self._over = self._ended = False
        self._still = 0
        self._seen = (0, 0)
        self._own_ns = 0  # CPU time that the looks themselves have taken
        self._starved_ns = self._looked_ns = 0
        self._moved_ns = 0  # CPU time when the clock was seen to have moved last
        self._one_call_ns = min(round(_ONE_CALL * self._timeout_s * _SECOND_NS), _CPU_NS)
        self._last_resort: LastResort | None = None
        self._began_ns = process_time_ns()
        self._child: Child | None = None
        self._run: Run | None = None
        self._tracer: Tracer | None = None
        self._checkpoints: Checkpoints | None = None

    def own(self, file: str) -> bool:
        """Whether a file is of the application."""
        return self.in_app.place(file)[0]

    def watch(self, timer: DeadlineTimer) -> None:
        """Have `timer` look whether the first run stands still: what waits for a lock moves no clock of
        ours."""
        timer.beside = self._look
        self._timer = timer

    def _look(self, _frame: FrameType | None) -> None:
        clock, timer = self._clock, self._timer
        if clock is None or timer is None or self._over:
            return
        cpu_ns, starved, at_ns = process_time_ns(), starved_ns(), monotonic_ns()
        now = (clock.passed_ns, (cpu_ns - self._own_ns) // _IDLE_NS)
        if now != self._seen:
            self._still = 0
        elif (
            2 * (starved - self._starved_ns) < at_ns - self._looked_ns
        ):  # else it may want to work, and cannot
            self._still += 1
        if now[0] != self._seen[0]:
            self._moved_ns = cpu_ns
        self._seen, self._starved_ns, self._looked_ns = now, starved, at_ns
        one_call = cpu_ns - self._moved_ns > self._one_call_ns
        if self._still >= _STILL or one_call or cpu_ns - self._began_ns > _CPU_NS:
            self._over = True
            did = "was computing in one call" if one_call else "was waiting for something that never came"
            self.notes.append(f"the time limit struck in earnest: code {did}")
            self._rest()
            self._timed_out()
            return
        self._own_ns += process_time_ns() - cpu_ns
        self._shoot()

    def begin(self, invoke: Invoke) -> Invoke:
        """Before anything of the handler's runs: clock and chance are set, and the stem is split off. What
        has gone on
        from the stem never comes back out of `call`. Gives the event with its deadline on that clock."""
        clock = self._clock = self._player.travel()
        clock.deadline_ns = int(self._timeout_s * _SECOND_NS)
        clock.on_deadline = self._timed_out
        self._player.undo.set(os, "getpid", same_pid())
        if clock.problem:
            self.notes.append(f"the time of day is today's: {clock.problem}")
        others = threading.active_count() - 1
        if others:
            self.notes.append(
                f"{others} thread{'s' * (others > 1)} that the module has started run in the first run alone"
            )
        invoke = msgspec.structs.replace(
            invoke, deadline_monotonic_ns=time.monotonic_ns() + clock.deadline_ns - clock.passed_ns
        )
        apart = self._player.apart()
        split = Stem.split(partial(_both, standing(), self._player.chance), settle=True)
        if isinstance(split, Child):
            self._child = split
        else:
            self.stem = split
            apart()
        return invoke

    def call(self, call: Callable[[tuple[Any, ...]], Any], arguments: tuple[Any, ...]) -> Any:
        """The handler, on its trail."""
        self.start()
        try:
            return call(
                arguments
            )  # as deep in the stack in every run: how deep is seen by code that recurses
        finally:
            self.over()

    def start(self, mine: Callable[[], bool] | None = None) -> None:
        """Steps begin. `mine`: whether what runs now belongs to the invocation; None: all does."""
        clock = self._clock
        assert clock is not None
        tracer = self._tracer = make_tracer(self.own, self.trail, mine)
        clock.steps = tracer.steps
        sys.setrecursionlimit(sys.getrecursionlimit() + tracer.headroom)
        if self._child is not None:
            self._go_on(self._child, None)
        else:
            effects = Effects()
            checkpoints = self._checkpoints = Checkpoints(
                self.trail, self._steps, self._player.room_mb * _MB, self._pace, clock.tick, self._go_on,
                effects,
            )  # fmt: skip
            self._shoot()
            effects.watch()
            tracer.trailing(checkpoints.look)

    def over(self) -> None:
        """Steps end. Idempotent."""
        tracer, self._over = self._tracer, True
        self._rest()
        if tracer is None or self._ended:
            return
        self._ended = True
        if self._run is not None:
            self._run.end()
        if tracer.displaced:
            self.notes.append(
                "the code has set a trace function of its own: what ran after that has no steps"
            )
        tracer.off()
        sys.setrecursionlimit(sys.getrecursionlimit() - tracer.headroom)
        self._note_checkpoints()

    def _note_checkpoints(self) -> None:
        checkpoints = self._checkpoints
        assert checkpoints is not None
        checkpoints.effects.stop()
        if checkpoints.obstacle:
            begins = "the last one before" if len(checkpoints) else "the start"
            self.notes.append(
                f"steps from {checkpoints.obstacle_step:,} on are run to from {begins}:"
                f" {checkpoints.obstacle}, which copies of the process would not have"
            )

    def _go_on(self, child: Child, frame: FrameType | None) -> None:
        """In a process that was forked off: from the beginning, or where a frame stands."""
        from relive_runtime.travel.playing import Run

        assert self._clock is not None
        assert self._tracer is not None
        if frame is not None:
            self._player.own_files()
        if self._timer is not None:
            self.watch(DeadlineTimer(lambda: False))  # a forked process has none of its parent's timers
            self._last_resort = None
        self._began_ns = self._moved_ns = process_time_ns()  # nor its CPU time
        self._own_ns = 0
        self._shoot()
        self._run = Run(
            child, self._clock, self.own, self.in_app.shown, self._tracer, self.trail, self._arrived,
            self.noticed,
        )  # fmt: skip
        self._run.begin(frame)

    def _arrived(self) -> None:
        """A run stands at its step: from now on it waits for a person."""
        self._over = True
        self._rest()

    def _shoot(self) -> None:
        """Look again after a while; who cannot look is ended."""
        if self._timer is None:
            return
        self._timer.shoot(monotonic_ns() + self._look_ns)
        if self._last_resort is None:
            self._last_resort = LastResort()
        self._last_resort.put_off(self._one_call_ns + _DEAF_NS)

    def _rest(self) -> None:
        if self._last_resort is not None:
            self._last_resort.put_off(0)

    # ------------------------------------------------------------ for the session

    def number(self, frame: FrameType) -> int:
        """Of a frame of the failure."""
        return self._tracer.number(frame) if self._tracer is not None else NOBODY

    def nearest(self, step: int) -> list[Checkpoint]:
        """From which a step can be run to without the way before, the best first."""
        return self._checkpoints.before(step) if self._checkpoints is not None else []

    def nearest_to_frame(self, frame: int) -> list[Checkpoint]:
        """From which a frame can be seen from its beginning on, the best first."""
        return self._checkpoints.before_frame(frame) if self._checkpoints is not None else []

    def drop(self, checkpoint: Checkpoint) -> None:
        """It is of no use any more."""
        if self._checkpoints is not None:
            self._checkpoints.drop(checkpoint)

    def _timed_out(self) -> None:
        assert self._clock is not None
        self._clock.deadline_ns = 0
        error = HandlerTimeout(f"{self._name} ran longer than its {self._timeout_s:g} s")
        if self.expire is None:
            raise error
        self.expire(error)

    def close(self) -> None:
        """Nobody goes back any more."""
        if self._checkpoints is not None:
            self._checkpoints.close()
        if self.stem is not None:
            self.stem.kill()


def _both(first: Callable[[], None], second: Callable[[], None]) -> None:
    first()
    second()
