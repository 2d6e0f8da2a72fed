"""Which profiles are meant, and the SQL that finds them."""

# ruff: noqa: S608 - all parts of all statements are from here

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

__all__ = [
    "DURATION_QUANTILE",
    "INVOCATION_FUNCTION",
    "INVOCATION_TOTALS",
    "PROFILE_TOTALS",
    "SPAN_WEIGHTS",
    "STACK_FRAMES",
    "STACK_OF",
    "STACK_SUMS",
    "STACK_WEIGHTS",
    "HotFilter",
    "earliest_ns",
    "parameters",
    "stack_weights",
]


_CLOCK_SLACK_NS: Final = 60 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class HotFilter:
    """Profiles of a function, or of all. What is empty or 0 does not constrain.

    Times are ns since the epoch; `until_ns` is exclusive. `engine` "" takes the engine that has more profiles
    under the filter: engines are never mixed.
    """

    function: str = ""
    version: int = 0
    since_ns: int = 0
    until_ns: int = 0
    engine: str = ""  # "sampled" | "precise"
    phase: str = "invoke"  # "invoke" | "init"
    invocation_ids: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    min_duration_ns: int = 0
    max_duration_ns: int = 0  # exclusive
    span_ids: tuple[str, ...] = ()  # samples taken inside one of these spans

    def with_engine(self, engine: str) -> HotFilter:
        """The same profiles of one engine."""
        return replace(self, engine=engine)


def earliest_ns(invocation_ids: tuple[str, ...]) -> int:
    """A time (ns) before which none of these invocations can have a profile, from their UUIDv7; 0 if unknown.

    Without it, one invocation would be looked for in all of the retention time.
    """
    earliest = 0
    for text in invocation_ids:
        digits = text.replace("-", "")
        if len(digits) != 32 or digits[12] != "7" or not all(char in "0123456789abcdef" for char in digits):
            return 0
        made_ns = (int(digits[:12], 16) * 1_000_000) - _CLOCK_SLACK_NS
        earliest = made_ns if not earliest else min(earliest, made_ns)
    return max(earliest, 0)


def parameters(filter_: HotFilter) -> dict[str, object]:
    """The server-side parameters that every statement here takes."""
    return {
        "function": filter_.function,
        "version": filter_.version,
        "since": filter_.since_ns or earliest_ns(filter_.invocation_ids),
        "until": filter_.until_ns,
        "engine": filter_.engine,
        "phase": filter_.phase,
        "ids": list(filter_.invocation_ids),
        "statuses": list(filter_.status),
        "min_duration": filter_.min_duration_ns,
        "max_duration": filter_.max_duration_ns,
        "spans": list(filter_.span_ids),
        "salt": secrets.randbits(64),
    }


# Every statement has marks where the conditions of a filter go: see `conditions.fitted`.
PROFILE_TOTALS: Final = """
SELECT Engine, count() AS Profiles, sum(Samples) AS AllSamples, sum(DurationNs) AS Duration,
    min(Function) AS First, max(Function) AS Last, min(Timestamp) AS Since, max(Timestamp) AS Until
FROM profiles WHERE __PROFILES__
GROUP BY Engine ORDER BY Profiles DESC, Engine DESC
"""


# A stack of a function is one number while it is summed: such are grouped and joined in half the time that a
# text and a number take. The salt is another one each time: no function can name a stack that falls together
# with another function's.
STACK_OF: Final = "bitXor(sipHash64Keyed(({{salt:UInt64}}, toUInt64(0)), Function), {0})"


def stack_weights(sums: str, which: str = "", order: str = "WallSum DESC, StackHash") -> str:
    """The heaviest stacks under a filter, with sums of Count, Wall and Cpu, which `order` names; all of them
    if that is empty."""
    cut = f"ORDER BY {order} LIMIT {{stacks:UInt32}}" if order else ""
    return (
        f"SELECT {STACK_OF.format('Stack')} AS Id,\n"
        f"any(Function) AS Deployed, any(Stack) AS StackHash, {sums}\n"
        "FROM profiles ARRAY JOIN StackIds AS Stack, Counts AS Count, WallNs AS Wall, CpuNs AS Cpu\n"
        f"WHERE {which}__PROFILES__\n"
        f"GROUP BY Id {cut}"
    )


_SUMS: Final = "sum(Count) AS Samples, sum(Wall) AS WallSum, sum(Cpu) AS CpuSum"
STACK_SUMS: Final = f"SELECT * EXCEPT (Id) FROM ({stack_weights(_SUMS)})"

# 64 smallest hashes of the invocations a stack was seen in: enough to count invocations exactly up to 64 and
# within about 12% above, also over the union of stacks.
STACK_WEIGHTS: Final = (
    "SELECT * EXCEPT (Id) FROM ("
    + stack_weights(_SUMS + ", groupArraySorted(64)(cityHash64(InvocationId, Attempt)) AS Sketch")
    + ")"
)

# The same of some spans. Older rows do not say which span a sample was taken in.
SPAN_WEIGHTS: Final = """
SELECT Function, Stack, sum(Count) AS Samples, sum(Wall) AS WallSum, sum(Cpu) AS CpuSum,
    groupArraySorted(64)(cityHash64(InvocationId, Attempt)) AS Sketch
FROM profiles
ARRAY JOIN StackIds AS Stack, Counts AS Count, WallNs AS Wall, CpuNs AS Cpu,
    arrayResize(StackSpans, length(StackIds)) AS Span
WHERE has({spans:Array(String)}, SpanIds[Span]) AND __PROFILES__
GROUP BY Function, Stack
ORDER BY WallSum DESC, Stack
LIMIT {stacks:UInt32}"""

# An explicit subquery: a join of the two tables takes several times as long.
STACK_FRAMES: Final = """
SELECT Function, StackHash, Functions, Files, Lines
FROM profile_stacks
WHERE __STACKS__ AND StackHash IN (SELECT DISTINCT arrayJoin(StackIds) FROM profiles WHERE __PROFILES__)
LIMIT 1 BY Function, StackHash"""

DURATION_QUANTILE: Final = """
SELECT toUInt64(quantile(0.95)(DurationNs)) FROM invocations
WHERE ({function:String} = '' OR Function = {function:String})
    AND ({since:Int64} = 0 OR (
        toStartOfFiveMinutes(StartedAt) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}))
        AND StartedAt >= fromUnixTimestamp64Nano({since:Int64})))
    AND ({version:UInt32} = 0 OR Version = {version:UInt32})
    AND Status = 'ok'
"""

# Rows that were written again are there twice until the engine merges them. A hash counts sooner than ids.
INVOCATION_TOTALS: Final = """
SELECT uniqExact(cityHash64(InvocationId, Attempt)) AS Invocations FROM invocations WHERE __INVOCATIONS__
"""

INVOCATION_FUNCTION: Final = """
SELECT Function, toUnixTimestamp64Nano(StartedAt) AS Started FROM invocations
WHERE has({ids:Array(String)}, InvocationId) ORDER BY StartedAt DESC LIMIT 1
"""
