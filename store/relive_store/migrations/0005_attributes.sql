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
    JSONExtract(toString(i.Resource), 'Map(LowCardinality(String), String)') AS resource,
    JSONExtract(toString(i.HttpClient), 'Map(LowCardinality(String), String)') AS client,
    mapConcat(
        CAST(
            map(
                'faas.invocation_id', invocation,
                'faas.trigger', 'http',
                'http.request.method', i.HttpMethod,
                'url.path', i.HttpPath,
                'url.query', i.HttpQuery,
                'http.route', i.HttpRoute,
                'http.response.status_code', if(i.HttpStatus = 0, '', toString(i.HttpStatus)),
                'network.peer.port', if(i.PeerPort = 0, '', toString(i.PeerPort))
            ),
            'Map(LowCardinality(String), String)'
        ),
        client
    ) AS trigger_attributes,
    CAST(
        map(
            'faas.invocation_id', invocation,
            'faas.name', i.Function,
            'faas.version', version,
            'faas.coldstart', if(i.Cold, 'true', 'false'),
            'faas.trigger', i.Trigger,
            'relive.status', i.Status,
            'faas.max_memory', if(i.MemoryLimitBytes = 0, '', toString(i.MemoryLimitBytes))
        ),
        'Map(LowCardinality(String), String)'
    ) AS invoke_attributes,
    if(i.RespondedAt != 0, i.RespondedAt, i.HandlerEndedAt) AS responded,
    if(i.HandlerEndedAt != 0, i.HandlerEndedAt, i.RespondedAt) AS ended,
    concat(i.HttpMethod, ' ', if(i.HttpRoute != '', i.HttpRoute, i.Function)) AS trigger_name,
    -- Joined with a number, not with the two spans themselves: an array of maps costs more than all the rest.
    arrayJoin([0, 1]) AS invoke,
    if(invoke, i.HandlerStartedAt, i.StartedAt) AS begin,
    if(invoke, ended, responded) AS end
SELECT
    begin AS Timestamp,
    i.TraceId AS TraceId,
    if(invoke, i.SpanId, i.TriggerSpanId) AS SpanId,
    if(invoke, i.TriggerSpanId, i.ParentSpanId) AS ParentSpanId,
    if(invoke, i.Function, trigger_name) AS SpanName,
    if(invoke, 'Internal', 'Server') AS SpanKind,
    i.Function AS ServiceName,
    resource AS ResourceAttributes,
    'relive' AS ScopeName,
    resource['telemetry.distro.version'] AS ScopeVersion,
    mapFilter((name, value) -> value != '', if(invoke, invoke_attributes, trigger_attributes)) AS SpanAttributes,
    if(end > begin, toUnixTimestamp64Nano(end) - toUnixTimestamp64Nano(begin), 0) AS Duration,
    'Unset' AS StatusCode
FROM invocations AS i
WHERE i.DerivesSpans;
