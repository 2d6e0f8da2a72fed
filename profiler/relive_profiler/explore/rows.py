"""From what the worker sent to columns of the tables `profiles` and `profile_stacks`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from relive_base.records import InvocationRecord
from relive_base.wire.messages import CallCount, Costs, Profile, StackFrames

_COSTS: Final = (
    "Measured", "GcNs", "Collections", "RunQueueNs", "SystemNs", "Waits", "Preemptions", "MajorFaults",
    "ReadBytes", "WrittenBytes", "MemoryBytes", "MemoryGrowthBytes", "MemoryPeakBytes",
)  # fmt: skip
_CALLS: Final = (
    "CallsKnown", "CallTargets", "CallCounts", "CallFailures", "CallWaitNs",
    "CallRetries", "CallRetryNs", "CallPauseNs",
)  # fmt: skip

__all__ = ["REFRESH_AFTER_NS", "StackCache", "profile_columns", "stack_columns"]

REFRESH_AFTER_NS: Final = 7 * 86_400 * 1_000_000_000
"""A stack's row is written again after a week, so that it outlives the profiles that name it."""


class StackCache:
    """Which stacks of which function were written lately. Bounded: the one written longest ago goes first."""

    __slots__ = ("_limit", "_refresh_after_ns", "_written")

    def __init__(self, *, limit: int = 500_000, refresh_after_ns: int = REFRESH_AFTER_NS) -> None:
        self._limit = limit
        self._refresh_after_ns = refresh_after_ns
        self._written: OrderedDict[tuple[str, int], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._written)

    def take(self, function: str, stack_hash: int, now_ns: int) -> bool:
        """Whether this stack is to be written now; if so, it counts as written."""
        key = (function, stack_hash)
        written_ns = self._written.get(key)
        if written_ns is not None and now_ns - written_ns < self._refresh_after_ns:
            return False
        self._written[key] = now_ns
        self._written.move_to_end(key)
        if len(self._written) > self._limit:
            self._written.popitem(last=False)
        return True


def profile_columns(profiles: Sequence[tuple[Profile, InvocationRecord]]) -> dict[str, list[object]]:
    """Columns of `profiles`, one row a profile. The record says whose it is: an init profile names nobody."""
    names = (
        "Function", "Version", "Timestamp", "InvocationId", "Attempt", "TraceId", "Phase", "Engine", "Status",
        "DurationNs", "Samples", "StackIds", "Counts", "WallNs", "CpuNs", "SpanIds", "StackSpans",
        *_COSTS, *_CALLS,
    )  # fmt: skip
    rows = [
        (
            record.function,
            record.version,
            profile.started_ns or record.started_ns or record.accepted_ns,
            record.invocation_id,
            record.attempt,
            record.trace_id,
            profile.phase,
            profile.engine,
            record.status,
            profile.duration_ns,
            sum(profile.counts),
            profile.stack_hashes,
            profile.counts,
            profile.wall_ns,
            profile.cpu_ns,
            profile.spans,
            profile.stack_spans,
            *_costs(profile.costs),
            *_calls(profile.calls),
        )
        for profile, record in profiles
    ]
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _costs(costs: Costs | None) -> tuple[int, ...]:
    """What is not known is 0 in a column that can be no less; `Measured` says whether anything is."""
    if costs is None:
        return (0, 0, 0, -1, *[0] * 9)
    return (
        1,
        max(costs.gc_ns, 0),
        max(costs.collections, 0),
        max(costs.runqueue_ns, -1),
        *(max(number, 0) for number in (costs.system_ns, costs.waits, costs.preemptions, costs.major_faults)),
        *(max(number, 0) for number in (costs.read_bytes, costs.written_bytes, costs.memory_bytes)),
        costs.growth_bytes or 0,
        max(costs.peak_bytes, 0),
    )


def _calls(calls: Sequence[CallCount] | None) -> tuple[object, ...]:
    found = calls or ()
    return (
        int(calls is not None),
        [call.target for call in found],
        [call.count for call in found],
        [call.failed for call in found],
        [call.wait_ns for call in found],
        [call.retried for call in found],
        [call.retry_ns for call in found],
        [call.pause_ns for call in found],
    )


def stack_columns(
    profiles: Iterable[tuple[Profile, InvocationRecord]], cache: StackCache, now_ns: int
) -> dict[str, list[object]]:
    """Columns of `profile_stacks` for the stacks that `cache` does not know. Possibly no rows."""
    found: list[tuple[str, StackFrames]] = [
        (record.function, stack)
        for profile, record in profiles
        for stack in profile.new_stacks
        if cache.take(record.function, stack.stack_hash, now_ns)
    ]
    return {
        "Function": [function for function, _ in found],
        "StackHash": [stack.stack_hash for _, stack in found],
        "Functions": [stack.functions for _, stack in found],
        "Files": [stack.files for _, stack in found],
        "Lines": [stack.lines for _, stack in found],
        "LastSeen": [now_ns for _ in found],
    }
