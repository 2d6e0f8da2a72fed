"""The queries of this side, each whole: what is sent can be read here as it is."""

from __future__ import annotations

from typing import Final

__all__ = ["BLOB", "COUNT", "GROUPS", "NEWEST", "PAGE", "RESOLVE", "RESOLVE_LAST", "SPARK"]

# A replayed spool may bring a scene twice, and one that gets its heap later has a second row, of a larger
# file: LIMIT 1 BY shows it once.
PAGE: Final = """
SELECT InvocationId, Attempt, CapturedAt, Function, Version, Kind, ErrorType, Message, Fingerprint,
    File, Line, ErrorFunction, Frames, TraceId, SpanId, Locals, Parts, SizeBytes, ArchiveHash
FROM failure_scenes
WHERE
    ({function:String} = '' OR Function = {function:String})
    AND CapturedAt >= fromUnixTimestamp64Nano({since:Int64})
    AND ({until:Int64} = 0 OR CapturedAt < fromUnixTimestamp64Nano({until:Int64}))
    AND ({fingerprint:String} = '' OR Fingerprint = {fingerprint:String})
    AND ({kind:String} = '' OR Kind = {kind:String})
ORDER BY CapturedAt DESC, InvocationId DESC, Attempt DESC, SizeBytes DESC
LIMIT 1 BY InvocationId, Attempt
LIMIT {limit:UInt64} OFFSET {offset:UInt64}
"""
# Since when a page's rows are, from one narrow column: to sort whole rows costs five times as much.
NEWEST: Final = """
SELECT count(), toUnixTimestamp64Nano(min(At)) FROM (
    SELECT CapturedAt AS At FROM failure_scenes
    WHERE
        ({function:String} = '' OR Function = {function:String})
        AND CapturedAt >= fromUnixTimestamp64Nano({since:Int64})
        AND ({until:Int64} = 0 OR CapturedAt < fromUnixTimestamp64Nano({until:Int64}))
        AND ({fingerprint:String} = '' OR Fingerprint = {fingerprint:String})
        AND ({kind:String} = '' OR Kind = {kind:String})
    ORDER BY At DESC
    LIMIT {rows:UInt64}
)
"""
COUNT: Final = """
SELECT uniqExact(InvocationId, Attempt) FROM failure_scenes WHERE
    ({function:String} = '' OR Function = {function:String})
    AND CapturedAt >= fromUnixTimestamp64Nano({since:Int64})
    AND ({until:Int64} = 0 OR CapturedAt < fromUnixTimestamp64Nano({until:Int64}))
    AND ({fingerprint:String} = '' OR Fingerprint = {fingerprint:String})
    AND ({kind:String} = '' OR Kind = {kind:String})
"""
GROUPS: Final = """
SELECT Fingerprint, Function, uniqExact(InvocationId, Attempt) AS Count,
    min(CapturedAt) AS First, max(CapturedAt) AS Last,
    argMax(ErrorType, CapturedAt) AS NewestType, argMax(Message, CapturedAt) AS NewestMessage,
    argMax(Kind, CapturedAt) AS NewestKind, argMax(File, CapturedAt) AS NewestFile,
    argMax(Line, CapturedAt) AS NewestLine, argMax(ErrorFunction, CapturedAt) AS NewestFunction,
    argMax(InvocationId, CapturedAt) AS NewestId, argMax(Attempt, CapturedAt) AS NewestAttempt,
    argMax(TraceId, CapturedAt) AS NewestTrace, arraySort(groupUniqArray(100)(Version)) AS Versions
FROM failure_scenes
WHERE
    ({function:String} = '' OR Function = {function:String})
    AND CapturedAt >= fromUnixTimestamp64Nano({since:Int64})
    AND ({until:Int64} = 0 OR CapturedAt < fromUnixTimestamp64Nano({until:Int64}))
    AND ({fingerprint:String} = '' OR Fingerprint = {fingerprint:String})
    AND ({kind:String} = '' OR Kind = {kind:String})
GROUP BY Function, Fingerprint
ORDER BY Last DESC
LIMIT {limit:UInt64}
"""
SPARK: Final = """
SELECT Function, Fingerprint, intDiv(toUnixTimestamp64Nano(CapturedAt) - {begin:Int64},
    {width:Int64}) AS Bucket,
    uniqExact(InvocationId, Attempt) AS Count
FROM failure_scenes
WHERE
    ({function:String} = '' OR Function = {function:String})
    AND CapturedAt >= fromUnixTimestamp64Nano({since:Int64})
    AND ({until:Int64} = 0 OR CapturedAt < fromUnixTimestamp64Nano({until:Int64}))
    AND ({fingerprint:String} = '' OR Fingerprint = {fingerprint:String})
    AND ({kind:String} = '' OR Kind = {kind:String})
GROUP BY Function, Fingerprint, Bucket
"""
RESOLVE: Final = """
SELECT InvocationId, Attempt, ArchiveHash, CapturedAt
FROM failure_scenes
WHERE startsWith(InvocationId, {prefix:String}) AND ({attempt:UInt16} = 0 OR Attempt = {attempt:UInt16})
ORDER BY CapturedAt DESC, Attempt DESC, SizeBytes DESC
LIMIT 1 BY InvocationId
LIMIT 2
"""
RESOLVE_LAST: Final = """
SELECT InvocationId, Attempt, ArchiveHash, CapturedAt
FROM failure_scenes ORDER BY CapturedAt DESC, Attempt DESC, SizeBytes DESC LIMIT 1
"""
BLOB: Final = """
SELECT Chunk, any(Chunks) AS Chunks, any(Data) AS Data
FROM scene_blobs
WHERE ArchiveHash = {hash:String}
GROUP BY Chunk
ORDER BY Chunk
"""
