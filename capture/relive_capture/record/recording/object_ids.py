"""Which ObjectIds of bson an invocation made: as runs, in which each is the one before it, and one."""

from __future__ import annotations

from typing import Final

__all__ = ["COUNTER", "ObjectIds"]

COUNTER: Final = 2**24
"""So many values the counter in them has."""
_TOGETHER: Final = 1_000
_RUNS: Final = 5_000


class ObjectIds:
    """They are kept as they are made, and put together now and then."""

    __slots__ = ("_new", "_runs", "left_out")

    def __init__(self) -> None:
        self._new: list[tuple[int, bytes, int]] = []
        self._runs: list[tuple[int, bytes, int, int]] = []
        self.left_out = 0

    def add(self, seconds: int, random: bytes, number: int) -> None:
        """One was made: when (since the epoch), the random number of the process, and the counter."""
        self._new.append((seconds, random, number))
        if len(self._new) >= _TOGETHER:
            self._put_together()

    def runs(self) -> list[tuple[bytes, int]]:
        """(the first one, how many), in the order in which they were made."""
        self._put_together()
        return [
            (seconds.to_bytes(4, "big") + random + number.to_bytes(3, "big"), count)
            for seconds, random, number, count in self._runs
        ]

    def _put_together(self) -> None:
        new, self._new = self._new, []
        runs = self._runs
        for seconds, random, number in new:
            last = runs[-1] if runs else None
            if last and last[:2] == (seconds, random) and (last[2] + last[3]) % COUNTER == number:
                runs[-1] = (*last[:3], last[3] + 1)
            elif len(runs) < _RUNS and not self.left_out:
                runs.append((seconds, random, number, 1))
            else:
                self.left_out += 1
