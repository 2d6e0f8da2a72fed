"""Frames of all stacks added up in the engine: the SQL.

A frame is known by a hash of its deployed function, name, file and, by line, its line: numbers are grouped
much sooner than texts.
"""

# ruff: noqa: S608 - all parts of all statements are from here

from __future__ import annotations

from typing import Final

from relive_profiler.explore.filters import PROFILE_CONDITIONS, STACK_OF, of_other, stack_weights

__all__ = [
    "BOTH_SIDES",
    "CHANGE_SUMS",
    "EVERYTHING",
    "FRAME_SUMS",
    "OWN_SUMS",
    "OWN_SUMS_WITH_WAITS",
    "OWN_TIMES",
    "SUMMED_FRAMES",
]

EVERYTHING: Final = 1
"""The key under which all stacks are counted together."""

_SUMS: Final = "sum(Count) AS Samples, sum(Wall) AS WallSum, sum(Cpu) AS CpuSum"
_SKETCHES: Final = _SUMS + ", groupArraySorted(64)(cityHash64(InvocationId, Attempt)) AS Sketch"
_ANY: Final = "({function:String} = '' OR Function = {function:String})"
_THESE: Final = _ANY + " AND has({functions:Array(UInt64)}, cityHash64(Function))"

# All arrays begin with the innermost frame. A stack that is not known (any more) is one frame, which has only
# its deployed function. By function, the store has the hashes; by line, the text of a hash is read once for
# each entry of a column's dictionary.
_FOUND_KEYS: Final = """
    if({by_line:UInt8} = 1, arrayReverse(arrayMap(
        (name, file, line) -> cityHash64(Function, name, file, line),
        arrayMap(name -> cityHash64(name), Functions),
        arrayMap(file -> cityHash64(file), Files), Lines)), FrameKeys)"""
_KEYS: Final = " if(empty(FrameKeys), [cityHash64(Deployed)], FrameKeys) AS Keys"
_TEXTS: Final = """
    if(empty(Functions), [{unknown:String}], CAST(arrayReverse(Functions), 'Array(String)')) AS Names,
    if(empty(Functions), [''], CAST(arrayReverse(Files), 'Array(String)')) AS Places,
    if(empty(Functions), [toUInt32(0)], arrayReverse(Lines)) AS Numbers"""


# What a library waited is the time of the application's innermost line (`waits`): see hot.is_own.
_OWN_AT: Final = """arrayFirstIndex(
        file -> file != '' AND NOT match(file, '^(site-packages/|python3[.]|<|/)'), arrayReverse(Files))"""
_WAITED: Final = "if(OwnAt > 0 AND WallSum > CpuSum, WallSum - CpuSum, 0) AS Waited"


def _joined(columns: str, known: str, which: str, weights: str) -> str:
    """Stacks with their weights, and with columns made of their frames. The stacks of the store go past the
    weights, of which there are fewer: no array is kept for it."""
    stacks = f"SELECT {STACK_OF.format('StackHash')} AS Id, {known}\nFROM profile_stacks WHERE {which}"
    return f"SELECT {columns}\nFROM ({stacks}) AS known ANY RIGHT JOIN ({weights}) AS weighed USING (Id)"


_ALL_FRAMES: Final = f"Functions, Files, Lines, {_FOUND_KEYS} AS FrameKeys"


def _weighed(columns: str, which: str, sums: str, only: str = "1") -> str:
    """The heaviest stacks, with their frames. `only`: all of these stacks."""
    order = "WallSum DESC, StackHash" if only == "1" else ""
    weights = stack_weights(sums, f"{which} AND {only}", order)
    return _joined(f"Deployed, StackHash, {columns}", _ALL_FRAMES, which, weights)


_HOT: Final = _weighed(
    "WallSum, CpuSum,"
    + _KEYS
    + f""", arrayConcat(arrayDistinct(Keys), [toUInt64(1)]) AS Different,
    if({{waits:UInt8}} = 1, {_OWN_AT}, 0) AS OwnAt,
    {_WAITED},
    if(OwnAt > 0, Keys[OwnAt], 0) AS Waiter""",
    _ANY,
    _SUMS,
)
FRAME_SUMS: Final = (
    """
SELECT * FROM (
    SELECT Key, sum(if(Depth = 1, WallSum - Waited, 0) + if(Key = Waiter, Waited, 0)) AS SelfSum,
        sum(WallSum) AS TotalSum, count() AS Stacks, any(cityHash64(Deployed)) AS FunctionKey
    FROM ("""
    + _HOT
    + """) ARRAY JOIN Different AS Key, arrayEnumerate(Different) AS Depth
    GROUP BY Key
    ORDER BY Key = 1 DESC, SelfSum DESC, TotalSum DESC
    LIMIT {rows:UInt32} WITH TIES
) LIMIT {most:UInt32}"""
)


def _own(known: str, sums: str, keys: str, walls: str, more: str = "") -> str:
    """The same without what functions took below themselves: of a stack, at most two frames count and not all
    of them. No stack is left out."""
    weights = stack_weights(f"any(cityHash64(Function)) AS FunctionKey, {sums}", _ANY, "")
    joined = _joined(
        f"FunctionKey, WallSum, if(Found = 0, FunctionKey, Found) AS Inner{more}", known, _ANY, weights
    )
    return f"""
SELECT * FROM (
    SELECT Key, sum(Own) AS SelfSum, SelfSum AS TotalSum, count() AS Stacks, any(FunctionKey) AS OfFunction
    FROM ({joined})
    ARRAY JOIN {keys} AS Key, {walls} AS Own
    WHERE Key != 0
    GROUP BY Key
    ORDER BY Key = 1 DESC, SelfSum DESC
    LIMIT {{rows:UInt32}} WITH TIES
) LIMIT {{most:UInt32}}"""


