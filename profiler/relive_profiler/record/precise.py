"""The precise profile: pyinstrument's own hook for one invocation, folded while it runs.

pyinstrument keeps every sample's stack until the end; folding at once bounds memory by the number of
different stacks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = ["PreciseProfiler", "parse_frame"]

_INTERVAL_S: Final = 0.001
_IMPORTLIB: Final = "<frozen importlib._bootstrap"
_THREAD: Final = "<thread>"

Location = tuple[str, str, int]
Record = tuple[list[Location], int, int, int]  # locations (outermost first), count, wall ns, cpu ns


def parse_frame(info: str) -> Location:
    """pyinstrument's "function NUL file NUL first line SOH attribute..." as function, file, line that ran."""
    identifier, *attributes = info.split("\x01")
    parts = [*identifier.split("\0"), "", ""]
    line = next((a[1:] for a in attributes if a.startswith("l")), parts[2])
    return parts[0], parts[1], int(line) if line.isdigit() else 0


class PreciseProfiler:
    """One invocation on the thread that starts it. It leaves profile hooks of the user's own alone."""

    def __init__(self, max_stacks: int, cpu_clock: Callable[[], int]) -> None:
        self._fold: dict[tuple[str, ...], list[float]] = {}
        self._max_stacks = max_stacks
        self._cpu_clock = cpu_clock
        self._cpu_last = 0
        self._skip = 0
        self._dropped = 0
        self._profiler: Any = None
        self._hook: object = None

    def start(self, outer: FrameType) -> str:
        """Begin. Returns why it cannot, or ""."""
        if sys.getprofile() is not None:
            return "a profile hook is set already"
        try:
            from pyinstrument import Profiler

            profiler = Profiler(interval=_INTERVAL_S, async_mode="disabled")
            profiler._sampler_saw_call_stack = self._saw  # type: ignore[method-assign]
            self._cpu_last = self._cpu_clock()
            profiler.start(caller_frame=outer)
            session = profiler._active_session
            self._skip = len(session.start_call_stack) if session is not None else 0
        except Exception as error:
            # An invocation without a precise profile beats none.
            return f"pyinstrument: {type(error).__name__}: {error}"
        self._profiler = profiler
        self._hook = sys.getprofile()
        return ""

    def stop(self, short: Callable[[str], str], depth: int) -> tuple[list[Record], int]:
        """End. The folded stacks, and how many samples were dropped."""
        theirs = sys.getprofile()
        try:
            self._profiler.stop()
        finally:
            if theirs is not self._hook:
                sys.setprofile(theirs)
        records: list[Record] = []
        for infos, (count, wall_s, cpu_ns) in self._fold.items():
            locations = self._locations(infos, short)[-depth:]
            if locations:
                wall_ns = round(wall_s * 1e9)
                records.append((locations, int(count), wall_ns, min(int(cpu_ns), wall_ns)))
        return records, self._dropped

    def _saw(self, call_stack: list[str], time_since_last_sample: float, async_state: object) -> None:
        """What pyinstrument calls with every sample: root first; the first entry names the thread."""
        cpu = self._cpu_clock()
        key = tuple(call_stack)
        entry = self._fold.get(key)
        if entry is None:
            if len(self._fold) >= self._max_stacks:
                self._dropped += 1
                self._cpu_last = cpu
                return
            entry = self._fold[key] = [0, 0.0, 0]
        entry[0] += 1
        entry[1] += time_since_last_sample
        entry[2] += cpu - self._cpu_last
        self._cpu_last = cpu

    def _locations(self, infos: Sequence[str], short: Callable[[str], str]) -> list[Location]:
        # What called start() is the platform's: as many frames as there were then.
        parsed = [parse_frame(info) for info in infos[self._skip :]]
        return [
            (function, short(file), line)
            for function, file, line in parsed
            if not file.startswith(_IMPORTLIB) and file != _THREAD
        ]
