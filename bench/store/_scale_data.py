"""A week of a busy platform, made inside the engine: every value follows from its number and SEED.

What is drawn from what: functions by Zipf's law, with a daily tide; durations log-normal, each function with its own
median; spans of an invocation 4 to 16; statements of a function's own few dozen, ids that never come twice; one
invocation of a hundred fails, with the errors of its function's few groups; stacks of a profile by Zipf's law from the
function's two thousand. `scale` 1.0 is 10M spans, 1M invocations, 500k profiles, 100k scenes' heads.
"""

# ruff: noqa: E501, S608 - statements as they are sent; all parts are from here

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relive_store import Store

__all__ = ["DAYS", "FUNCTIONS", "Sizes", "fill", "needle"]

SEED: Final = 20_261_130
DAYS: Final = 7
FUNCTIONS: Final = 50
STACKS: Final = 2_000
_CHUNK: Final = 50_000  # invocations of one insert: half a million spans
_ALL_STACKS: Final = 0.005
_INSERT_S: Final = 1_800.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows at a scale."""

    invocations: int
    profiles: int
    scenes: int

    @classmethod
    def at(cls, scale: float) -> Sizes:
        """1.0 is what the issue names."""
        return cls(round(1_000_000 * scale), round(500_000 * scale), round(100_000 * scale))


def _u(salt: str, of: str = "k") -> str:
    """A number from 0 to 1 that follows from `of`."""
    return f"(sipHash64({of}, '{salt}', {SEED}) / 18446744073709551616.)"


_NORMAL: Final = f"(({_u('a')} + {_u('b')} + {_u('c')} + {_u('d')} - 2.) * 1.7320508)"
_FUNCTION: Final = f"toUInt32(floor({FUNCTIONS} * pow({_u('function')}, 2.5)))"
_HEX32: Final = "lower(hex(sipHash128({0})))"
_HEX16: Final = "substring(lower(hex(sipHash128({0}))), 1, 16)"
_TRACE: Final = _HEX32.format(f"intDiv(k, 2), 'trace', {SEED}")  # a function calls another: two share a trace
_STATUS: Final = "multiIf(luck >= 0.01, 'ok', luck < 0.007, 'error', luck < 0.0085, 'timeout', luck < 0.0095, 'memory', 'crash')"

BASE: Final = f"""
    number AS k,
    toInt64({{begin:Int64}} + ((k + {_u("jitter")}) * {{step:Float64}})
        + 1800000000000 * sin(k * {{step:Float64}} / 86400e9 * 6.2831853)) AS at,
    {_FUNCTION} AS f,
    concat('function-', leftPad(toString(f), 2, '0')) AS function,
    {_u("luck")} AS luck,
    {_STATUS} AS status,
    toUInt64(exp(15.4 + (f % 7) * 0.5 + 0.8 * {_NORMAL})) AS took,
    {_TRACE} AS trace_id,
    {_HEX16.format(f"k, 'span', {SEED}")} AS span_id,
    {_HEX16.format(f"k, 'trigger', {SEED}")} AS trigger_span_id,
    leftPad(lower(hex(intDiv(at, 1000000))), 12, '0') AS millis,
    {_HEX32.format(f"k, 'id', {SEED}")} AS digits,
    concat(substring(millis, 1, 8), '-', substring(millis, 9, 4), '-7', substring(digits, 1, 3), '-8',
        substring(digits, 4, 3), '-', substring(digits, 7, 12)) AS invocation_id,
    1 + intDiv(k, {{half:UInt64}}) AS version,
    concat('Error', toString(sipHash64(f, k % 4, 'e') % 12)) AS error_type,
    concat('no ', error_type, ' for order ', toString(k % 97)) AS error_message,
    {_HEX16.format(f"f, k % 4, 'group', {SEED}")} AS fingerprint
