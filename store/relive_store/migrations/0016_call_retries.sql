-- Of the calls of an invocation to one place, those that failed and were made again, for how long these took, and how
-- long it was from their ends to the next ones' beginnings.

ALTER TABLE profiles
    ADD COLUMN IF NOT EXISTS CallRetries Array(UInt32) CODEC(ZSTD(1)) AFTER CallWaitNs,
    ADD COLUMN IF NOT EXISTS CallRetryNs Array(UInt64) CODEC(ZSTD(1)) AFTER CallRetries,
    ADD COLUMN IF NOT EXISTS CallPauseNs Array(UInt64) CODEC(ZSTD(1)) AFTER CallRetryNs;
