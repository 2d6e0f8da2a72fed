-- What Relive itself records: invocations, profiles, failure scenes.

CREATE TABLE IF NOT EXISTS invocations
(
    InvocationId String CODEC(ZSTD(1)),
    Attempt UInt16 CODEC(ZSTD(1)),
    Function LowCardinality(String),
    Version UInt32 CODEC(ZSTD(1)),
    App LowCardinality(String),
    CodeHash LowCardinality(String),
    Trigger LowCardinality(String),
    Status LowCardinality(String),
    IsFailed UInt8 MATERIALIZED Status NOT IN ('ok', 'rejected'),
    Cold UInt8,
    Pooled UInt8,
    StartedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    EnqueuedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    DispatchedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    HandlerStartedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    HandlerEndedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    RespondedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    QueueNs UInt64 CODEC(T64, ZSTD(1)),
    InitNs UInt64 CODEC(T64, ZSTD(1)),
    DurationNs UInt64 CODEC(T64, ZSTD(1)),
    TotalNs UInt64 CODEC(T64, ZSTD(1)),
    CpuNs UInt64 CODEC(T64, ZSTD(1)),
    PeakRssBytes UInt64 CODEC(T64, ZSTD(1)),
    MemoryLimitBytes UInt64 CODEC(T64, ZSTD(1)),
    TimeoutNs UInt64 CODEC(T64, ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TriggerSpanId String CODEC(ZSTD(1)),
    EventId String CODEC(ZSTD(1)),
    CallerInvocationId String CODEC(ZSTD(1)),
    ErrorType LowCardinality(String),
    ErrorMessage String CODEC(ZSTD(1)),
    ErrorKind LowCardinality(String),
    ErrorFile String CODEC(ZSTD(1)),
    ErrorLine UInt32 CODEC(ZSTD(1)),
    ErrorFunction String CODEC(ZSTD(1)),
    Fingerprint String CODEC(ZSTD(1)),
    HttpMethod LowCardinality(String),
    HttpRoute LowCardinality(String),
    HttpPath String CODEC(ZSTD(1)),
    HttpStatus UInt16 CODEC(ZSTD(1)),
    WorkerPid UInt32 CODEC(ZSTD(1)),
    WorkerId UInt32 CODEC(ZSTD(1)),
    IsolationTier UInt8,
    Spans UInt32 CODEC(ZSTD(1)),
    Logs UInt32 CODEC(ZSTD(1)),
    Dropped UInt32 CODEC(ZSTD(1)),
    HasScene UInt8,
    EventBytes UInt64 CODEC(T64, ZSTD(1)),
    ResultBytes UInt64 CODEC(T64, ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    RecordVersion UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_fingerprint Fingerprint TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_started StartedAt TYPE minmax GRANULARITY 1,
    INDEX idx_failed IsFailed TYPE set(2) GRANULARITY 4,
    INDEX idx_duration DurationNs TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(RecordVersion)
PARTITION BY toDate(StartedAt)
ORDER BY (Function, toStartOfFiveMinutes(StartedAt), StartedAt, InvocationId, Attempt)
TTL toDateTime(StartedAt) + toIntervalDay(30)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS profiles
(
    Function LowCardinality(String),
    Version UInt32 CODEC(ZSTD(1)),
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    InvocationId String CODEC(ZSTD(1)),
    Attempt UInt16 CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    Phase LowCardinality(String),
    Engine LowCardinality(String),
    Status LowCardinality(String),
    DurationNs UInt64 CODEC(T64, ZSTD(1)),
    Samples UInt32 CODEC(ZSTD(1)),
    StackIds Array(UInt64) CODEC(ZSTD(1)),
    Counts Array(UInt32) CODEC(T64, ZSTD(1)),
    WallNs Array(UInt64) CODEC(T64, ZSTD(1)),
    CpuNs Array(UInt64) CODEC(T64, ZSTD(1)),
    INDEX idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (Function, toStartOfFiveMinutes(Timestamp), Timestamp)
TTL toDateTime(Timestamp) + toIntervalDay(14)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS profile_stacks
(
    Function LowCardinality(String),
    StackHash UInt64,
    Functions Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Files Array(LowCardinality(String)) CODEC(ZSTD(1)),
    Lines Array(UInt32) CODEC(ZSTD(1)),
    LastSeen DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(LastSeen)
ORDER BY (Function, StackHash)
TTL toDateTime(LastSeen) + toIntervalDay(28)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS failure_scenes
(
    InvocationId String CODEC(ZSTD(1)),
    Attempt UInt16 CODEC(ZSTD(1)),
    CapturedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Function LowCardinality(String),
    Version UInt32 CODEC(ZSTD(1)),
    App LowCardinality(String),
    CodeHash LowCardinality(String),
    Kind LowCardinality(String),
    ErrorType LowCardinality(String),
    Message String CODEC(ZSTD(1)),
    Fingerprint String CODEC(ZSTD(1)),
    File String CODEC(ZSTD(1)),
    Line UInt32 CODEC(ZSTD(1)),
    ErrorFunction String CODEC(ZSTD(1)),
    Frames Array(String) CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    Locals String CODEC(ZSTD(1)),
    Parts Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    SizeBytes UInt64 CODEC(T64, ZSTD(1)),
    ArchiveHash String CODEC(ZSTD(1)),
    INDEX idx_invocation_id InvocationId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_fingerprint Fingerprint TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_message Message TYPE tokenbf_v1(8192, 3, 0) GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(CapturedAt)
ORDER BY (Function, ErrorType, CapturedAt, InvocationId, Attempt)
TTL toDateTime(CapturedAt) + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS scene_blobs
(
    ArchiveHash String CODEC(ZSTD(1)),
    Chunk UInt32,
    Chunks UInt32,
    Data String CODEC(NONE),
    SizeBytes UInt64,
    CreatedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(CreatedAt)
PARTITION BY toDate(CreatedAt)
ORDER BY (ArchiveHash, Chunk)
TTL toDateTime(CreatedAt) + toIntervalDay(30)
SETTINGS index_granularity = 16, min_bytes_for_wide_part = 0, non_replicated_deduplication_window = 10000;
