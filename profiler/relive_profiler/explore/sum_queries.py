"""Frames of all stacks added up in the engine: the SQL.

A frame is known by a hash of its deployed function, name, file and, by line, its line: numbers are grouped
much sooner than texts.
"""

# ruff: noqa: S608 - all parts of all statements are from here

from __future__ import annotations

from typing import Final, Literal

from relive_profiler.explore.filters import STACK_OF, stack_weights

__all__ = [
    "BOTH_SIDES",
    "CHANGE_SUMS",
    "EVERYTHING",
    "FRAME_SUMS",
    "OWN_SUMS",
    "OWN_SUMS_WITH_WAITS",
    "OWN_TIMES",
    "STACKS_WITH",
    "SUMMED_FRAMES",
    "Weight",
    "chosen",
    "with_stacks",
]

Weight = Literal["wall", "cpu"]

EVERYTHING: Final = 1
"""The key under which all stacks are counted together."""

_SUMS: Final = "sum(Count) AS Samples, sum(Wall) AS WallSum, sum(Cpu) AS CpuSum"
_SKETCHES: Final = _SUMS + ", groupArraySorted(64)(cityHash64(InvocationId, Attempt)) AS Sketch"
_THESE: Final = "__STACKS__ AND has({functions:Array(UInt64)}, cityHash64(Function))"

# All arrays begin with the innermost frame. A stack that is not known (any more) is one frame, which has only
# its deployed function. By function, the store has the hashes; by line, the text of a hash is read once for
# each entry of a column's dictionary.
_FOUND_KEYS: Final = "__FRAME_KEYS__"
_LINE_KEYS: Final = """
    arrayReverse(arrayMap(
        (name, file, line) -> cityHash64(Function, name, file, line),
        arrayMap(name -> cityHash64(name), Functions),
        arrayMap(file -> cityHash64(file), Files), Lines))"""
_KEYS: Final = " if(empty(FrameKeys), [cityHash64(Deployed)], FrameKeys) AS Keys"
_TEXTS: Final = """
    if(empty(Functions), [{unknown:String}], CAST(arrayReverse(Functions), 'Array(String)')) AS Names,
    if(empty(Functions), [''], CAST(arrayReverse(Files), 'Array(String)')) AS Places,
    if(empty(Functions), [toUInt32(0)], arrayReverse(Lines)) AS Numbers"""


# What a library waited is the time of the application's innermost line (`waits`): see hot.is_own.
_OWN_AT: Final = "__OWN_AT__"
_WAITING_AT: Final = """arrayFirstIndex(
        file -> file != '' AND NOT match(file, '^(site-packages/|python3[.]|<|/)'), arrayReverse(Files))"""
_WAITED: Final = "if(OwnAt > 0 AND WallSum > CpuSum, WallSum - CpuSum, 0) AS Waited"


def _joined(columns: str, known: str, which: str, weights: str) -> str:
    """Stacks with their weights, and with columns made of their frames. The stacks of the store go past the
    weights, of which there are fewer: no array is kept for it."""
    stacks = f"SELECT {STACK_OF.format('StackHash')} AS Id, {known}\nFROM profile_stacks WHERE {which}"
    return f"SELECT {columns}\nFROM ({stacks}) AS known ANY RIGHT JOIN ({weights}) AS weighed USING (Id)"


_ALL_FRAMES: Final = f"Functions, Files, Lines, {_FOUND_KEYS} AS FrameKeys"


def _weighed(columns: str, known: str, sums: str, weights: str = "") -> str:
    """Stacks with their frames: all that `weights` finds, or the heaviest. `known`: what these can be."""
    found = stack_weights(sums, f"{weights} AND ", "") if weights else stack_weights(sums)
    return _joined(f"Deployed, StackHash, {columns}", _ALL_FRAMES, known, found)


