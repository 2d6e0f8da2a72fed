-- The trigger and invoke span of an ordinary invocation follow from its row: the engine makes them, for less
-- than half of what it costs to make, send, parse and insert them as rows (7 of 18 us of CPU an invocation). Which rows
-- these are, `relive_tracer.explore.platform_rows` says; it makes the same spans where they are needed elsewhere.

ALTER TABLE invocations ADD COLUMN IF NOT EXISTS DerivesSpans UInt8 DEFAULT 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS invocation_spans_mv TO otel_traces AS
WITH
    i.InvocationId AS invocation,
    toString(i.Version) AS version,
    CAST(
        mapFilter((name, value) -> value != '', map(
            'faas.invocation_id', invocation,
            'http.request.method', i.HttpMethod,
            'url.path', i.HttpPath,
            'http.route', i.HttpRoute,
            'http.response.status_code', if(i.HttpStatus = 0, '', toString(i.HttpStatus))
        )),
        'Map(LowCardinality(String), String)'
    ) AS trigger_attributes,
    CAST(
        mapFilter((name, value) -> value != '', map(
            'faas.invocation_id', invocation,
            'faas.name', i.Function,
            'faas.version', version,
            'faas.coldstart', if(i.Cold, 'true', 'false'),
            'faas.trigger', i.Trigger,
            'relive.status', i.Status,
            'faas.max_memory', if(i.MemoryLimitBytes = 0, '', toString(i.MemoryLimitBytes))
        )),
        'Map(LowCardinality(String), String)'
    ) AS invoke_attributes,
    if(i.RespondedAt != 0, i.RespondedAt, i.HandlerEndedAt) AS responded,
    if(i.HandlerEndedAt != 0, i.HandlerEndedAt, i.RespondedAt) AS ended,
    concat(i.HttpMethod, ' ', if(i.HttpRoute != '', i.HttpRoute, i.Function)) AS trigger_name,
    arrayJoin([
        (i.StartedAt, responded, i.TriggerSpanId, i.ParentSpanId, trigger_name, 'Server', 'Unset', trigger_attributes),
        (i.HandlerStartedAt, ended, i.SpanId, i.TriggerSpanId, i.Function, 'Internal', 'Ok', invoke_attributes)
    ]) AS span
SELECT
    span.1 AS Timestamp,
    i.TraceId AS TraceId,
    span.3 AS SpanId,
    span.4 AS ParentSpanId,
    span.5 AS SpanName,
    span.6 AS SpanKind,
    i.Function AS ServiceName,
    CAST(
        mapFilter((name, value) -> value != '', map(
            'service.name', i.Function,
            'service.version', version,
            'faas.name', i.Function,
            'faas.version', version,
            'service.namespace', i.App,
            'relive.code_hash', i.CodeHash
        )),
        'Map(LowCardinality(String), String)'
    ) AS ResourceAttributes,
    'relive' AS ScopeName,
    span.8 AS SpanAttributes,
    if(span.2 > span.1, toUnixTimestamp64Nano(span.2) - toUnixTimestamp64Nano(span.1), 0) AS Duration,
    span.7 AS StatusCode
FROM invocations AS i
WHERE i.DerivesSpans;

-- A wide part has files for each column: those of a busy second, above the usual 10 MB, would be hundreds.

ALTER TABLE otel_traces MODIFY SETTING min_bytes_for_wide_part = 134217728;
ALTER TABLE invocations MODIFY SETTING min_bytes_for_wide_part = 134217728;
