"""Health by minute, from rows of invocations to what faces show, on both engines."""

from __future__ import annotations

from relive_base.records import InvocationRecord
from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.measuring import looked_at
from relive_store import Store, table_sizes, to_trim, trim
from relive_tracer.explore.health.platform import platform_columns
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_views.health.alerts import alert_changes
from relive_views.health.functions import FunctionHealth, function_health
from relive_views.health.platform import platform_gauges
from tracer_records import MS, NOW, failed_record, record

SECOND = 1_000 * MS
MINUTE = 60 * SECOND
BASE = NOW // MINUTE * MINUTE - 10 * MINUTE


def test_from_rows_to_verdicts(store: Store) -> None:
    # Given ten minutes: 60 good ones in the first, 20 bad ones and a rejected one in the last
    rows = [record(BASE + n * SECOND, duration_ns=(n + 1) * MS) for n in range(60)]
    rows += [
        failed_record(BASE + 9 * MINUTE + n * SECOND, duration_ns=900 * MS, cold=True) for n in range(20)
    ]
    rows += [record(BASE + 9 * MINUTE, status="rejected", dispatched_ns=0, started_ns=0, ended_ns=0)]
    rows += [record(BASE + MINUTE, function="other", app="else")]
    for token in ("a", "a", "b"):  # what is inserted twice counts once
        half = rows[:40] if token == "a" else rows[40:]
        store.insert("invocations", invocation_columns(half), token=token)
    # When they are read
    found = {one.function: one for one in function_health(store, BASE, BASE + 10 * MINUTE, points=5)}
    # I expect the sums of both functions
    assert set(found) == {"checkout", "other"}
    _the_whole(found["checkout"], rows)
    _the_points(found["checkout"])
    _the_verdicts(store)
    _the_platform(store)
    assert alert_changes(store, 0) == []
    _the_sizes(store)


def _the_whole(health: FunctionHealth, rows: list[InvocationRecord]) -> None:
    whole = health.whole
    assert (whole.attempts, whole.failed, whole.rejected, whole.cold_starts) == (81, 20, 1, 20)
    assert whole.error_rate == 0.25
    assert dict(whole.statuses) == {"ok": 60, "error": 20, "rejected": 1}
    assert whole.p50_ms is not None
    assert abs(whole.p50_ms - 41) < 3
    assert whole.p99_ms == 900
    assert whole.waited_p95_ms == 1
    assert whole.exemplar_trace_id in {one.trace_id for one in rows if one.failed}
    assert health.rate == 81 / 600


def _the_points(health: FunctionHealth) -> None:
    assert [point.figures.attempts for point in health.points] == [60, 0, 0, 0, 21]
    assert [point.seconds for point in health.points] == [120] * 5
    assert health.series("error_rate") == [0.0, None, None, None, 1.0]
    assert health.as_json()["series"]["width_s"] == 120


def _the_verdicts(store: Store) -> None:
    """Of alerts on the same rows, as of the end of the ten minutes."""
    end = BASE + 10 * MINUTE
    for config, value in (
        (AlertConfig(metric="error_rate", above=0.1, over_s=60), 1.0),
        (AlertConfig(metric="attempts", above=1, over_s=600, function="checkout"), 81.0),
        (AlertConfig(metric="failed", above=1, over_s=240, function="other"), 0.0),
        (AlertConfig(metric="p95_ms", above=1, over_s=60, function="nobody"), None),
        (AlertConfig(metric="error_rate", above=0.1, over_s=60, min_attempts=50), None),
        (AlertConfig(sql="SELECT count() FROM invocations WHERE Status = 'error'", above=1), 20.0),
        (AlertConfig(sql="SELECT toDecimal64(1.5, 2)", above=1), 1.5),
        (AlertConfig(sql="SELECT 1 WHERE 0", above=1), None),
        (AlertConfig(slo="errors", objective=0.999), 250.0),
        (AlertConfig(slo="latency", objective=0.9, under_ms=500, period_s=7 * 86_400), 2.5),
    ):
        verdict = looked_at(config, "shop", store, end)
        found = None if verdict.value is None else round(verdict.value, 6)
        assert found == value, (config, verdict)


def _the_sizes(store: Store) -> None:
    """What is older than a day goes; failures stay."""
    day = 86_400 * SECOND
    today = NOW // day * day
    for table, column in (
        ("otel_logs", "Timestamp"),
        ("profile_stacks", "LastSeen"),
        ("failure_scenes", "CapturedAt"),
    ):
        store.insert(
            table,
            {column: [today - 3 * day, today - 2 * day, today], "Function": ["a", "b", "c"]}
            if table != "otel_logs"
            else {column: [today - 3 * day, today - 2 * day, today]},
        )
    found = {one.table: one for one in table_sizes(store)}
    logs = found["otel_logs"]
    assert (logs.rows, logs.parts, logs.days) == (3, 3, 14)
    assert logs.oldest_ns == today - 3 * day
    second = today // SECOND - 86_400
    would = [(one.table, one.rows) for one in to_trim(store, second)]
    assert would == [("otel_logs", 1), ("otel_logs", 1), ("profile_stacks", 2)]
    assert [(one.table, one.rows) for one in trim(store, second)] == would
    left = {one.table: one.rows for one in table_sizes(store)}
    assert (left["otel_logs"], left["profile_stacks"], left["failure_scenes"]) == (1, 1, 3)
    assert to_trim(store, second) == []


def _the_platform(store: Store) -> None:
    minute_s = BASE // SECOND
    for at, busy in ((0, 3.0), (60, 5.0)):
        row = ("relive.workers", "1", {"state": "busy"}, 4, busy * 4, busy - 1, busy + 1, busy)
        store.insert("platform_1m", platform_columns(minute_s + at, [row]))
    [gauge] = platform_gauges(store, BASE, BASE + 3 * MINUTE, points=3)
    assert gauge.name == "relive.workers state=busy"
    assert gauge.means == (3.0, 5.0, None)
    assert (gauge.found.last, gauge.found.least, gauge.found.most, gauge.found.mean) == (5.0, 2.0, 6.0, 4.0)
