"""Breakpoints ahead and logpoints of one function version: which there are, and which hits are meant."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relive_base.errors import NotFound, Refused
from relive_base.wire.messages import Point, PointHit, Points

__all__ = ["POINTS", "ArmedPoint", "PoolPoints"]

POINTS: Final = 10
"""Of one function."""
_HELD: Final = 1_000
"""So many invocations that were held are known, the newest."""
_numbers = itertools.count(1)


@dataclass(slots=True)
class ArmedPoint:
    """One of them. `left`: so many more hits are meant; `until_mono`: for so long. `problem`: why it does not
    work, as a worker has said."""

    point: Point
    left: int
    until_mono: float
    hits: int = 0
    problem: str = ""
    last: str = ""  # the invocation that was there last

    @property
    def breaks(self) -> bool:
        """Whether an invocation is held there."""
        return self.point.text is None


class PoolPoints:
    """On the event loop. `version` is another one whenever workers are to be told."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self.version = 0
        self.judge: Callable[[PointHit, Callable[[bool], None]], None] = self._judge
        """Says of a hit whether it is meant; another one if somebody else has the points."""
        self._mono = mono
        self._armed: list[ArmedPoint] = []
        self._held: dict[str, int] = {}  # by invocation, the try of its event that was held last

    def add(self, point: Point, count: int, for_s: float) -> ArmedPoint:
        """Give it a number, and have it there from now on. Raises Refused."""
        self.look()
        if len(self._armed) >= POINTS:
            raise Refused(f"there are {POINTS} points, the limit of a function", hint="remove one of them")
        point.number = next(_numbers)
        armed = ArmedPoint(point, count, self._mono() + for_s)
        self._armed.append(armed)
        self.version += 1
        return armed

    def remove(self, number: int) -> ArmedPoint:
        """Raises NotFound."""
        found = next((armed for armed in self.listed() if armed.point.number == number), None)
        if found is None:
            raise NotFound(f"there is no point {number}", hint="relive break --list shows them")
        self._drop([found])
        return found

    def listed(self) -> list[ArmedPoint]:
        """Those that are there now."""
        self.look()
        return list(self._armed)

    def left_s(self, armed: ArmedPoint) -> float:
        """For so long it is there."""
        return round(max(armed.until_mono - self._mono(), 0.0), 1)

    def look(self) -> None:
        """Forget those whose time is over."""
        now = self._mono()
        self._drop([armed for armed in self._armed if now >= armed.until_mono])

    def clear(self) -> None:
        """Another version is in service: whoever is at one now passes."""
        self._drop(self._armed)

    def _drop(self, gone: list[ArmedPoint]) -> None:
        if gone:
            self._armed = [armed for armed in self._armed if armed not in gone]
            self.version += 1

    def replace(self, points: list[Point], for_s: float) -> None:
        """Those that somebody else has, who judges the hits; here they are forgotten after `for_s`."""
        self._armed = [ArmedPoint(point, 1, self._mono() + for_s) for point in points]
        self.version += 1

    def _judge(self, hit: PointHit, answer: Callable[[bool], None]) -> None:
        answer(self.hit(hit))

    def message(self) -> Points:
        """What a worker is told."""
        return Points(points=[armed.point for armed in self._armed])

    def hit(self, hit: PointHit) -> bool:
        """A worker is at one. Whether that is one of those that are meant."""
        self.look()
        found = next((armed for armed in self._armed if armed.point.number == hit.number), None)
        if found is None:
            return False
        if hit.problem:
            found.problem = hit.problem[:500]
            return False
        if found.breaks and not self._holds(hit):
            return False
        found.hits += 1
        found.left -= 1
        found.last = hit.invocation_id[:36]
        if not found.left:
            self._drop([found])
        return True

    def _holds(self, hit: PointHit) -> bool:
        """Whether it is not a further try of an event that was held: that one would use up its tries."""
        if hit.attempt > self._held.get(hit.invocation_id, hit.attempt):
            return False
        self._held.pop(hit.invocation_id, None)
        self._held[hit.invocation_id] = hit.attempt
        if len(self._held) > _HELD:
            del self._held[next(iter(self._held))]
        return True
