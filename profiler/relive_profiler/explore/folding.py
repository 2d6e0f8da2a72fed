"""Profiles as folded stacks: what every view of them is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from relive_profiler.explore.conditions import fitted
from relive_profiler.explore.filters import (
    INVOCATION_TOTALS,
    PROFILE_TOTALS,
    SPAN_WEIGHTS,
    STACK_FRAMES,
    STACK_SUMS,
    STACK_WEIGHTS,
    HotFilter,
    parameters,
)

if TYPE_CHECKING:
    from relive_store import Store

__all__ = [
    "ENOUGH_SAMPLES",
    "MOST_STACKS",
    "SKETCH_SIZE",
    "UNKNOWN_STACK",
    "Folded",
    "Stack",
    "Totals",
    "confidence",
    "estimate_invocations",
    "estimated",
    "load",
    "load_of",
    "on_cpu",
    "totals",
]

ENOUGH_SAMPLES: Final = 5
"""Below this a profile says so, and the function's aggregate is shown instead of one invocation."""
_GOOD_SAMPLES: Final = 100
SKETCH_SIZE: Final = 64
MOST_STACKS: Final = 50_000
"""The heaviest, of which hot lists, trees and differences are made."""
UNKNOWN_STACK: Final = "(stack not recorded)"


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack and its weight. Frames are outermost first, parallel tuples; times in ns."""

    function: str  # the deployed function
    names: tuple[str, ...]
    files: tuple[str, ...]
    lines: tuple[int, ...]
    samples: int
    wall_ns: int
    cpu_ns: int
    invocations: tuple[int, ...] = ()  # sorted smallest hashes of the invocations, at most SKETCH_SIZE


@dataclass(frozen=True, slots=True)
class Folded:
    """All stacks of a filter, heaviest first, of one engine."""

    stacks: list[Stack] = field(default_factory=list)
    engine: str = "sampled"
    phase: str = "invoke"
    samples: int = 0  # of all profiles, also of stacks that the limit cut off
    profiles: int = 0  # invocations with at least one sample
    invocations: int = 0  # all invocations that the filter means, with or without a sample
    duration_ns: int = 0
    cut: bool = False  # more stacks than the limit

    @property
    def wall_ns(self) -> int:
        return sum(stack.wall_ns for stack in self.stacks)

    @property
    def cpu_ns(self) -> int:
        return sum(stack.cpu_ns for stack in self.stacks)


def on_cpu(folded: Folded) -> Folded:
    """With the time on the CPU for all of its time."""
    stacks = [replace(stack, wall_ns=stack.cpu_ns) for stack in folded.stacks]
    return replace(folded, stacks=sorted(stacks, key=lambda stack: -stack.wall_ns))


def confidence(samples: int) -> tuple[str, str]:
    """("none" | "low" | "fair" | "good", a sentence). The margin is that of a share of one half."""
    if samples <= 0:
        return "none", "no samples"
    count = f"{samples} sample" + ("s" if samples > 1 else "")
    if samples < ENOUGH_SAMPLES:
        return "low", f"only {count}: too few to tell where the time went"
    margin = max(min(98.0 / samples**0.5, 50.0), 1.0)
    return ("fair" if samples < _GOOD_SAMPLES else "good"), f"{count}, shares ±{margin:.0f} points at most"


def estimate_invocations(sketches: Iterable[Sequence[int]]) -> int:
    """How many different invocations the sketches hold: exact below SKETCH_SIZE, estimated above."""
    union: set[int] = set()
    full = False
    for sketch in sketches:
        union.update(sketch)
        full = full or len(sketch) >= SKETCH_SIZE
    if not full:
        return len(union)
    return estimated(sorted(union)[:SKETCH_SIZE][-1])


def estimated(last: int) -> int:
    """Of how many evenly spread hashes `last` is the SKETCH_SIZE-th smallest, or so."""
    return round((SKETCH_SIZE - 1) / max(last / 2**64, 2**-64))


@dataclass(frozen=True, slots=True)
class Totals:
    """How much there is under a filter, of one engine: `wanted` is the filter with that engine. It has the
    function, too, if all profiles are of one, and the time of those of single invocations: less is read."""

    wanted: HotFilter
    profiles: int = 0
    samples: int = 0
    duration_ns: int = 0
    invocations: int = 0

    @property
    def engine(self) -> str:
        return self.wanted.engine


def totals(store: Store, filter_: HotFilter, *, timeout_s: float = 30.0) -> Totals:
    """Of the filter's engine, or the one with most profiles. Two queries; store errors pass through."""
    values = parameters(filter_.with_engine(""))  # the other engine's are counted, too: see _invocations
    rows: list[Any] = list(store.query(fitted(PROFILE_TOTALS, values), values, timeout_s=timeout_s).rows())
    found = [row for row in rows if row[0] == filter_.engine or not filter_.engine]
    for row in found:  # the engine with most profiles comes first
        engine, function, other = map(str, (row[0], row[4], row[5]))
        wanted = filter_.with_engine(engine)
        profiles, samples, duration_ns = map(_int, row[1:4])
        others = sum(_int(one[1]) for one in rows if one is not row)
        invocations = _invocations(store, wanted, profiles, others, timeout_s)
        if function == other:
            wanted = replace(wanted, function=function)
        if filter_.invocation_ids:
            wanted = replace(wanted, since_ns=_int(row[6]), until_ns=_int(row[7]) + 1)
        return Totals(wanted, profiles, samples, duration_ns, invocations)
    return Totals(filter_)


