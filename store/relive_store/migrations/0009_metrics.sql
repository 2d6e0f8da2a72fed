-- Whose measurement it is, and what its attributes were before they became text, as in otel_traces and otel_logs.

ALTER TABLE otel_metrics_gauge
    ADD COLUMN IF NOT EXISTS InvocationId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE otel_metrics_sum
    ADD COLUMN IF NOT EXISTS InvocationId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE otel_metrics_histogram
    ADD COLUMN IF NOT EXISTS InvocationId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE otel_metrics_exponential_histogram
    ADD COLUMN IF NOT EXISTS InvocationId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE otel_metrics_summary
    ADD COLUMN IF NOT EXISTS InvocationId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1;
