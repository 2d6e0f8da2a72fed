"""Frames of all stacks added up in the engine: the SQL.

A frame is known by a hash of its deployed function, name, file and, by line, its line: numbers are grouped
much sooner than texts.
"""

# ruff: noqa: S608 - all parts of all statements are from here

from __future__ import annotations

import re
from typing import Final

from relive_profiler.explore.filters import PROFILE_CONDITIONS, stack_weights

__all__ = ["CHANGE_SUMS", "EVERYTHING", "FRAME_SUMS", "OWN_TIMES", "SUMMED_FRAMES"]

EVERYTHING: Final = 1
"""The key under which all stacks are counted together."""

_SUMS: Final = "sum(Count) AS Samples, sum(Wall) AS WallSum, sum(Cpu) AS CpuSum"
_SKETCHES: Final = "sum(Wall) AS WallSum, groupArraySorted(64)(cityHash64(InvocationId, Attempt)) AS Sketch"
_ANY: Final = "({function:String} = '' OR Function = {function:String})"
_THESE: Final = "Function IN {functions:Array(String)}"

# All arrays begin with the innermost frame. A stack that is not known (any more) is one frame, which has only
# its deployed function. By function, the store has the hashes; by line, the text of a hash is read once for
# each entry of a column's dictionary.
_FOUND_KEYS: Final = """
    if({by_line:UInt8} = 1, arrayReverse(arrayMap(
        (name, file, line) -> cityHash64(Function, name, file, line),
        arrayMap(name -> cityHash64(name), Functions),
        arrayMap(file -> cityHash64(file), Files), Lines)), FrameKeys)"""
_KEYS: Final = " if(empty(FrameKeys), [cityHash64(Function)], FrameKeys) AS Keys"
_TEXTS: Final = """
    if(empty(Functions), [{unknown:String}], CAST(arrayReverse(Functions), 'Array(String)')) AS Names,
    if(empty(Functions), [''], CAST(arrayReverse(Files), 'Array(String)')) AS Places,
    if(empty(Functions), [toUInt32(0)], arrayReverse(Lines)) AS Numbers"""


def _weighed(columns: str, which: str, sums: str, only: str = "1") -> str:
    """The heaviest stacks, with columns made of their frames. The stacks of the store go past the weights, of
    which there are fewer: no array is kept for it. `only`: of these stacks."""
    known = (
        f"SELECT Function, StackHash AS Stack, Functions, Files, Lines, {_FOUND_KEYS} AS FrameKeys\n"
        f"FROM profile_stacks WHERE {which}"
    )
    weights = stack_weights(sums, f"{which} AND {only}")
    return (
        f"SELECT weighed.Function AS Function, Stack, {columns}\n"
        f"FROM ({known}) AS known ANY RIGHT JOIN ({weights}) AS weighed USING (Function, Stack)"
    )


# What a library waited is the time of the application's innermost line (`waits`): see hot.is_own.
_HOT: Final = _weighed(
    "Samples, WallSum, CpuSum,"
    + _KEYS
    + """, arrayConcat(arrayDistinct(Keys), [toUInt64(1)]) AS Different,
    if({waits:UInt8} = 1, arrayFirstIndex(
        file -> file != '' AND NOT match(file, '^(site-packages/|python3[.]|<|/)'), arrayReverse(Files)
    ), 0) AS OwnAt,
    if(OwnAt > 0 AND WallSum > CpuSum, WallSum - CpuSum, 0) AS Waited,
    if(OwnAt > 0, Keys[OwnAt], 0) AS Waiter""",
    _ANY,
    _SUMS,
)
FRAME_SUMS: Final = (
    """
SELECT * FROM (
    SELECT Key, sum(if(Depth = 1, WallSum - Waited, 0) + if(Key = Waiter, Waited, 0)) AS SelfSum,
        sum(WallSum) AS TotalSum, sumIf(CpuSum, Depth = 1) AS SelfCpuSum, sum(Samples) AS SampleSum,
        count() AS Stacks, any(Function) AS Deployed
    FROM ("""
    + _HOT
    + """) ARRAY JOIN Different AS Key, arrayEnumerate(Different) AS Depth
    GROUP BY Key
    ORDER BY Key = 1 DESC, SelfSum DESC, TotalSum DESC
    LIMIT {rows:UInt32} WITH TIES
) LIMIT {most:UInt32}"""
)
_CONTAINING: Final = (
    "(has({keys:Array(UInt64)}, cityHash64(Function)) OR Stack IN (\n"
    "SELECT StackHash FROM (SELECT StackHash,"
    + _FOUND_KEYS
    + " AS Keys FROM profile_stacks WHERE "
    + _THESE
    + ") WHERE hasAny(Keys, {keys:Array(UInt64)})))"
)
SUMMED_FRAMES: Final = (
    """
SELECT Key, any(Name), any(File), argMax(Line, (WallSum, bitNot(Stack))) AS Line,
    length(groupUniqArrayArray(Sketch) AS Hashes) AS Seen, max(length(Sketch)) AS Longest,
    arraySort(Hashes)[least(Seen, {sketch:UInt32})] AS Last
FROM ("""
    + _weighed(f"WallSum, Sketch,{_KEYS},{_TEXTS}", _THESE, _SKETCHES, _CONTAINING)
    + """
    WHERE hasAny(Keys, {keys:Array(UInt64)})
) ARRAY JOIN Keys AS Key, Names AS Name, Places AS File, Numbers AS Line, arrayEnumerateUniq(Keys) AS Nth
WHERE Nth = 1 AND Key IN {keys:Array(UInt64)}
GROUP BY Key"""
)


