"""The memory of invocations, as it was measured beside their profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relive_profiler.explore.filters import earliest_ns

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Memory", "memory_of"]

_IDS: Final = 5_000
"""Of one query."""
_MB: Final = 1 << 20

# 0 bytes: the kernel did not tell.
_MEMORY: Final = """
SELECT InvocationId, Attempt, max(MemoryBytes), max(MemoryGrowthBytes), max(MemoryPeakBytes) FROM profiles
WHERE Phase = 'invoke' AND Measured AND MemoryBytes > 0 AND InvocationId IN {ids:Array(String)}
    AND ({since:Int64} = 0 OR (
        toStartOfFiveMinutes(Timestamp) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}))
        AND Timestamp >= fromUnixTimestamp64Nano({since:Int64})))
    AND ({until:Int64} = 0 OR (
        toStartOfFiveMinutes(Timestamp) <= toStartOfFiveMinutes(fromUnixTimestamp64Nano({until:Int64}))
        AND Timestamp < fromUnixTimestamp64Nano({until:Int64})))
GROUP BY InvocationId, Attempt
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes: at the end, how much more than at the beginning, and the peak if the process never had
    one as high before (else 0: it was lower than an earlier one)."""

    end_bytes: int
    growth_bytes: int
    peak_bytes: int

    @property
    def text(self) -> str:
        """For people."""
        peak = f", peak {self.peak_bytes / _MB:.1f} MB" if self.peak_bytes > self.end_bytes else ""
        return f"memory {self.growth_bytes / _MB:+.1f} to {self.end_bytes / _MB:.1f} MB{peak}"


def memory_of(
    store: Store, invocation_ids: Sequence[str], *, until_ns: int = 0, timeout_s: float = 30.0
) -> dict[tuple[str, int], Memory]:
    """By invocation and attempt; those that were not measured are left out. All of them were over by
    `until_ns`, if it is known. Store errors pass through."""
    found: dict[tuple[str, int], Memory] = {}
    for ids in _parts(invocation_ids):
        values = {"ids": ids, "since": earliest_ns(tuple(ids)), "until": until_ns}
        for row in store.query(_MEMORY, values, timeout_s=timeout_s).rows():
            found[str(row[0]), int(str(row[1]))] = Memory(*(int(str(value)) for value in row[2:5]))
    return found


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _IDS):
        yield list(ids[start : start + _IDS])