_HOT: Final = _weighed(
    "WallSum, CpuSum,"
    + _KEYS
    + f""", arrayConcat(arrayDistinct(Keys), [toUInt64(1)]) AS Different,
    {_OWN_AT} AS OwnAt,
    {_WAITED},
    if(OwnAt > 0, Keys[OwnAt], 0) AS Waiter""",
    "__STACKS__",
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
    weights = stack_weights(f"any(cityHash64(Function)) AS FunctionKey, {sums}", order="")
    joined = _joined(
        f"FunctionKey, WallSum, if(Found = 0, FunctionKey, Found) AS Inner{more}",
        known,
        "__STACKS__",
        weights,
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
    "SELECT Function, StackHash FROM (SELECT Function, StackHash, "
    + _FOUND_KEYS
    + " AS Keys FROM profile_stacks WHERE "
    + _THESE
    + ") WHERE hasAny(Keys, {keys:Array(UInt64)})"
)
STACKS_WITH: Final = _CONTAINING + " LIMIT {named:UInt32}"
"""Which stacks some frames are on. If they are few, the next statement names them: the index finds them."""
_NAMED: Final = {
    "__THESE_STACKS__": "Function IN {names:Array(String)} AND StackHash IN {these:Array(UInt64)}",
    "__THESE_WEIGHTS__": "Function IN {names:Array(String)} AND Stack IN {these:Array(UInt64)}",
}
_LOOKED_FOR: Final = {
    "__THESE_STACKS__": _THESE,
    "__THESE_WEIGHTS__": f"{_THESE} AND (has({{keys:Array(UInt64)}}, cityHash64(Function)) OR Stack IN ("
    f"SELECT StackHash FROM ({_CONTAINING})))",
}
SUMMED_FRAMES: Final = (
    """
SELECT Key, any(Name), any(File), argMax(Line, (WallSum, bitNot(StackHash))) AS Line,
    length(groupUniqArrayArray(Sketch) AS Hashes) AS Seen, max(length(Sketch)) AS Longest,
    arraySort(Hashes)[least(Seen, {sketch:UInt32})] AS Last,
    any(Deployed) AS Function, sum(WallSum) AS TotalSum, sumIf(CpuSum, Depth = 1) AS SelfCpuSum,
    sum(Samples) AS SampleSum
FROM ("""
    + _weighed(
        f"Samples, WallSum, CpuSum, Sketch,{_KEYS},{_TEXTS}",
        "__THESE_STACKS__",
        _SKETCHES,
        "__THESE_WEIGHTS__",
    )
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
    SELECT Function, StackIds, Counts, WallNs, CpuNs, (__OLD_PROFILES__) AS Old, (__NEW_PROFILES__) AS New
    FROM profiles WHERE __PROFILES_OF_BOTH__
) ARRAY JOIN StackIds AS Stack, Counts AS Count, WallNs AS Wall, CpuNs AS Cpu
GROUP BY Id
ORDER BY OldWall / {{old_count:UInt64}} + NewWall / {{new_count:UInt64}} DESC, StackHash
LIMIT {{stacks:UInt32}}"""


_WALLS: Final = "countIf(New) AS Newer, sumIf(Wall, Old) AS OldWall, sumIf(Wall, New) AS NewWall"
_EITHER: Final = "__STACKS_OF_BOTH__"
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
            SELECT Function, StackIds, WallNs, CpuNs, cityHash64(InvocationId, Attempt, Timestamp) AS Profile
            FROM profiles WHERE __PROFILES__
            ORDER BY Timestamp DESC LIMIT {rows:UInt32}
        ) ARRAY JOIN StackIds AS Stack, WallNs AS Wall
    ) AS taken
    INNER JOIN (
        SELECT Function, StackHash AS Stack, ("""
    + _FOUND_KEYS
    + """)[1] AS Key
        FROM profile_stacks
        WHERE __STACKS__ AND notEmpty(Functions) AND Key IN {keys:Array(UInt64)}
        LIMIT 1 BY Function, Stack
    ) AS known USING (Function, Stack)
    GROUP BY Profile, Key
)
GROUP BY Key"""
)


def chosen(statement: str, *, by_line: bool, waits: bool = False, weight: Weight = "wall") -> str:
    """The statement for functions or lines. `waits`: what a library waited is its caller's. `weight`: "cpu"
    counts time on the CPU alone, wherever the statement speaks of walls."""
    if weight == "cpu":
        statement = statement.replace("WallNs AS Wall", "CpuNs AS Wall")
    return statement.replace("__FRAME_KEYS__", _LINE_KEYS if by_line else "FrameKeys").replace(
        "__OWN_AT__", _WAITING_AT if waits else "0"
    )


def with_stacks(statement: str, *, named: bool) -> str:
    """Of the stacks that the parameters `names` and `these` name, or of all that have one of `keys`."""
    for mark, condition in (_NAMED if named else _LOOKED_FOR).items():
        statement = statement.replace(mark, condition)
    return statement