"""

_INVOCATIONS: Final = f"""
INSERT INTO invocations (InvocationId, Attempt, Function, Version, App, CodeHash, Trigger, Status, Cold, StartedAt,
    DispatchedAt, HandlerStartedAt, HandlerEndedAt, RespondedAt, QueueNs, InitNs, DurationNs, TotalNs, CpuNs,
    PeakRssBytes, MemoryLimitBytes, TimeoutNs, TraceId, SpanId, TriggerSpanId, ErrorType, ErrorMessage, ErrorKind,
    ErrorFile, ErrorLine, Fingerprint, HttpMethod, HttpRoute, HttpPath, HttpStatus, WorkerPid, WorkerId, Spans, HasScene,
    EventBytes, ResultBytes, RecordVersion)
WITH {BASE}, toUInt64(20000 + 3000000 * pow({_u("queue")}, 12)) AS waited
SELECT invocation_id, 1, function, version, concat('app-', toString(f % 5)), lower(hex(sipHash64(f, version))), 'http',
    status, {_u("cold")} < 0.003, fromUnixTimestamp64Nano(at), fromUnixTimestamp64Nano(at + toInt64(waited)),
    fromUnixTimestamp64Nano(at + toInt64(waited) + 200000), fromUnixTimestamp64Nano(at + toInt64(waited + took) + 200000),
    fromUnixTimestamp64Nano(at + toInt64(waited + took) + 400000), waited, 0, took, waited + took + 400000,
    toUInt64(took * (0.2 + 0.6 * {_u("cpu")})), toUInt64(30000000 + 90000000 * {_u("rss", "intDiv(k, 50)")}), 268435456,
    3000000000, trace_id, span_id, trigger_span_id, if(status = 'error', error_type, ''),
    if(status = 'error', error_message, ''), if(status = 'ok', '', 'exception'), if(status = 'error', 'app.py', ''),
    if(status = 'error', 10 + k % 4, 0), if(status = 'ok', '', fingerprint), if(k % 3 = 0, 'GET', 'POST'),
    concat('/f', toString(f), '/<id>'), concat('/f', toString(f), '/', toString(k)), if(status = 'ok', 200, 500),
    1000 + intDiv(k, 5000) % 60, intDiv(k, 5000) % 60, 4 + k % 13, status != 'ok', 200 + k % 900, 100 + k % 4000,
    toUInt64(at)
FROM numbers({{from:UInt64}}, {{count:UInt64}})
"""

_RESOURCE: Final = """CAST(map('service.name', function, 'service.version', toString(version), 'faas.name', function,
    'faas.version', toString(version), 'service.namespace', concat('app-', toString(f % 5)),
    'service.instance.id', concat('w-', toString(intDiv(k, 5000) % 60)), 'telemetry.sdk.language', 'python',
    'telemetry.distro.name', 'relive', 'relive.code_hash', lower(hex(sipHash64(f, version)))),
    'Map(LowCardinality(String), String)')"""
_HTTP: Final = """map('faas.invocation_id', invocation_id, 'faas.trigger', 'http', 'http.request.method',
    if(k % 3 = 0, 'GET', 'POST'), 'url.path', concat('/f', toString(f), '/', toString(k)), 'http.route',
    concat('/f', toString(f), '/<id>'), 'http.response.status_code', if(status = 'ok', '200', '500'),
    'network.peer.port', toString(30000 + k % 20000), 'url.scheme', 'https', 'server.address', 'shop.example',
    'client.address', concat('203.0.113.', toString(k % 250)), 'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64)')"""
_INVOKE: Final = """map('faas.invocation_id', invocation_id, 'faas.name', function, 'faas.version', toString(version),
    'faas.coldstart', 'false', 'faas.trigger', 'http', 'relive.status', status, 'faas.max_memory', '268435456')"""
_DATABASE: Final = """map('faas.invocation_id', invocation_id, 'db.system.name', 'postgresql', 'db.query.text',
    concat('SELECT * FROM t', toString((f * 31 + j) % 40), ' WHERE id = $1'), 'db.operation.name', 'SELECT',
    'server.address', 'db.example')"""
_OWN: Final = """map('faas.invocation_id', invocation_id, 'order.id', concat('order-', toString(intDiv(k, 2))),
    'customer.tier', ['free', 'team', 'enterprise'][1 + k % 3], 'items', toString(1 + (k + j) % 9))"""

_SPANS: Final = f"""
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes,
    ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage)
