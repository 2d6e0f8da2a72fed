-- Health by minute, kept longer than what it is made of: a minute of a function takes some 80 bytes. Read states with
-- `...Merge`, and all other columns with their function.

CREATE TABLE IF NOT EXISTS invocations_1m
(
    Minute DateTime CODEC(Delta(4), ZSTD(1)),
    Function LowCardinality(String) CODEC(ZSTD(1)),
    Version UInt32 CODEC(ZSTD(1)),
    App LowCardinality(String) CODEC(ZSTD(1)),
    Attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    Failed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    Rejected SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    Statuses SimpleAggregateFunction(sumMap, Map(String, UInt64)) CODEC(ZSTD(1)),
    ColdStarts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    InitNs SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    DurationNs SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    LongestNs SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD(1)),
    CpuNs SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    LargestRssBytes SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD(1)),
    MemoryLimitBytes SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD(1)),
    DurationQuantiles AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64) CODEC(ZSTD(1)),
    WaitedQuantiles AggregateFunction(quantilesTDigest(0.5, 0.95, 0.99), UInt64) CODEC(ZSTD(1)),
    Exemplar AggregateFunction(argMax, Tuple(String, String), Tuple(UInt8, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Minute)
ORDER BY (Function, Version, App, Minute)
TTL Minute + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- What the server says of itself: one row for each minute, metric and set of attributes.

CREATE TABLE IF NOT EXISTS platform_1m
(
    Minute DateTime CODEC(Delta(4), ZSTD(1)),
    Metric LowCardinality(String) CODEC(ZSTD(1)),
    Unit LowCardinality(String) CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    Total SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    Least SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    Most SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    Last SimpleAggregateFunction(anyLast, Float64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Minute)
ORDER BY (Metric, Attributes, Minute, Unit)
TTL Minute + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- What was recorded before, day by day (see tables/backfill.py).

DROP VIEW IF EXISTS invocations_1m_mv;

TRUNCATE TABLE invocations_1m;

INSERT INTO invocations_1m
SELECT
    toStartOfMinute(StartedAt) AS Minute, Function, Version, App,
    count() AS Attempts, countIf(Status NOT IN ('ok', 'rejected')) AS Failed, countIf(Status = 'rejected') AS Rejected,
    sumMap(map(toString(Status), toUInt64(1))) AS Statuses,
    countIf(Cold = 1) AS ColdStarts, sum(i.InitNs) AS InitNs, sum(i.DurationNs) AS DurationNs, max(i.DurationNs) AS LongestNs,
    sum(i.CpuNs) AS CpuNs, max(PeakRssBytes) AS LargestRssBytes, max(i.MemoryLimitBytes) AS MemoryLimitBytes,
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(i.DurationNs, HandlerStartedAt > 0) AS DurationQuantiles,
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(i.QueueNs, DispatchedAt > 0) AS WaitedQuantiles,
    argMaxState((TraceId, InvocationId), (toUInt8(Status NOT IN ('ok', 'rejected')), i.DurationNs)) AS Exemplar
FROM invocations AS i FINAL
WHERE StartedAt >= fromUnixTimestamp64Nano({begin:Int64}) AND StartedAt < fromUnixTimestamp64Nano({end:Int64})
GROUP BY Minute, Function, Version, App;

CREATE MATERIALIZED VIEW IF NOT EXISTS invocations_1m_mv TO invocations_1m AS
SELECT
    toStartOfMinute(StartedAt) AS Minute, Function, Version, App,
    count() AS Attempts, countIf(Status NOT IN ('ok', 'rejected')) AS Failed, countIf(Status = 'rejected') AS Rejected,
    sumMap(map(toString(Status), toUInt64(1))) AS Statuses,
    countIf(Cold = 1) AS ColdStarts, sum(i.InitNs) AS InitNs, sum(i.DurationNs) AS DurationNs, max(i.DurationNs) AS LongestNs,
    sum(i.CpuNs) AS CpuNs, max(PeakRssBytes) AS LargestRssBytes, max(i.MemoryLimitBytes) AS MemoryLimitBytes,
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(i.DurationNs, HandlerStartedAt > 0) AS DurationQuantiles,
    quantilesTDigestStateIf(0.5, 0.95, 0.99)(i.QueueNs, DispatchedAt > 0) AS WaitedQuantiles,
    argMaxState((TraceId, InvocationId), (toUInt8(Status NOT IN ('ok', 'rejected')), i.DurationNs)) AS Exemplar
FROM invocations AS i GROUP BY Minute, Function, Version, App;
