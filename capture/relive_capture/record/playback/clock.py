"""The clock of a replay: it shows the recorded start, and goes on from there.

time.time, datetime.now and what else asks for the time of day are moved by the library time-machine, which
changes the C functions themselves. time.monotonic and time.perf_counter, by which event loops and the
deadline go, stay as they are.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Clock"]


class Clock:
    """Moves the time of day of this process. `wanted` False: it is left alone."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._travel: Any = None
        self.problem = ""
        """Why the clock could not be moved; empty if it was, or was not to be."""

    def move(self, wall_ns: int) -> None:
        """Let it be `wall_ns` now."""
        if not self._wanted or wall_ns <= 0:
            return
        try:
            import time_machine
        except Exception as error:  # no build for this interpreter: the replay goes on with today's time
            self.problem = f"time-machine cannot be imported: {type(error).__name__}: {error}"[:300]
            return
        if self._travel is not None:
            self._travel.stop()
            self._travel = None
        try:
            travel = time_machine.travel(wall_ns / 1e9, tick=True)
            travel.start()
        except Exception as error:  # a time that there is not
            self.problem = f"{type(error).__name__}: {error}"[:300]
        else:
            self._travel = travel

    def leave(self) -> None:
        """Let it be today again."""
        travel, self._travel = self._travel, None
        if travel is not None:
            travel.stop()
