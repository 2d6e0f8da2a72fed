-- Changes of alerts. Value and Threshold are NULL if there was nothing to measure.

CREATE TABLE IF NOT EXISTS alert_history
(
    Alert LowCardinality(String),
    App LowCardinality(String),
    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    State LowCardinality(String),
    Before LowCardinality(String),
    Value Nullable(Float64) CODEC(ZSTD(1)),
    Threshold Nullable(Float64) CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),
    Silenced UInt8,
    Number UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Alert, At, Number)
TTL toDateTime(At) + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000;
