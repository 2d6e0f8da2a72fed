"""The stacks of one invocation. Its row has all but their frames, so that two queries are enough, and each
reads little: what is asked for most often is the flame graph of one invocation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from relive_profiler.explore.filters import HotFilter, earliest_ns
from relive_profiler.explore.folding import UNKNOWN_STACK, Folded, Stack
from relive_profiler.explore.memory import Memory

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Single", "is_single", "load_single"]

_ROWS: Final = """
SELECT Engine, Function, Attempt, DurationNs, Samples, StackIds, Counts, WallNs, CpuNs,
    if(Measured AND Phase = 'invoke', MemoryBytes, 0), MemoryGrowthBytes, MemoryPeakBytes
FROM profiles
WHERE InvocationId = {id:String} AND Phase = {phase:String}
    AND ({since:Int64} = 0 OR (
        toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}))
        AND Timestamp >= fromUnixTimestamp64Nano({since:Int64})))
ORDER BY Timestamp
"""
_FRAMES: Final = """
SELECT StackHash, Functions, Files, Lines FROM profile_stacks
WHERE Function = {function:String} AND StackHash IN {stacks:Array(UInt64)}
LIMIT 1 BY StackHash
"""
_UNKNOWN: Final = ((UNKNOWN_STACK,), ("",), (0,))


@dataclass(frozen=True, slots=True)
class Single:
    """What was seen of it, over all of its attempts, and the memory of the last one that was measured."""

    folded: Folded
    memory: Memory | None = None


def is_single(filter_: HotFilter) -> bool:
    """Whether a filter means all of one invocation."""
    return len(filter_.invocation_ids) == 1 and filter_ == HotFilter(
        invocation_ids=filter_.invocation_ids, phase=filter_.phase, engine=filter_.engine
    )


def load_single(store: Store, filter_: HotFilter, *, timeout_s: float = 30.0) -> Single:
    """As `folding.load`, for a filter of one invocation. Two queries; store errors pass through."""
    values = {
        "id": filter_.invocation_ids[0],
        "phase": filter_.phase,
        "since": earliest_ns(filter_.invocation_ids),
    }
    rows = [
        row
        for row in store.query(_ROWS, values, timeout_s=timeout_s).rows()
        if not filter_.engine or row[0] == filter_.engine
    ]
    if not rows:
        return Single(Folded(engine=filter_.engine, phase=filter_.phase))
    count = Counter(str(row[0]) for row in rows)
    engine = max(count, key=lambda name: (count[name], name))  # as filters.PROFILE_TOTALS has it
    chosen = [row for row in rows if row[0] == engine]
    stacks = _stacks(store, chosen, timeout_s)
    folded = Folded(
        stacks=stacks,
        engine=engine,
        phase=filter_.phase,
        samples=sum(_int(row[4]) for row in chosen),
        profiles=len(chosen),
        invocations=len({row[2] for row in chosen}),
        duration_ns=sum(_int(row[3]) for row in chosen),
    )
    held = [Memory(*map(_int, row[9:12])) for row in sorted(rows, key=lambda row: _int(row[2])) if row[9]]
    return Single(folded, held[-1] if held else None)


def _stacks(store: Store, rows: Sequence[Sequence[Any]], timeout_s: float) -> list[Stack]:
    """The heaviest first."""
    function = str(rows[0][1])
    sums: dict[int, list[int]] = {}
    seen: dict[int, set[int]] = {}
    for row in rows:
        for number, *values in zip(*row[5:9], strict=True):
            entry = sums.setdefault(number, [0, 0, 0])
            for index, value in enumerate(values):
                entry[index] += value
            seen.setdefault(number, set()).add(_int(row[2]))
    wanted = {"function": function, "stacks": list(sums)}
    known: dict[int, Sequence[Any]] = {
        _int(row[0]): row[1:4] for row in store.query(_FRAMES, wanted, timeout_s=timeout_s).rows()
    }
    stacks = []
    for number in sorted(sums, key=lambda number: (-sums[number][1], number)):
        names, files, lines = known.get(number, _UNKNOWN)
        samples, wall_ns, cpu_ns = sums[number]
        stacks.append(
            Stack(
                function,
                tuple(names),
                tuple(files),
                tuple(lines),
                samples,
                wall_ns,
                cpu_ns,
                tuple(sorted(seen[number])),
            )
        )
    return stacks


def _int(value: object) -> int:
    return int(value) if isinstance(value, (int, float, str)) else 0
