-- What functions have used, by UTC day: added up from the attempts, so that it is what they are to the last nanosecond.
-- A request that was refused before it ran has used nothing. Memory is what was reserved, as clouds charge it.

CREATE VIEW IF NOT EXISTS usage AS
SELECT
    toDate(StartedAt, 'UTC') AS Day,
    App,
    Function,
    Version,
    countIf(Attempt <= 1 AND Status != 'rejected') AS Invocations,
    countIf(Status != 'rejected') AS Attempts,
    countIf(Status = 'rejected') AS Rejected,
    countIf(IsFailed = 1) AS Failed,
    sum(DurationNs) AS HandlerNs,
    sum(InitNs) AS StartNs,
    sum(CpuNs) AS UsedCpuNs,
    toFloat64(sum(toUInt128(DurationNs) * toUInt128(MemoryLimitBytes))) / 1073741824e9 AS GbSeconds,
    toFloat64(sum(toUInt128(InitNs) * toUInt128(MemoryLimitBytes))) / 1073741824e9 AS StartGbSeconds,
    sum(EventBytes) AS IngressBytes,
    sum(ResultBytes) AS EgressBytes,
    max(PeakRssBytes) AS LargestRssBytes
FROM invocations FINAL
GROUP BY Day, App, Function, Version;
