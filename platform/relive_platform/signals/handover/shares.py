"""Room for what waits to be spooled, shared among functions: a flood of one leaves the others theirs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["SPOOL_BYTES_PER_S", "Shares"]

PRESSURE: Final = 0.5
"""A spool that is fuller than this is filled by somebody faster than the store empties it."""
SPOOL_BYTES_PER_S: Final = 512 * 1024
"""Of spans and log lines of one function into a spool that is half full; less the fuller it is."""
_BURST_S: Final = 2.0


class Shares:
    """Amounts by function. One may hold as much as is free: one that floods gets half of all room, two a
    third each, and so on, and there is always room left for one that comes then."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self.pressure = 0.0  # how full the spool is, from 0 to 1
        self._limit = limit
        self._held: dict[str, int] = {}
        self._tokens: dict[str, tuple[float, float]] = {}  # bytes, and when that was
        self._clock = clock

    def admits(self, function: str, amount: int) -> bool:
        """Whether there is room for it."""
        return self._held.get(function, 0) + amount <= self._limit - self.total - amount

    def paced(self, function: str, amount: int) -> bool:
        """Whether the function keeps to its rate; there is none while the spool has room."""
        if self.pressure <= PRESSURE:
            if self._tokens:
                self._tokens.clear()
            return True
        rate = SPOOL_BYTES_PER_S * max(1.0 - self.pressure, 0.0) / (1.0 - PRESSURE)
        now = self._clock()
        tokens, since = self._tokens.get(function, (rate * _BURST_S, now))
        tokens = min(tokens + (now - since) * rate, rate * _BURST_S)
        fits = tokens >= amount
        self._tokens[function] = (tokens - amount if fits else tokens, now)
        return fits

    def add(self, function: str, amount: int) -> None:
        """It waits now."""
        self.total += amount
        self._held[function] = self._held.get(function, 0) + amount

    def free(self, amounts: dict[str, int]) -> None:
        """These wait no more."""
        held = self._held
        for function, amount in amounts.items():
            self.total -= amount
            left = held.get(function, 0) - amount
            if left > 0:
                held[function] = left
            else:
                held.pop(function, None)
