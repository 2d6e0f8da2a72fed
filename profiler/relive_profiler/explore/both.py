"""The stacks of two filters, by one look at the profiles: what a difference and its tree are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relive_profiler.explore.conditions import fitted
from relive_profiler.explore.folding import MOST_STACKS, UNKNOWN_STACK, Folded, Stack, Totals
from relive_profiler.explore.sum_queries import BOTH_SIDES, chosen
from relive_profiler.explore.sums import By, Weight, both

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Both", "Key", "load_both"]

Key = tuple[str, str, str, int]
"""Deployed function, name, file, line (0 by function)."""


@dataclass(frozen=True, slots=True)
class Both:
    """Both sides, heaviest stacks first; they do not say in which invocations they were. `keys`: by which
    `sums.own_times` knows functions or lines."""

    before: Folded
    after: Folded
    keys: dict[Key, int] = field(default_factory=dict)


def load_both(
    store: Store,
    counted: tuple[Totals, Totals],
    by: By,
    *,
    weight: Weight = "wall",
    timeout_s: float = 30.0,
) -> Both:
    """The heaviest MOST_STACKS of an invocation, of two sides of one engine. `weight` "cpu": all times are
    those on the CPU. One query; store errors pass through."""
    old, new = counted
    values = both((old.wanted, old.invocations), (new.wanted, new.invocations))
    statement = fitted(chosen(BOTH_SIDES, by_line=by == "line", weight=weight), values)
    rows: list[Any] = list(store.query(statement, values, timeout_s=timeout_s).rows())
    keys: dict[Key, int] = {}
    before: list[tuple[int, Stack]] = []
    after: list[tuple[int, Stack]] = []
    for row in rows:
        frames = _frames(row)
        for name, file, line, key in zip(*frames, reversed(row[10]), strict=True):
            keys[row[0], name, file, line if by == "line" else 0] = key
        for side, times, sums in ((before, row[2], row[4:7]), (after, row[3], row[7:10])):
            if times:
                side.append((row[1], Stack(row[0], *frames, *sums)))
    cut = len(rows) >= MOST_STACKS
    return Both(_folded(old, before, cut), _folded(new, after, cut), keys)


def _frames(row: Sequence[Any]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    if not row[11]:
        return (UNKNOWN_STACK,), ("",), (0,)
    return tuple(row[11]), tuple(row[12]), tuple(row[13])


def _folded(found: Totals, stacks: list[tuple[int, Stack]], cut: bool) -> Folded:
    stacks.sort(key=lambda one: (-one[1].wall_ns, one[0]))
    return Folded(
        stacks=[stack for _, stack in stacks],
        engine=found.wanted.engine,
        phase=found.wanted.phase,
        samples=found.samples,
        profiles=found.profiles,
        invocations=found.invocations,
        duration_ns=found.duration_ns,
        cut=cut,
    )
