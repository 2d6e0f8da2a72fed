"""Frames of all stacks under a filter, added up in the engine: what hot lists and differences are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from relive_profiler.explore.conditions import OTHER, fitted
from relive_profiler.explore.filters import HotFilter, parameters
from relive_profiler.explore.folding import MOST_STACKS, SKETCH_SIZE, UNKNOWN_STACK, estimated
from relive_profiler.explore.sum_queries import (
    CHANGE_SUMS,
    EVERYTHING,
    FRAME_SUMS,
    OWN_SUMS,
    OWN_SUMS_WITH_WAITS,
    OWN_TIMES,
    STACKS_WITH,
    SUMMED_FRAMES,
    Weight,
    chosen,
    with_stacks,
)

if TYPE_CHECKING:
    from relive_store import Store

__all__ = [
    "By",
    "ChangeSum",
    "Changes",
    "Frame",
    "FrameSum",
    "FrameSums",
    "Weight",
    "both",
    "change_sums",
    "frame_sums",
    "own_times",
]

By = Literal["function", "line"]
_MOST_TIES: Final = 1_000
"""Rows that are equal to the last one asked for, of which the names decide."""


_MOST_NAMED: Final = 2_000
"""Stacks that are written into a statement; more are looked for by it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A function or a line of a deployed function's code. `line`: of a function its heaviest one."""

    function: str
    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class FrameSum:
    """What one took, in ns. `invocations` is exact up to 64, within about 12% above."""

    frame: Frame
    self_ns: int
    total_ns: int
    self_cpu_ns: int
    samples: int
    invocations: int


@dataclass(frozen=True, slots=True)
class FrameSums:
    """The hottest, and all stacks together."""

    rows: list[FrameSum] = field(default_factory=list)
    wall_ns: int = 0
    stacks: int = 0
    cut: bool = False  # whether there may be more stacks than were looked at


