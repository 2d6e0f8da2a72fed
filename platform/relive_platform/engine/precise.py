"""Which attempts are profiled precisely: so many on request, a share, the one after a slow or failed one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import FunctionSpec, Result

__all__ = ["PreciseProfiles"]

_PRECISE: Final = "precise"
_BOTH: Final = "both"
_SLOW_TIMES: Final = 3.0
_SLOW_NS: Final = 10_000_000
"""Slow is three times as long as usual, and 10 ms longer."""
_REST: Final = 20
"""Attempts between two that are profiled for what came before them: those cost several times as much."""
_STEP: Final = 16  # the usual time moves by 1/16 with each


class PreciseProfiles:
    """Of one pool. Workers whose attempts run beside each other sample them all the same."""

    def __init__(self, spec: FunctionSpec, *, chance: Callable[[], float] = random.random) -> None:
        self._share = spec.precise_share
        self._after = spec.precise_after
        self._chance = chance
        self._asked = 0  # of the next so many, by this engine
        self._engine = _PRECISE
        self._next = False
        self._since = _REST
        self._usual_ns = 0.0

    def ask(self, count: int, engine: str) -> None:
        """The next `count` attempts are profiled with `engine`."""
        self._asked, self._engine = count, engine

    @property
    def asked(self) -> bool:
        """Whether somebody waits for the next ones."""
        return self._asked > 0

    def choose(self) -> str:
        """The engine for the attempt that begins; "": the function's own."""
        if self._asked:
            self._asked -= 1
            return self._engine
        self._since += 1
        if self._next and self._since > _REST:
            self._next, self._since = False, 0
            return _PRECISE
        return _PRECISE if self._share and self._chance() < self._share else ""

    def lost(self) -> None:
        """An attempt ended with its process."""
        if self._after in ("failed", _BOTH):
            self._next = True

    def ended(self, result: Result, profiled: str) -> None:
        """How an attempt ended. What was profiled precisely is no measure of what is usual."""
        if not self._after or profiled:
            return
        took_ns = result.ended_ns - result.started_ns
        usual_ns = self._usual_ns or took_ns
        slow = took_ns > usual_ns * _SLOW_TIMES and took_ns > usual_ns + _SLOW_NS
        failed = result.status != "ok"
        if (slow and self._after in ("slow", _BOTH)) or (failed and self._after in ("failed", _BOTH)):
            self._next = True
        self._usual_ns = usual_ns * (1 + 1 / _STEP if took_ns > usual_ns else 1 - 1 / _STEP)
