-- The W3C flags of a span's trace, as its caller decided them, for whom spans are exported to. The view of migration 0005
-- makes spans of sampled traces only, and needs no change.

ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS TraceFlags UInt8 DEFAULT 1 CODEC(ZSTD(1));
