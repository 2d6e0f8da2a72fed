"""What is said of a run that went another way than the one that it was to explain. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_runtime.travel.endings import Ending
from relive_runtime.travel.runs import Elsewhere

__all__ = ["elsewhere"]

_REASON: Final = (
    "    while a run is followed, what its lines read is kept alive: what depends on __del__, on weak",
    "    references, on counts of them, or on when a generator is let go (its finally) is not the same then;",
    "    nor is what depends on threads, files or addresses in memory",
    "    go back with rs or goto STEP, and look with p: nothing is kept alive there",
)


def elsewhere(other: Elsewhere, where: Callable[[int], str], place: Callable[[str, int], str]) -> list[str]:
    """For a terminal. `where`: of a step; `place`: of a line of a file."""
    if other.should is not None:
        ended = "it has not failed" if other.ended is None else _told(other.ended, place)
        return [
            "*** the run that was followed ended in another way, so it does not tell why this one failed:",
            f"    {ended}, and not {_told(other.should, place)}",
            *_REASON,
        ]
    found = [
        f"*** the run that was followed went another way than this one from step {other.step} on, so it does"
        " not tell why"
    ]
    if other.step:
        found.append(f"    the last step that both have is {other.step - 1}, {where(other.step - 1)}")
    return [*found, *_REASON]


def _told(one: Ending, place: Callable[[str, int], str]) -> str:
    return f"{one.shown} at {place(one.file, one.line)}" if one.file else one.shown