@dataclass(frozen=True, slots=True)
class ChangeSum:
    """What one took before and after, in ns. `key`: by which `own_times` knows it."""

    key: int
    frame: Frame
    before_self_ns: int
    before_total_ns: int
    after_self_ns: int
    after_total_ns: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Those that changed most, and all stacks together."""

    rows: list[ChangeSum] = field(default_factory=list)
    before_ns: int = 0
    after_ns: int = 0


def frame_sums(
    store: Store,
    wanted: HotFilter,
    by: By,
    limit: int,
    *,
    weight: Weight = "wall",
    waits_to_caller: bool = False,
    own_first: bool = False,
    timeout_s: float = 30.0,
) -> FrameSums:
    """The `limit` hottest by their own time, then by all of it, under a filter of one engine; those that are
    equal to the last one come, too. `weight` "cpu": all times are those on the CPU. `own_first`: first
    looks for who has time of its own, which is less work for many stacks. Two to four
    queries; store errors pass through."""
    most = limit + 1 + _MOST_TIES
    values = {**_values(wanted), "rows": limit + 1, "most": most}
    whole, own = (
        chosen(statement, by_line=by == "line", waits=waits_to_caller, weight=weight)
        for statement in (FRAME_SUMS, OWN_SUMS_WITH_WAITS if waits_to_caller else OWN_SUMS)
    )
    rows = _sums(store, own, values, timeout_s) if own_first else []
    cut = False
    if not limit < len(rows) < most or not rows[-1][1]:  # others with no time of their own may belong to them
        rows = _sums(store, whole, values, timeout_s)
        cut = bool(rows) and rows[0][3] >= MOST_STACKS
    if not rows:
        return FrameSums()
    everything, *rows = rows
    texts = _texts(store, rows, values, by, weight, timeout_s)
    found = [
        _summed(row, texts[row[0]])
        for row in rows
        if row[0] in texts  # it was trimmed in between, if not
    ]
    return FrameSums(found, everything[2], everything[3], cut)


def _texts(
    store: Store,
    rows: Sequence[tuple[Any, ...]],
    values: Mapping[str, object],
    by: By,
    weight: Weight,
    timeout_s: float,
) -> dict[int, tuple[Any, ...]]:
    """What else is known of those that were found, by their keys. One or two queries."""
    wanted = {
        **values,
        "functions": list({row[4] for row in rows}),
        "keys": [row[0] for row in rows],
        "unknown": UNKNOWN_STACK,
        "sketch": SKETCH_SIZE,
        "named": _MOST_NAMED,
    }
    named = all(row[0] != row[4] for row in rows)  # or it is of stacks whose frames nobody knows
    if named:
        stacks = list(_rows(store, chosen(STACKS_WITH, by_line=by == "line"), wanted, timeout_s))
        named = len(stacks) < _MOST_NAMED
        wanted |= {"names": list({row[0] for row in stacks}), "these": list({row[1] for row in stacks})}
    statement = chosen(with_stacks(SUMMED_FRAMES, named=named), by_line=by == "line", weight=weight)
    return {row[0]: row for row in _rows(store, statement, wanted, timeout_s)}


def change_sums(
    store: Store,
    before: tuple[HotFilter, int],
    after: tuple[HotFilter, int],
    by: By,
    limit: int,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> Changes:
    """The `limit` that changed most, of two filters of one engine with their numbers of invocations. `weight`
    "cpu": all times are those on the CPU. One query; store errors pass through."""
    values = {**both(before, after), "unknown": UNKNOWN_STACK, "rows": limit + 1}
    rows = _sums(store, chosen(CHANGE_SUMS, by_line=by == "line", weight=weight), values, timeout_s)
    if not rows:
        return Changes()
    everything, *rows = rows
    found = [ChangeSum(row[0], Frame(*row[1:5]), *row[5:9]) for row in rows]
    return Changes(found, everything[6], everything[8])


def own_times(
    store: Store,
    wanted: HotFilter,
    by: By,
    keys: Sequence[int],
    most: int,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> dict[int, tuple[int, float]]:
    """Own times of the newest `most` profiles: their sum (ns) and the sum of their squares, by key. `weight`
    "cpu": of those on the CPU."""
    values = {**_values(wanted), "rows": most, "keys": list(keys)}
    statement = chosen(OWN_TIMES, by_line=by == "line", weight=weight)
    return {row[0]: (row[1], row[2]) for row in _rows(store, statement, values, timeout_s)}


def both(before: tuple[HotFilter, int], after: tuple[HotFilter, int]) -> dict[str, object]:
    """Parameters of a statement that looks at two filters, with their numbers of invocations."""
    values = _values(before[0])
    values |= {OTHER + name: value for name, value in parameters(after[0]).items()}
    return values | {"old_count": max(before[1], 1), "new_count": max(after[1], 1)}


def _values(wanted: HotFilter) -> dict[str, object]:
    return {**parameters(wanted), "stacks": MOST_STACKS}


def _sums(
    store: Store, statement: str, values: Mapping[str, object], timeout_s: float
) -> list[tuple[Any, ...]]:
    """Rows, the first of which is of everything; none if there are no stacks."""
    rows = list(_rows(store, statement, values, timeout_s))
    return rows if rows and rows[0][0] == EVERYTHING else []


def _rows(
    store: Store, statement: str, values: Mapping[str, object], timeout_s: float
) -> Iterable[tuple[Any, ...]]:
    return store.query(fitted(statement, values), values, timeout_s=timeout_s).rows()


def _summed(row: Sequence[Any], texts: Sequence[Any]) -> FrameSum:
    return FrameSum(
        frame=Frame(texts[7], texts[1], texts[2], texts[3]),
        self_ns=row[1],
        total_ns=texts[8],
        self_cpu_ns=texts[9],
        samples=texts[10],
        invocations=_invocations(texts[4], texts[5], texts[6]),
    )


def _invocations(seen: int, longest: int, last: int) -> int:
    return seen if longest < SKETCH_SIZE else estimated(last)
