"""What the sampler does most often: by the C extension if it was built, else in Python."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, TypeVar

from relive_base.kept_builtins import KEPT

__builtins__ = KEPT

__all__ = ["PURE_VARIABLE", "chosen_gc_clock", "chosen_settime", "chosen_walk", "native", "ticking", "walk"]

PURE_VARIABLE: Final = "RELIVE_PURE_PYTHON"
"""Set to 1 it keeps the extension from being built, and from being used."""

Place = TypeVar("Place")


def native() -> Any | None:
    """The extension; None if it was not built, or for another interpreter, or is not wanted."""
    if os.environ.get(PURE_VARIABLE) == "1":
        return None
    try:
        from relive_profiler.record import _looks
    except ImportError:
        return None
    return _looks


def ticking() -> Any | None:
    """The one that notes where threads compute; it is written for some versions of the interpreter."""
    if native() is None:
        return None
    try:
        from relive_profiler.record import _ticks
    except ImportError:
        return None
    return _ticks


def walk(
    frame: FrameType | None,
    outer: FrameType | None,
    depth: int,
    lines: dict[int, dict[int, Place]],
    place: Callable[[FrameType], Place],
    cut: Place,
    /,
) -> tuple[Place, ...]:
    """The places from `frame` outwards up to `outer`, which is not among them.

    `lines`: places by the id of a code and the last instruction; `place` makes what is missing. After `depth`
    frames a `cut` stands for the rest.
    """
    places: list[Place] = []
    add = places.append
    while frame is not None and frame is not outer:
        if not depth:
            add(cut)
            break
        depth -= 1
        try:
            add(lines[id(frame.f_code)][frame.f_lasti])
        except KeyError:
            add(place(frame))
        frame = frame.f_back
    return tuple(places)


def chosen_walk() -> Callable[..., tuple[Any, ...]]:
    """`walk`, as fast as it can be had."""
    extension = native()
    return walk if extension is None else extension.walk


def chosen_settime() -> Callable[[int, int, int], None] | None:
    """`timer_settime` for (timer, delay in ns; 0 disarms, ns from one signal to the next; 0: there is one);
    None if there is no extension."""
    extension = native()
    return None if extension is None else extension.settime


class _GcClock:
    """What the collector takes, in Python."""

    def __init__(self) -> None:
        self._began_ns = self._total_ns = self._collections = 0

    def hook(self, phase: str, info: dict[str, int]) -> None:
        """One of `gc.callbacks`. During a full collection others may have the CPU."""
        now = time.thread_time_ns() if info["generation"] > 1 else time.perf_counter_ns()
        if phase == "start":
            self._began_ns = now
        elif self._began_ns:
            self._total_ns += now - self._began_ns
            self._collections += 1
            self._began_ns = 0

    def totals(self) -> tuple[int, int]:
        """(ns, collections) so far."""
        return self._total_ns, self._collections


def chosen_gc_clock() -> tuple[Callable[[str, dict[str, int]], None], Callable[[], tuple[int, int]]]:
    """One of `gc.callbacks`, and what it has counted: ns, collections."""
    extension = native()
    if extension is not None:
        return extension.gc_hook, extension.gc_totals
    clock = _GcClock()
    return clock.hook, clock.totals
