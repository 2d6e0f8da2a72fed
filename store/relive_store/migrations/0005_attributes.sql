-- Types of attributes, events, and what the trigger's span says of its request. The columns that the OpenTelemetry
-- Collector's exporter has by now are its own: EventName, TimestampTime.

ALTER TABLE otel_logs
    ADD COLUMN IF NOT EXISTS EventName String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimestampTime DateTime ALIAS toDateTime(Timestamp),
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1));

ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS AttributeTypes Map(LowCardinality(String), String) CODEC(ZSTD(1));

-- Resource and HttpClient: JSON objects of attributes that many rows share, so that each text is kept once.

ALTER TABLE invocations
    ADD COLUMN IF NOT EXISTS Resource LowCardinality(String),
    ADD COLUMN IF NOT EXISTS HttpClient LowCardinality(String),
    ADD COLUMN IF NOT EXISTS HttpQuery String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS PeerPort UInt16 CODEC(ZSTD(1));

-- The view of migration 0004 made anew: `relive_tracer.explore.platform_rows` makes the same spans.

DROP VIEW IF EXISTS invocation_spans_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS invocation_spans_mv TO otel_traces AS
WITH
    i.InvocationId AS invocation,
    toString(i.Version) AS version,
    CAST(
        mapFilter((name, value) -> value != '', map(
            'faas.invocation_id', invocation,
            'faas.trigger', 'http',
            'http.request.method', i.HttpMethod,
            'url.path', i.HttpPath,
            'url.query', i.HttpQuery,
            'http.route', i.HttpRoute,
            'http.response.status_code', if(i.HttpStatus = 0, '', toString(i.HttpStatus)),
            'network.peer.port', if(i.PeerPort = 0, '', toString(i.PeerPort))
        )),
        'Map(LowCardinality(String), String)'
    ) AS own_attributes,
    mapConcat(
        own_attributes, JSONExtract(toString(i.HttpClient), 'Map(LowCardinality(String), String)')
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
        (i.HandlerStartedAt, ended, i.SpanId, i.TriggerSpanId, i.Function, 'Internal', 'Unset', invoke_attributes)
    ]) AS span
SELECT
    span.1 AS Timestamp,
    i.TraceId AS TraceId,
    span.3 AS SpanId,
    span.4 AS ParentSpanId,
    span.5 AS SpanName,
    span.6 AS SpanKind,
    i.Function AS ServiceName,
    JSONExtract(toString(i.Resource), 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    'relive' AS ScopeName,
    ResourceAttributes['telemetry.distro.version'] AS ScopeVersion,
    span.8 AS SpanAttributes,
    if(span.2 > span.1, toUnixTimestamp64Nano(span.2) - toUnixTimestamp64Nano(span.1), 0) AS Duration,
    span.7 AS StatusCode
FROM invocations AS i
WHERE i.DerivesSpans;
