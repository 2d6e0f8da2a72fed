"""What an invocation leaves in the real store."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from patience import PATIENCE_S
from relive_capture.explore.scene import read_scene
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.server.status import status_of
from server_harness import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, shop_app: Path) -> AsyncIterator[Served]:
    """A server with the application in service, for all tests that break nothing of it."""
    async with served(tmp_path_factory.mktemp("recording") / "home") as running:
        await running.deploy(shop_app)
        yield running


async def test_everything_of_one_invocation_has_its_ids(shop: Served) -> None:
    outcome = await shop.invoke("fine", b'{"a": 1}')

    record = outcome.record
    [row] = await shop.rows("SELECT InvocationId, TraceId, Status, Spans, Cold FROM invocations")
    assert row == (record.invocation_id, record.trace_id, "ok", 1, 1)
    spans = await shop.rows("SELECT SpanName, SpanId, ParentSpanId, TraceId, InvocationId FROM otel_traces")
    assert {span[3] for span in spans} == {record.trace_id}
    assert {span[4] for span in spans} == {record.invocation_id}
    parents = {span[0]: span[2] for span in spans}
    assert parents["price"] == record.span_id
    logs = await shop.rows("SELECT Body, TraceId, SpanId, InvocationId FROM otel_logs ORDER BY Body")
    assert [log[0] for log in logs] == ["logged", "printed {'a': 1}"]
    assert {log[1:] for log in logs} == {(record.trace_id, record.span_id, record.invocation_id)}


@pytest.mark.parametrize(
    ("function", "status", "kind"),
    [
        ("fails", "error", "exception"),
        ("dies", "crash", "signal"),
        ("stuck", "timeout", "timeout"),
        ("hog", "memory", "memory"),
    ],
)
async def test_each_failure_leaves_a_scene_that_can_be_read(
    shop: Served, function: str, status: str, kind: str
) -> None:
    outcome = await shop.invoke(function, b'{"order": 17}')

    record = outcome.record
    assert record.status == status
    sql = "SELECT Function, Kind, TraceId, Attempt FROM failure_scenes FINAL WHERE Function = {name:String}"
    assert await shop.rows_of(sql, name=function) == [(function, kind, record.trace_id, 1)]
    scene = read_scene(shop.server.home / "scenes" / f"{record.invocation_id}-1.scene")
    assert scene.manifest["status"] == status
    assert scene.manifest["parts"]
    sql = "SELECT HasScene FROM invocations WHERE Function = {name:String}"
    [(stored,)] = await shop.rows_of(sql, name=function)
    assert stored == 1


async def test_spans_and_lines_finished_before_a_kill_are_in_the_store(shop: Served) -> None:
    outcome = await shop.invoke("dies")

    ident = outcome.record.invocation_id
    spans = await shop.rows("SELECT SpanName FROM otel_traces WHERE InvocationId = {id:String}", id=ident)
    logs = await shop.rows("SELECT Body FROM otel_logs WHERE InvocationId = {id:String}", id=ident)
    assert spans.count(("before death",)) == 1
    assert ("last words",) in logs


async def test_a_call_to_another_function_is_one_trace(shop: Served) -> None:
    outcome = await shop.invoke("caller")

    assert outcome.ok, outcome.error
    sql = (
        "SELECT Function, TraceId, CallerInvocationId, Trigger FROM invocations"
        " WHERE TraceId = {trace:String} ORDER BY Function"
    )
    rows = await shop.rows(sql, trace=outcome.record.trace_id)
    assert [row[0] for row in rows] == ["caller", "fine"]
    assert rows[1][2:] == (outcome.record.invocation_id, "call")


async def test_log_lines_can_be_followed_live_and_redacted(shop: Served) -> None:
    follower = await shop.server.follow("fine")

    await shop.invoke("fine", b'"password=hunter2secret"')
    first = await follower.get()

    assert first.function == "fine"
    assert "hunter2secret" not in first.line.body
    await shop.server.unfollow(follower)


async def test_status_has_the_fields_of_the_command_line(shop: Served) -> None:
    await shop.invoke("fine")

    status = await status_of(shop.server)

    assert {"version", "pid", "store", "isolation_tier", "functions", "workers", "queue", "otlp"} <= set(
        status
    )
    assert any("as root" in gap for gap in status["isolation_gaps"]) == (not os.geteuid())
    assert {"engine", "address", "lag_s", "spooled_rows", "dropped_rows"} <= set(status["store"])
    assert status["functions"] == 8
    assert {"failed": 0, "dropped": 0, "over_limit": ""}.items() <= status["scenes"].items()
    assert set(status["workers"]) >= {"idle", "busy", "frozen"}


async def test_an_older_version_can_still_be_invoked(shop: Served, shop_app: Path) -> None:
    source = shop_app / "app.py"
    source.write_text(source.read_text().replace('"got": event', '"new": event'))
    await shop.deploy(shop_app)

    new = await shop.invoke("fine", b"1")
    old = await shop.server.invoke(InvokeRequest(function="fine", version=1, event=b"1"))

    assert (new.body, old.body) == (b'{"new":1}', b'{"got":1}')
    assert (new.record.version, old.record.version) == (2, 1)


async def test_a_store_that_is_killed_fails_nothing_and_gets_all_rows_later(
    tmp_path: Path, app: Path
) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(app)
        await running.invoke("fine")
        keeper = running.server.store_keeper
        assert keeper is not None

        keeper._process.kill()
        outcomes = [await running.invoke("fine") for _ in range(20)]

        assert all(outcome.ok for outcome in outcomes)
        await running.until(lambda: keeper.restarts == 1 and keeper.pid)
        assert await running.rows("SELECT count() FROM invocations") == [(21,)]


async def test_the_collectors_process_is_started_again_and_nothing_pending_is_lost(
    tmp_path: Path, app: Path
) -> None:
    async with served(tmp_path / "home") as running:
        await running.deploy(app)
        await running.invoke("fine")
        assert await running.server.flush(PATIENCE_S)

        os.kill(running.server.collector.stats.pid, signal.SIGKILL)
        outcomes = [await running.invoke("fine") for _ in range(5)]

        assert all(outcome.ok for outcome in outcomes)
        await running.until(lambda: running.server.collector.stats.restarts == 1)
        assert await running.rows("SELECT count() FROM invocations") == [(6,)]


async def test_scenes_without_room_are_dropped_by_a_limit_not_failed(tmp_path: Path, app: Path) -> None:
    # Given room for no scene but the first, and a collector's process that does not come to write it
    async with served(tmp_path / "home", scenes_waiting=2) as running:
        await running.deploy(app)
        os.kill(running.server.collector.stats.pid, signal.SIGSTOP)
        # When three invocations fail
        outcomes = [await running.invoke("fails") for _ in range(3)]
        await running.until(lambda: running.server.collector.stats.dropped_scenes)
        found = (await status_of(running.server))["scenes"]
        os.kill(running.server.collector.stats.pid, signal.SIGCONT)

    # I expect those without room to be counted under the limit's name
    assert not any(outcome.ok for outcome in outcomes)
    assert found["failed"] == 0
    assert found["dropped"] >= 1
    assert found["over_limit"] == f"scenes_waiting 2: {found['dropped']}"
