"""Processes that stand in the middle of the first run: what is asked about a later step goes on from the last
one
before it.

The last few are kept, and a spread of the older ones: as their number or what they may hold grows, so does
the time between them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time_ns
from types import FrameType
from typing import Final

from relive_runtime.travel.effects import Effects
from relive_runtime.travel.forking import standing
from relive_runtime.travel.stem import Child, Stem
from relive_runtime.travel.tracing import ROOM, TICK
from relive_runtime.travel.trail import Trail

__all__ = ["Checkpoint", "Checkpoints", "Pace", "kept"]

_MOST: Final = 24
_LAST: Final = 4
_COARSE: Final = 4
_STRIDE: Final = 256
_SHORT_NS: Final = 1_000_000
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Pace:
    """`fine_ns`: CPU time of the first run between two at first; at least `forks` times what a fork takes."""

    fine_ns: int = 10_000_000
    forks: int = 20


@dataclass(slots=True)
class Checkpoint:
    """`step` is about to run, and so many frames have begun."""

    stem: Stem
    step: int
    frames: int
    at_ns: int


@dataclass(slots=True)
class Checkpoints:
    """Of one first run. `room_bytes`: what all of them may hold. `tick`: called after each 1,024th step;
    `enter` goes on in a child, at a frame."""

    trail: Trail
    limit: int
    room_bytes: int
    pace: Pace
    tick: Callable[[], None]
    enter: Callable[[Child, FrameType], None]
    effects: Effects
    obstacle: str = ""
    """Why there is none from some step on, or none at all."""
    obstacle_step: int = 0
    _found: list[Checkpoint] = field(default_factory=list)
    _looked_ns: int = field(default_factory=process_time_ns)
    _fine_ns: int = 0
    _next_ns: int = 0
    _stride: int = 1
    _child: bool = False

    def look(self, frame: FrameType) -> int:
        """For `Tracer.trailing`."""
        trail = self.trail
        if len(trail) > self.limit:
            trail.steps.pop()
            trail.cut = True
            return self.limit + 1
        count = len(trail)
        if not self._child:
            self._consider(frame)
        if count % TICK == 0:
            self.tick()
        following = count - count % TICK + TICK
        return following if self._child else min(following, count + self._stride)

    def before(self, step: int) -> list[Checkpoint]:
        """Those from which a step can be run to, the nearest first."""
        return [found for found in reversed(self._found) if found.step <= step]

    def before_frame(self, frame: int) -> list[Checkpoint]:
        """Those from which a frame can be seen from its beginning on, the nearest first."""
        return [found for found in reversed(self._found) if found.frames <= frame]

    def __len__(self) -> int:
        return len(self._found)

    def drop(self, checkpoint: Checkpoint) -> None:
        """It is of no use any more."""
        checkpoint.stem.kill()
        self._found.remove(checkpoint)

    def close(self) -> None:
        """Nobody goes back any more."""
        for found in self._found:
            found.stem.kill()
        self._found = []

    # ------------------------------------------------------------ making them

    def _consider(self, frame: FrameType) -> None:
        now = process_time_ns()
        if now - self._looked_ns > _SHORT_NS:
            self._stride = max(self._stride // 4, 1)
        elif self._stride < _STRIDE:
            self._stride *= 2
        self._looked_ns = now
        if not self._next_ns:
            self._fine_ns = self.pace.fine_ns
            self._next_ns = now + self._fine_ns
        if now < self._next_ns:
            return
        self._next_ns = now + self._fine_ns
        obstacle = self.effects.obstacle({found.stem.descriptor for found in self._found})
        most = 0 if obstacle else self._most()
        if most:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(limit + ROOM)  # the code may be as deep as it may go
            try:
                self._make(frame, now, most)
            except OSError as error:  # of processes, or of memory, there is not enough for one more
                obstacle = f"no copy of it can be made ({error.strerror})"
                self.effects.on = True
            finally:
                sys.setrecursionlimit(limit)
        if (obstacle or not most) and not self.obstacle:
            self.obstacle, self.obstacle_step = obstacle or "it holds too much memory", len(self.trail) - 1

    def _most(self) -> int:
        """How many there may be: each can come to hold all that this process does."""
        with open("/proc/self/statm", "rb") as file:
            words = file.read().split()
        own = (int(words[1]) - int(words[2])) * _PAGE
        return min(_MOST, self.room_bytes // max(own, 1))

    def _make(self, frame: FrameType, now: int, most: int) -> None:
        trail = self.trail
        self.effects.on = False  # the fork is ours
        split = Stem.split(standing(), others=[found.stem for found in self._found])
        if isinstance(split, Child):
            self._child = True
            self._found = []
            try:
                self.enter(split, frame)
            except BaseException:
                os._exit(1)  # nothing but a run may come out of here
            return
        self.effects.on = True
        spent_ns = process_time_ns() - now
        self._fine_ns = max(self._fine_ns, spent_ns * self.pace.forks)
        self._next_ns = now + self._fine_ns
        self._found.append(Checkpoint(split, len(trail) - 1, len(trail.codes), now))
        self._thin(most)

    def _thin(self, most: int) -> None:
        while True:
            times = [found.at_ns for found in self._found]
            stay = kept(times, self._fine_ns * _COARSE, min(_LAST, most - 1))  # beside these, the first
            if len(stay) <= most:
                break
            self._fine_ns *= 2
        for number in reversed(range(len(self._found))):
            if number not in stay:
                self._found.pop(number).stem.kill()


def kept(times: Sequence[int], gap: int, last: int) -> set[int]:
    """Which of them stay: so many of the last, and of the older ones the first in each `gap`."""
    stay: set[int] = set()
    before = -1
    for number, time in enumerate(times):
        if len(times) - number <= last or time // gap != before:
            stay.add(number)
        before = time // gap
    return stay