def load(store: Store, filter_: HotFilter, *, limit: int = MOST_STACKS, timeout_s: float = 30.0) -> Folded:
    """The `limit` heaviest stacks under the filter. Three or four queries; store errors pass through."""
    return load_of(store, totals(store, filter_, timeout_s=timeout_s), limit=limit, timeout_s=timeout_s)


def load_of(
    store: Store,
    found: Totals,
    *,
    limit: int = MOST_STACKS,
    sketches: bool = True,
    timeout_s: float = 30.0,
) -> Folded:
    """The same of what was counted before. Without `sketches` stacks do not say in which invocations they
    were. Two queries; store errors pass through."""
    filter_ = found.wanted
    if not found.profiles:
        return Folded(engine=filter_.engine, phase=filter_.phase)
    values = {**parameters(filter_), "stacks": limit}
    statement = SPAN_WEIGHTS if filter_.span_ids else STACK_WEIGHTS if sketches else STACK_SUMS
    weights = store.query(fitted(statement, values), values, timeout_s=timeout_s)
    frames: dict[tuple[str, int], Sequence[Any]] = {
        (str(row[0]), _int(row[1])): row[2:5]
        for row in store.query(fitted(STACK_FRAMES, values), values, timeout_s=timeout_s).rows()
    }
    stacks = [_stack(row, frames) for row in weights.rows()]
    inside = sum(stack.samples for stack in stacks)
    return Folded(
        stacks=stacks,
        engine=filter_.engine,
        phase=filter_.phase,
        samples=inside if filter_.span_ids else found.samples,
        profiles=found.profiles,
        invocations=found.invocations,
        duration_ns=found.duration_ns,
        cut=len(stacks) >= limit,
    )


def _stack(row: Sequence[Any], frames: dict[tuple[str, int], Sequence[Any]]) -> Stack:
    function, number, samples, wall_ns, cpu_ns, *sketches = row[:6]
    names, files, lines = frames.get((function, number), ((UNKNOWN_STACK,), ("",), (0,)))
    return Stack(
        str(function), tuple(names), tuple(files), tuple(lines), samples, wall_ns, cpu_ns, tuple(*sketches)
    )


def _invocations(store: Store, filter_: HotFilter, profiles: int, others: int, timeout_s: float) -> int:
    """Short invocations often have no sample: profiles alone would overstate time per invocation. Those that
    have a profile of another engine, which are `others`, had no chance of one of this."""
    if filter_.phase != "invoke" or filter_.engine != "sampled":
        return profiles
    values = parameters(filter_)
    count = store.query(fitted(INVOCATION_TOTALS, values), values, timeout_s=timeout_s).scalar()
    return max(_int(count) - others, profiles)


def _int(value: object) -> int:
    return int(value) if isinstance(value, (int, float, str)) else 0