SELECT fromUnixTimestamp64Nano(at + toInt64(took * start)), trace_id,
    multiIf(j = 0, trigger_span_id, j = 1, span_id, {_HEX16.format(f"k, j, 'inner', {SEED}")}),
    multiIf(j = 0, '', j = 1, trigger_span_id, span_id),
    multiIf(j = 0, concat(if(k % 3 = 0, 'GET', 'POST'), ' /f', toString(f), '/<id>'), j = 1, function,
        j % 2 = 0, concat('SELECT t', toString((f * 31 + j) % 40)), concat('step ', toString(j))),
    multiIf(j = 0, 'Server', j = 1, 'Internal', j % 2 = 0, 'Client', 'Internal'), function, {_RESOURCE},
    multiIf(j < 2, 'relive', j % 2 = 0, 'opentelemetry.instrumentation.psycopg', 'app'), '0.1.0',
    CAST(multiIf(j = 0, {_HTTP}, j = 1, {_INVOKE}, j % 2 = 0, {_DATABASE}, {_OWN}),
        'Map(LowCardinality(String), String)'),
    toUInt64(if(j < 2, took, took * part)), if(j < 2 AND status != 'ok', 'Error', 'Unset'),
    if(j = 1 AND status != 'ok', error_message, '')
FROM (
    WITH {BASE}
    SELECT k, at, f, function, status, took, trace_id, span_id, trigger_span_id, invocation_id, version, error_message,
        arrayJoin(range(4 + k % 13)) AS j, if(j < 2, 0, {_u("start", "k, j")} * 0.8) AS start,
        0.02 + {_u("part", "k, j")} * 0.18 AS part
    FROM numbers({{from:UInt64}}, {{count:UInt64}})
)
"""

_PROFILES: Final = f"""
INSERT INTO profiles (Function, Version, Timestamp, InvocationId, Attempt, TraceId, Phase, Engine, Status, DurationNs,
    Samples, StackIds, Counts, WallNs, CpuNs)
WITH {BASE},
    arrayDistinct(arrayMap(
        i -> sipHash64(f, toUInt32({STACKS} * pow(sipHash64(k, i, 'stack', {SEED}) / 18446744073709551616., 3))),
        range(1 + toUInt32(49 * pow({_u("stacks")}, 2)))
    )) AS stacks,
    arrayMap(i -> toUInt32(1 + sipHash64(k, i, 'count') % 4), arrayEnumerate(stacks)) AS counts
SELECT function, version, fromUnixTimestamp64Nano(at), invocation_id, 1, trace_id, 'invoke', 'sampled', status, took,
    arraySum(counts), stacks, counts, arrayMap(c -> toUInt64(c * 10000000 + sipHash64(k, c) % 1000000), counts),
    arrayMap(c -> toUInt64(c * 6000000 + sipHash64(k, c, 'cpu') % 1000000), counts)
FROM numbers({{from:UInt64}}, {{count:UInt64}}) WHERE k % 2 = 0
"""

_STACKS: Final = f"""
INSERT INTO profile_stacks (Function, StackHash, Functions, Files, Lines, LastSeen)
SELECT concat('function-', leftPad(toString(f), 2, '0')), sipHash64(f, s),
    arrayMap(d -> concat('frame_', toString(sipHash64(f, intDiv(s, pow(3, depth - d)), d) % 400)), range(depth)),
    arrayMap(d -> concat(if(d < 3, 'app/', 'site-packages/lib/'), 'module_', toString(sipHash64(f, s, d) % 30), '.py'),
        range(depth)),
    arrayMap(d -> toUInt32(1 + sipHash64(f, s, d, 'line') % 500), range(depth)), now64(9)
