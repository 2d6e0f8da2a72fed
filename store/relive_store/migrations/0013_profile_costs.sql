-- What an invocation cost beside its stacks (only where Measured is 1), whom it called how often, and in which of its
-- spans samples were taken. RunQueueNs -1: the kernel does not tell.

ALTER TABLE profiles
    ADD COLUMN IF NOT EXISTS Measured UInt8 DEFAULT 0 AFTER CpuNs,
    ADD COLUMN IF NOT EXISTS GcNs UInt64 CODEC(T64, ZSTD(1)) AFTER Measured,
    ADD COLUMN IF NOT EXISTS Collections UInt32 CODEC(T64, ZSTD(1)) AFTER GcNs,
    ADD COLUMN IF NOT EXISTS RunQueueNs Int64 DEFAULT -1 CODEC(T64, ZSTD(1)) AFTER Collections,
    ADD COLUMN IF NOT EXISTS SystemNs UInt64 CODEC(T64, ZSTD(1)) AFTER RunQueueNs,
    ADD COLUMN IF NOT EXISTS Waits UInt32 CODEC(T64, ZSTD(1)) AFTER SystemNs,
    ADD COLUMN IF NOT EXISTS Preemptions UInt32 CODEC(T64, ZSTD(1)) AFTER Waits,
    ADD COLUMN IF NOT EXISTS MajorFaults UInt32 CODEC(T64, ZSTD(1)) AFTER Preemptions,
    ADD COLUMN IF NOT EXISTS ReadBytes UInt64 CODEC(T64, ZSTD(1)) AFTER MajorFaults,
    ADD COLUMN IF NOT EXISTS WrittenBytes UInt64 CODEC(T64, ZSTD(1)) AFTER ReadBytes,
    ADD COLUMN IF NOT EXISTS MemoryBytes UInt64 CODEC(T64, ZSTD(1)) AFTER WrittenBytes,
    ADD COLUMN IF NOT EXISTS MemoryGrowthBytes Int64 CODEC(T64, ZSTD(1)) AFTER MemoryBytes,
    ADD COLUMN IF NOT EXISTS MemoryPeakBytes UInt64 CODEC(T64, ZSTD(1)) AFTER MemoryGrowthBytes,
    ADD COLUMN IF NOT EXISTS CallsKnown UInt8 DEFAULT 0 AFTER MemoryPeakBytes,
    ADD COLUMN IF NOT EXISTS CallTargets Array(LowCardinality(String)) CODEC(ZSTD(1)) AFTER CallsKnown,
    ADD COLUMN IF NOT EXISTS CallCounts Array(UInt32) CODEC(ZSTD(1)) AFTER CallTargets,
    ADD COLUMN IF NOT EXISTS CallFailures Array(UInt32) CODEC(ZSTD(1)) AFTER CallCounts,
    ADD COLUMN IF NOT EXISTS CallWaitNs Array(UInt64) CODEC(ZSTD(1)) AFTER CallFailures,
    ADD COLUMN IF NOT EXISTS SpanIds Array(String) CODEC(ZSTD(1)) AFTER CallWaitNs,
    ADD COLUMN IF NOT EXISTS StackSpans Array(UInt16) CODEC(ZSTD(1)) AFTER SpanIds;
