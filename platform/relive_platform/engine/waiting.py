"""Attempts that wait for a worker of their function, the first one first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from relive_platform.engine.attempt import Attempt

__all__ = ["Waiting"]


class Waiting(deque[Attempt]):
    """Of one function version. `on_waited` hears of those that leave it without a worker: their caller has
    gone, or they have waited for too long."""

    def __init__(self, limit: int, wait_limit_s: float, on_waited: Callable[[Attempt], None]) -> None:
        super().__init__()
        self._limit = limit
        self._wait_limit_s = wait_limit_s
        self._on_waited = on_waited

    def join(self, attempt: Attempt) -> bool:
        """One more, at the end. False: too many wait already."""
        if len(self) >= self._limit:
            return False
        self.append(attempt)
        return True

    def rejoin(self, attempts: Iterable[Attempt]) -> None:
        """They had a worker, and could not begin: they come before all others, whatever the limit says."""
        self.extendleft(reversed(list(attempts)))

    def next(self) -> Attempt | None:
        """The first one that somebody still waits for leaves."""
        while self:
            attempt = self.popleft()
            if not attempt.waiter.done():
                return attempt
            self._on_waited(attempt)
        return None

    def first(self, fits: Callable[[Attempt], bool]) -> Attempt | None:
        """The first one that `fits` leaves, past those that do not."""
        for index, attempt in enumerate(self):
            if fits(attempt) and not attempt.waiter.done():
                del self[index]
                return attempt
        return None

    def expire(self, now_mono: float) -> None:
        """Those at the front that have waited for too long leave."""
        while self and self._too_long(self[0], now_mono):
            self._on_waited(self.popleft())

    def _too_long(self, attempt: Attempt, now_mono: float) -> bool:
        limit_s = self._wait_limit_s
        if attempt.request.trigger == "call":
            limit_s = min(limit_s, attempt.timeout_s)
        return now_mono - attempt.accepted_mono > limit_s