FROM (
    SELECT toUInt32(intDiv(number, {STACKS})) AS f, toUInt32(number % {STACKS}) AS s, 4 + sipHash64(f, s, 'depth') % 20 AS depth
    FROM numbers({{stacks:UInt64}})
)
"""

_SCENES: Final = f"""
INSERT INTO failure_scenes (InvocationId, Attempt, CapturedAt, Function, Version, App, CodeHash, Kind, ErrorType, Message,
    Fingerprint, File, Line, ErrorFunction, Frames, TraceId, SpanId, Locals, Parts, SizeBytes, ArchiveHash)
WITH {BASE}
SELECT invocation_id, 1, fromUnixTimestamp64Nano(at + toInt64(took)), function, version, concat('app-', toString(f % 5)),
    lower(hex(sipHash64(f, version))), 'exception', error_type, error_message, fingerprint, 'app.py', 10 + k % 4,
    concat('work_', toString(k % 4)),
    arrayMap(d -> concat('app.py:', toString(10 + (k % 4) * 7 + d), ' frame_', toString(d)), range(3 + k % 6)),
    trace_id, span_id,
    concat('{{"order": "', toString(k), '", "total": ', toString(k % 9000), ', "customer": "', digits, '"}}'),
    CAST(map('frames', 'ok', 'event', 'ok', 'logs', 'ok', 'heap', 'missing', 'recording', 'ok'),
        'Map(LowCardinality(String), String)'),
    20000 + k % 90000, {_HEX32.format("k, 'archive'")}
FROM numbers({{from:UInt64}}, {{count:UInt64}})
"""


def fill(store: Store, scale: float, end_ns: int) -> None:
    """A week up to `end_ns` into a store whose tables are empty. Raises StoreError."""
    sizes = Sizes.at(scale)
    span_ns = DAYS * 86_400 * 10**9
    for table_sql, rows in (
        (_INVOCATIONS, sizes.invocations),
        (_SPANS, sizes.invocations),
        (_PROFILES, sizes.invocations),
    ):
        _insert(store, table_sql, rows, sizes.invocations, end_ns - span_ns, span_ns)
    _insert(store, _SCENES, sizes.scenes, sizes.scenes, end_ns - span_ns, span_ns)
    # of a small store, only as many as it can name: STACKS of a function come by Zipf's law
    stacks = FUNCTIONS * STACKS if scale >= _ALL_STACKS else 1_000
    store.execute(_STACKS, {"stacks": stacks}, timeout_s=_INSERT_S)


def _insert(store: Store, sql: str, rows: int, whole: int, begin_ns: int, span_ns: int) -> None:
    for start in range(0, rows, _CHUNK):
        given: dict[str, object] = {
            "begin": begin_ns,
            "step": span_ns / whole,
            "half": max(whole // 2, 1),
            "from": start,
            "count": min(_CHUNK, rows - start),
        }
        store.execute(sql, given, timeout_s=_INSERT_S)


def needle(store: Store) -> dict[str, str]:
    """What queries look for, from the middle of the week: a trace, an invocation with a profile, an order."""
    sql = """
    SELECT TraceId, InvocationId FROM profiles
    WHERE Samples > 20 AND Timestamp < (SELECT max(Timestamp) - INTERVAL 3 DAY FROM profiles)
    ORDER BY Timestamp DESC LIMIT 1
    """
    trace_id, invocation_id = next(iter(store.query(sql).rows()))
    order = store.query(
        "SELECT SpanAttributes['order.id'] FROM otel_traces"
        " WHERE TraceId = {trace:String} AND SpanAttributes['order.id'] != '' LIMIT 1",
        {"trace": str(trace_id)},
    ).scalar()
    return {"trace": str(trace_id), "invocation": str(invocation_id), "order": str(order)}