OWN_SUMS: Final = _own(
    f"({_FOUND_KEYS})[1] AS Found", "sum(Wall) AS WallSum", "[Inner, toUInt64(1)]", "[WallSum, WallSum]"
)
OWN_SUMS_WITH_WAITS: Final = _own(
    f"{_FOUND_KEYS} AS Keys, Keys[1] AS Found, {_OWN_AT} AS OwnAt, Keys[OwnAt] AS Waiter",
    "sum(Wall) AS WallSum, sum(Cpu) AS CpuSum",
    "[Inner, Waiter, toUInt64(1)]",
    "[toUInt64(WallSum - Waited), toUInt64(Waited), WallSum]",
    f", Waiter, {_WAITED}",
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
SELECT Key, any(Name), any(File), argMax(Line, (WallSum, bitNot(StackHash))) AS Line,
    length(groupUniqArrayArray(Sketch) AS Hashes) AS Seen, max(length(Sketch)) AS Longest,
    arraySort(Hashes)[least(Seen, {sketch:UInt32})] AS Last,
    any(Deployed) AS Function, sum(WallSum) AS TotalSum, sumIf(CpuSum, Depth = 1) AS SelfCpuSum,
    sum(Samples) AS SampleSum
FROM ("""
    + _weighed(f"Samples, WallSum, CpuSum, Sketch,{_KEYS},{_TEXTS}", _THESE, _SKETCHES, _CONTAINING)
    + """
    WHERE hasAny(Keys, {keys:Array(UInt64)})
) ARRAY JOIN Keys AS Key, Names AS Name, Places AS File, Numbers AS Line, arrayEnumerateUniq(Keys) AS Nth,
    arrayEnumerate(Keys) AS Depth
WHERE Nth = 1 AND Key IN {keys:Array(UInt64)}
GROUP BY Key"""
)


def _of_both(sums: str) -> str:
    """The weights of stacks on both sides, by one look at the profiles: the heaviest of an invocation."""
    return f"""
SELECT {STACK_OF.format("Stack")} AS Id, any(Function) AS Deployed, any(Stack) AS StackHash, {sums}
FROM (
    SELECT Function, StackIds, Counts, WallNs, CpuNs, ({PROFILE_CONDITIONS}) AS Old,
        ({of_other(PROFILE_CONDITIONS)}) AS New
    FROM profiles WHERE Old OR New
) ARRAY JOIN StackIds AS Stack, Counts AS Count, WallNs AS Wall, CpuNs AS Cpu
GROUP BY Id
ORDER BY OldWall / {{old_count:UInt64}} + NewWall / {{new_count:UInt64}} DESC, StackHash
LIMIT {{stacks:UInt32}}"""


_WALLS: Final = "countIf(New) AS Newer, sumIf(Wall, Old) AS OldWall, sumIf(Wall, New) AS NewWall"
_EITHER: Final = f"({_ANY} OR {of_other(_ANY)})"
_CHANGED: Final = _joined(
    f"Deployed, StackHash, Newer, OldWall, NewWall,{_KEYS},{_TEXTS}", _ALL_FRAMES, _EITHER, _of_both(_WALLS)
)
CHANGE_SUMS: Final = (
    """
SELECT Key, any(Deployed) AS AnyFunction, any(Name) AS AnyName, any(File) AS AnyFile,
    argMax(Line, (Newer > 0, if(Newer > 0, NewWall, OldWall), bitNot(StackHash))) AS Heaviest,
    sumIf(OldWall, Depth = 1) AS OldSelf, sum(OldWall) AS OldTotal,
    sumIf(NewWall, Depth = 1) AS NewSelf, sum(NewWall) AS NewTotal
FROM (SELECT arrayConcat(Keys, [toUInt64(1)]) AS All, * FROM ("""
    + _CHANGED
    + """)
) ARRAY JOIN All AS Key, arrayConcat(Names, ['']) AS Name, arrayConcat(Places, ['']) AS File,
    arrayConcat(Numbers, [toUInt32(0)]) AS Line, arrayEnumerateUniq(All) AS Nth, arrayEnumerate(All) AS Depth
WHERE Nth = 1
GROUP BY Key
ORDER BY Key = 1 DESC,
    abs(NewSelf / 1e9 * 1e3 / {new_count:UInt64} - OldSelf / 1e9 * 1e3 / {old_count:UInt64}) DESC,
    AnyFile, Heaviest, AnyName, AnyFunction
LIMIT {rows:UInt32}"""
)

# All stacks of both sides, of which a tree is made.
BOTH_SIDES: Final = _joined(
    f"Deployed, StackHash, Older, Newer, OldCount, OldWall, OldCpu, NewCount, NewWall, NewCpu, {_KEYS},"
    " Functions, Files, Lines",
    _ALL_FRAMES,
    _EITHER,
    _of_both(
        f"countIf(Old) AS Older, {_WALLS}, sumIf(Count, Old) AS OldCount, sumIf(Count, New) AS NewCount,"
        " sumIf(Cpu, Old) AS OldCpu, sumIf(Cpu, New) AS NewCpu"
    ),
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
