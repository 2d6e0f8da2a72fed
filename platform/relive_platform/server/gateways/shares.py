"""How the workers that a function may have are shared out among the gateways: pure functions."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Need", "shares"]

_SAMPLES: Final = 5


@dataclass(slots=True)
class Need:
    """How many workers a process could use, over the last samples. `floor`: it keeps at least so many."""

    floor: int = 1
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    @property
    def least(self) -> int:
        """What it has needed all the time."""
        return min(self.seen) if len(self.seen) == _SAMPLES else 0

    @property
    def most(self) -> int:
        """What it has needed at most."""
        return max(self.seen, default=0)


def shares(total: int, needs: Sequence[Need]) -> list[int]:
    """Of `total` workers, for each: equal parts, the first ones a larger one. Who needs more for a while gets
    what others have not needed; nobody gets less than its floor, as long as there are enough."""
    count = len(needs)
    parts = [0] * count
    left = total
    for index, need in enumerate(needs):
        parts[index] = min(need.floor, left)
        left -= parts[index]
    while left > 0:
        index = min(range(count), key=lambda one: (parts[one], one))
        parts[index] += 1
        left -= 1
    while True:
        poor = [one for one in range(count) if needs[one].least > parts[one]]
        rich = [one for one in range(count) if parts[one] > max(needs[one].most, needs[one].floor)]
        if not poor or not rich:
            return parts
        parts[max(rich, key=lambda one: parts[one] - needs[one].most)] -= 1
        parts[min(poor, key=lambda one: parts[one])] += 1