def _other(statement: str) -> str:
    """The same with parameters of its own: of the side that is compared with."""
    return re.sub(r"\{(\w+):", r"{other_\1:", statement)


_SIDE: Final = _weighed(f"WallSum,{_KEYS},{_TEXTS}", _ANY, "sum(Wall) AS WallSum")
CHANGE_SUMS: Final = (
    """
SELECT Key, any(Function) AS Deployed, any(Name) AS AnyName, any(File) AS AnyFile,
    argMax(Line, (Later, WallSum, bitNot(Stack))) AS Heaviest,
    sumIf(WallSum, Depth = 1 AND Later = 0) AS OldSelf, sumIf(WallSum, Later = 0) AS OldTotal,
    sumIf(WallSum, Depth = 1 AND Later = 1) AS NewSelf, sumIf(WallSum, Later = 1) AS NewTotal
FROM (SELECT 0 AS Later, arrayConcat(Keys, [toUInt64(1)]) AS All, * FROM ("""
    + _SIDE
    + """) UNION ALL SELECT 1 AS Later, arrayConcat(Keys, [toUInt64(1)]) AS All, * FROM ("""
    + _other(_SIDE)
    + """)
) ARRAY JOIN All AS Key, arrayConcat(Names, ['']) AS Name, arrayConcat(Places, ['']) AS File,
    arrayConcat(Numbers, [toUInt32(0)]) AS Line, arrayEnumerateUniq(All) AS Nth, arrayEnumerate(All) AS Depth
WHERE Nth = 1
GROUP BY Key
ORDER BY Key = 1 DESC,
    abs(NewSelf / 1e9 * 1e3 / {new_count:UInt64} - OldSelf / 1e9 * 1e3 / {old_count:UInt64}) DESC,
    AnyFile, Heaviest, AnyName, Deployed
LIMIT {rows:UInt32}"""
)

# Each profile by itself, the newest: how much they differ among themselves says what a difference is worth.
OWN_TIMES: Final = (
    """
SELECT Key, sum(Own) AS Sum, sum(toFloat64(Own) * Own) AS Squares
FROM (
    SELECT Profile, Key, sum(Wall) AS Own
    FROM (
        SELECT Function, Stack, Wall, Profile
        FROM (
            SELECT Function, StackIds, WallNs, cityHash64(InvocationId, Attempt, Timestamp) AS Profile
            FROM profiles WHERE """
    + PROFILE_CONDITIONS
    + """
            ORDER BY Timestamp DESC LIMIT {rows:UInt32}
        ) ARRAY JOIN StackIds AS Stack, WallNs AS Wall
    ) AS taken
    INNER JOIN (
        SELECT Function, StackHash AS Stack, ("""
    + _FOUND_KEYS
    + """)[1] AS Key
        FROM profile_stacks
        WHERE """
    + _ANY
    + """ AND notEmpty(Functions) AND Key IN {keys:Array(UInt64)}
        LIMIT 1 BY Function, Stack
    ) AS known USING (Function, Stack)
    GROUP BY Profile, Key
)
GROUP BY Key"""
)
