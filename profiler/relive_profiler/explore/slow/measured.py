"""What the profiles of a few invocations say, each by itself: two queries for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from relive_profiler.explore.filters import earliest_ns
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.slow.observed import CallSum, Spent

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Profiled", "Profiles", "profiles_of"]

_SAMPLED: Final = "sampled"
_PROFILES: Final = """
SELECT InvocationId, Attempt, Phase, Engine, StackIds, Counts, WallNs, CpuNs,
    Measured, GcNs, Collections, RunQueueNs, SystemNs, Waits, Preemptions, MajorFaults, ReadBytes,
    WrittenBytes, MemoryBytes, MemoryGrowthBytes, MemoryPeakBytes,
    CallsKnown, CallTargets, CallCounts, CallFailures, CallWaitNs,
    arrayResize(CallRetries, length(CallTargets)), arrayResize(CallRetryNs, length(CallTargets)),
    arrayResize(CallPauseNs, length(CallTargets))
FROM profiles
WHERE Function = {function:String}
    AND ({since:Int64} = 0 OR (
        toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}))
        AND Timestamp >= fromUnixTimestamp64Nano({since:Int64})))
    AND has({ids:Array(String)}, InvocationId)
"""
_FRAMES: Final = """
SELECT StackHash, Functions, Files, Lines FROM profile_stacks
WHERE Function = {function:String} AND StackHash IN {stacks:Array(UInt64)}
LIMIT 1 BY StackHash
"""
_STACKS: Final = 5_000
"""Whose frames are asked for; the lightest beyond are of unknown frames."""

Frames = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]
Key = tuple[str, int]
"""An invocation's id and the attempt."""
_UNKNOWN: Final[Frames] = (("(stack not recorded)",), ("",), (0,))


@dataclass(frozen=True, slots=True)
class Profiled:
    """One profile. `spent` and `calls` None: not measured."""

    engine: str
    stacks: Mapping[int, tuple[int, int, int]]  # samples, wall ns, CPU ns
    spent: Spent | None = None
    calls: Mapping[str, CallSum] | None = None


@dataclass(frozen=True, slots=True)
class Profiles:
    """By invocation and attempt: of the handlers, and of cold starts."""

    handlers: dict[Key, Profiled] = field(default_factory=dict)
    inits: dict[Key, Profiled] = field(default_factory=dict)
    frames: dict[int, Frames] = field(default_factory=dict)

    def engine_of(self, key: Key) -> str:
        """By which an invocation was profiled; "sampled" if it was not."""
        found = self.handlers.get(key)
        return found.engine if found is not None else _SAMPLED

    def folded(self, function: str, keys: Sequence[Key], engine: str) -> Folded:
        """The stacks of some handlers, of one engine. With the sampled one who has no profile counts, too:
        short ones have no samples."""
        profiles = [self.handlers.get(key) for key in keys]
        found = [one for one in profiles if one is not None and one.engine == engine]
        short = profiles.count(None) if engine == _SAMPLED else 0
        return self._fold(function, found, len(found) + short, engine)

    def init(self, function: str, key: Key) -> Folded:
        """The stacks of a cold start; none if it was warm."""
        found = self.inits.get(key)
        return self._fold(function, [found] if found is not None else [], 1, _SAMPLED)

    def _fold(self, function: str, profiles: Sequence[Profiled], invocations: int, engine: str) -> Folded:
        sums: dict[int, list[int]] = {}
        for profile in profiles:
            for number, values in profile.stacks.items():
                entry = sums.setdefault(number, [0, 0, 0])
                for index, value in enumerate(values):
                    entry[index] += value
        stacks = [
            Stack(function, *self.frames.get(number, _UNKNOWN), samples=one[0], wall_ns=one[1], cpu_ns=one[2])
            for number, one in sums.items()
        ]
        stacks.sort(key=lambda stack: -stack.wall_ns)
        return Folded(
            stacks=stacks,
            engine=engine,
            samples=sum(stack.samples for stack in stacks),
            profiles=len(profiles),
            invocations=invocations,
        )


def profiles_of(
    store: Store, function: str, invocation_ids: Sequence[str], *, timeout_s: float = 30.0
) -> Profiles:
    """Who had no sample is not in it. Store errors pass through."""
    ids = tuple(invocation_ids)
    values: dict[str, object] = {"function": function, "ids": list(ids), "since": earliest_ns(ids)}
    found = Profiles()
    for row in store.query(_PROFILES, values, timeout_s=timeout_s).rows():
        _take(found, row)
    stacks = _heaviest(found)
    if stacks:
        rows = store.query(_FRAMES, {"function": function, "stacks": stacks}, timeout_s=timeout_s).rows()
        found.frames.update(map(_frames, rows))
    return found


def _heaviest(found: Profiles) -> list[int]:
    weights: dict[int, int] = {}
    for profile in (*found.handlers.values(), *found.inits.values()):
        for number, (_, wall_ns, _cpu_ns) in profile.stacks.items():
            weights[number] = weights.get(number, 0) + wall_ns
    return sorted(weights, key=lambda number: -weights[number])[:_STACKS]


def _frames(row: Sequence[Any]) -> tuple[int, Frames]:
    return row[0], (tuple(row[1]), tuple(row[2]), tuple(row[3]))


def _take(found: Profiles, row: Sequence[Any]) -> None:
    key = str(row[0]), int(row[1])
    stacks: dict[int, tuple[int, int, int]] = {}
    for number, *values in zip(*row[4:8], strict=True):
        before = stacks.get(number, (0, 0, 0))  # inside of several spans
        stacks[number] = before[0] + values[0], before[1] + values[1], before[2] + values[2]
    spent = Spent(*map(int, row[9:21])) if row[8] else None
    calls = None
    if row[21]:
        calls = {
            str(target): CallSum(*map(int, numbers)) for target, *numbers in zip(*row[22:29], strict=True)
        }
    profile = Profiled(str(row[3]), stacks, spent, calls)
    (found.handlers if row[2] == "invoke" else found.inits)[key] = profile
