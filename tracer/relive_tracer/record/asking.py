"""One time that the callbacks of observable instruments are asked: which of them takes how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["Round"]

_NS: Final = 1_000_000_000
_GONE: Final = "and is not asked any more in this worker"


class Round:
    """All callbacks together have `limit_ns`. Written by the thread that asks, read by others, too."""

    __slots__ = ("_began_ns", "_clock", "_limit_ns", "_now", "_slowest", "_took_ns", "_until_ns", "told")

    def __init__(self, clock: Callable[[], int], limit_ns: int) -> None:
        self._clock = clock
        self._limit_ns = limit_ns
        self._until_ns = clock() + limit_ns
        self._began_ns = 0
        self._now: tuple[str, list[Any], Any] | None = None  # name of the instrument, its callbacks, this one
        self._slowest: tuple[str, list[Any], Any, bool] | None = None  # and whether it was interrupted
        self._took_ns = -1
        self.told = False  # that one hangs

    @property
    def over(self) -> bool:
        """Whether the time is."""
        return self._clock() >= self._until_ns

    def begin(self, name: str, callbacks: list[Any], callback: Any) -> None:
        """This one is asked now."""
        self._began_ns = self._clock()
        self._now = name, callbacks, callback

    def end(self, interrupted: bool) -> None:
        """It has answered, or was `interrupted`; nothing if that is known."""
        now, self._now = self._now, None
        if now is None:
            return
        took_ns = self._clock() - self._began_ns
        if took_ns > self._took_ns:
            self._took_ns = took_ns
            self._slowest = *now, interrupted

    def drop(self) -> str:
        """Ask the slowest one no more; what there is to say of that."""
        if self._slowest is None:
            return ""
        name, callbacks, callback, interrupted = self._slowest
        # By identity: an __eq__ may be the user's.
        callbacks[:] = [one for one in callbacks if one is not callback]
        limit_s, took_s = self._limit_ns / _NS, self._took_ns / _NS
        who = f"a callback of the instrument {name!r}"
        if interrupted:
            return f"{who} was interrupted after {limit_s:g} s (RELIVE_OBSERVE_LIMIT_S), {_GONE}"
        text = f"{who} took {took_s:.3g} s, the longest of those that have {limit_s:g} s together"
        return f"{text} (RELIVE_OBSERVE_LIMIT_S), {_GONE}"

    def hangs(self) -> str:
        """What there is to say, once, of one that does not come back; "": nothing."""
        now = self._now
        if self.told or now is None or not self.over:
            return ""
        self.told = True
        took_s = (self._clock() - self._began_ns) / _NS
        return (
            f"a callback of the instrument {now[0]!r} has run for {took_s:.3g} s in a thread, where nothing"
            " can interrupt it: no callback is asked in this worker until it comes back"
            f" (they have {self._limit_ns / _NS:g} s together, RELIVE_OBSERVE_LIMIT_S)"
        )
