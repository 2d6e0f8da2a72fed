"""One player per replay's worker: calls, chance and clock, as they were."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from glob import glob
from os import getpid  # the real one: runs of a session all have the same in `os`
from tempfile import gettempdir
from typing import TYPE_CHECKING

import msgspec

from relive_capture.record.playback.calls import HINT, PlayedCalls
from relive_capture.record.playback.chance import Dice
from relive_capture.record.playback.clock import Clock
from relive_capture.recording_format import PlaybackReport, ReplayInput, WatchedPlace

if TYPE_CHECKING:
    from relive_capture.record.playback.files import Overlay
    from relive_capture.record.playback.virtual_clock import VirtualClock

__all__ = ["TRAIL_STEPS", "Player"]

_KEPT = 100
_FOLDERS = ("HOME", "TMPDIR", "PATH")
"""Variables that are each worker's own."""
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
        self._overlay: Overlay | None = None
        self._unchanged = ""
        self._not_there: list[str] = []

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
        if script.init_seeds is not None:
            self._dice.set(script.init_seeds)
            self.object_ids = deque(script.init_seeds.object_ids)

    def surround(self, skipped: tuple[str, ...], scratch: str) -> None:
        """Give it the files and the variables that it had. `skipped`: beginnings of paths that are as they
        are; `scratch`: where what it writes may go. Call it before `install`."""
        script = self._script
        folders = {name: os.environ[name] for name in _FOLDERS if name in os.environ}
        self._set_variables()
        if script.live:
            return
        from relive_capture.record.playback.files import Overlay, play_files

        root = os.path.realpath(f"{scratch or gettempdir()}/relive-files-{os.getpid()}-{time.monotonic_ns()}")
        self.undo.add(partial(_remove, root))
        recorded = script.variables
        aliases = {
            folders[name]: recorded.get(name) or folders[name]
            for name in ("HOME", "TMPDIR")
            if name in folders
        }
        private = bool(scratch) and not script.travel  # in which each run is to find what the first one found
        self._overlay = overlay = Overlay(root, skipped, aliases if scratch else {}, private=private)
        overlay.add(script.init_files)
        play_files(overlay, self.undo)

    def _set_variables(self) -> None:
        script = self._script
        for name, value in script.variables.items():
            if name in _FOLDERS or os.environ.get(name) == value:
                continue
            before = os.environ.get(name)
            self.undo.add(partial(_set_variable, name, before))
            _set_variable(name, value)
        self._not_there = [name for name in script.hidden if name not in os.environ]

    def begin(self, started_ns: int) -> None:
        """The handler is about to be called."""
        self.recorded_calls.drop("init")
        overlay = self._overlay
        if overlay is not None:
            with overlay.asleep():
                overlay.add(self._script.files)
        self._dice.set(self._script.seeds)
        self.object_ids = deque(self._script.seeds.object_ids)
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

    @property
    def room_mb(self) -> int:
        """What checkpoints of such a run may hold, beside what the function may."""
        return self._script.room_mb

    def chance(self) -> None:
        """Let chance stand where it stood at `travel`: in a process that was forked off since, which has
        reseeded it."""
        self._dice.same(self._script.seeds.wall_ns)
        self._dice.set(self._script.seeds)
        self.object_ids = deque(self._script.seeds.object_ids)
        self.own_files()

    def own_files(self) -> None:
        """In a process that was forked off: nobody else is to see what it changes. Call it in one that
        has not changed anything."""
        overlay = self._overlay
        if overlay is not None:
            overlay.root = self._unchanged
            overlay.root = overlay.copied(str(getpid()))

    def apart(self) -> Callable[[], None]:
        """Before a process is forked off that is to see no change of this one's files. What is given back is
        called here afterwards."""
        overlay = self._overlay
        if overlay is None:
            return lambda: None
        self._unchanged = overlay.root
        return partial(setattr, overlay, "root", overlay.copied("first"))

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
            unasked=recorded_calls.unasked()[:_KEPT],
            files=_unlike(self._overlay),
            variables=self._not_there[:_KEPT],
        )


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
    if name == "TZ":
        time.tzset()


def _unlike(overlay: Overlay | None) -> dict[str, str]:
    """Files that were not read as they are on this machine today, and those of which nothing is recorded."""
    if overlay is None:
        return {}
    told = [(path, how) for path, how in overlay.seen.items() if how != "same"]
    return dict(told[:_KEPT])


def _remove(root: str) -> None:
    for folder in glob(f"{root}*"):
        shutil.rmtree(folder, ignore_errors=True)
