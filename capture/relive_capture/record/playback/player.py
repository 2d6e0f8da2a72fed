"""One player per replay's worker: calls, chance and clock, as they were."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from relive_capture.record.playback.calls import HINT, PlayedCalls
from relive_capture.record.playback.chance import Dice
from relive_capture.record.playback.clock import Clock
from relive_capture.recording_format import PlaybackReport, ReplayInput, WatchedPlace

if TYPE_CHECKING:
    from relive_capture.record.playback.virtual_clock import VirtualClock

__all__ = ["TRAIL_STEPS", "Player"]

_KEPT = 100
TRAIL_STEPS = 5_000_000
"""Of a run that can be gone back in; what comes after them is not gone back to."""


class Player(PlayedCalls):
    """`install` before the module is loaded, `begin` and `end` around the invocation."""

    def __init__(self, script: ReplayInput, redact_keys: Iterable[str] = (), hint: str = HINT) -> None:
        super().__init__(script, redact_keys, hint)
        self.globals: dict[str, str] = {}
        """Of the application's modules, as they were loaded."""
        self._dice = Dice()
        self._clock = Clock(script.clock)

    @classmethod
    def of(cls, data: bytes, redact_keys: Iterable[str], hint: str = "") -> Player:
        """From a FunctionSpec's `replay`. Raises msgspec.DecodeError."""
        return cls(msgspec.msgpack.decode(data, type=ReplayInput), redact_keys, hint or HINT)

    def install(self) -> None:
        """Take the network away, and set clock and chance for the loading of the module."""
        script = self._script
        self._dice.install(self.undo)
        self.undo.add(self._clock.leave)
        if not script.live:
            from relive_capture.record.playback.libraries import play_libraries

            play_libraries(self)
        seeds = script.init_seeds or script.seeds
        self._clock.move(seeds.wall_ns)
        self._dice.set(script.init_seeds) if script.init_seeds is not None else None

    def begin(self, started_ns: int) -> None:
        """The handler is about to be called."""
        self.recorded_calls.drop("init")
        self._dice.set(self._script.seeds)
        self._clock.move(self._script.seeds.wall_ns)

    def travel(self) -> VirtualClock:
        """From `begin` on every run is to go the same way: one virtual clock, and new random bytes that are
        the same each
        time."""
        from relive_capture.record.playback.virtual_clock import VirtualClock

        seeds = self._script.seeds
        self._clock.leave()
        wall_ns = seeds.wall_ns if seeds.wall_ns > 0 else time.time_ns()
        clock = VirtualClock(wall_ns, seeds.monotonic_ns or time.monotonic_ns(), self._step_ns())
        clock.install(self.undo)
        self._dice.same(seeds.wall_ns)
        return clock

    @property
    def watched(self) -> list[WatchedPlace]:
        """Places of the recorded failure."""
        return self._script.watched

    def _step_ns(self) -> int:
        """How far each step moves that clock: so little that no limit is reached by steps alone in a run
        whose failure was another one. Lines take from 10 ns on, and nobody knows how long each took."""
        from relive_capture.record.playback.virtual_clock import STEP_NS

        limit_ns = int(self._script.timeout_s * 1e9)
        if self._script.out_of_time or limit_ns <= 0:
            return STEP_NS
        return max(min(STEP_NS, limit_ns // (2 * TRAIL_STEPS)), 1)

    @property
    def travels(self) -> bool:
        """Whether the script asks for `travel`."""
        return self._script.travel

    @property
    def timeout_s(self) -> float:
        """Of the function, on the clock of such a run."""
        return self._script.timeout_s

    def chance(self) -> None:
        """Let chance stand where it stood at `travel`: in a process that was forked off since, which has
        reseeded it."""
        self._dice.same(self._script.seeds.wall_ns)
        self._dice.set(self._script.seeds)

    def end(self) -> None:
        """It is over."""

    def uninstall(self) -> None:
        """Put this process back as it was before `install`."""
        self.undo.undo()

    def report(self) -> PlaybackReport:
        """What became of the calls."""
        recorded_calls = self.recorded_calls
        return PlaybackReport(
            answered=recorded_calls.answered,
            missing=recorded_calls.missing[:_KEPT],
            unused=recorded_calls.unused()[:_KEPT] if not self._script.live else [],
            differing=recorded_calls.differing[:_KEPT],
            redacted=recorded_calls.redacted[:_KEPT],
            drawn=self._dice.drawn,
            clock=self._clock.problem,
            globals=self.globals,
            given=recorded_calls.given[:_KEPT],
        )
