-- What people have said of groups of failures. The newest row of a group is its mark; a group without one is open.

CREATE TABLE IF NOT EXISTS failure_marks
(
    Function LowCardinality(String),
    Fingerprint String CODEC(ZSTD(1)),
    State LowCardinality(String),
    Version UInt32,
    Note String CODEC(ZSTD(1)),
    MarkedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(MarkedAt)
ORDER BY (Function, Fingerprint)
SETTINGS non_replicated_deduplication_window = 1000;
