-- How many spans a span stands for, where only a share of a function's unremarkable invocations keep theirs. The
-- rollup of spans by minute counts with it; its quantiles are of the spans that were kept.

ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS SampleWeight Float32 DEFAULT 1 CODEC(ZSTD(1));

DROP VIEW IF EXISTS otel_traces_red_1m_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_red_1m_mv TO otel_traces_red_1m AS
SELECT
    toStartOfMinute(Timestamp) AS Minute, ServiceName, SpanName, SpanKind,
    toUInt64(round(sum(SampleWeight))) AS Spans,
    toUInt64(round(sumIf(SampleWeight, StatusCode = 'Error'))) AS Errors,
    toUInt64(round(sum(Duration * SampleWeight))) AS DurationSum, max(Duration) AS DurationMax,
    quantilesTDigestState(0.5, 0.95, 0.99)(Duration) AS DurationQuantiles,
    argMax(TraceId, (StatusCode = 'Error', Duration)) AS ExemplarTraceId
FROM otel_traces GROUP BY Minute, ServiceName, SpanName, SpanKind;
