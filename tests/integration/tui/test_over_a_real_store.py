"""User stories over a real store, real scenes and the real queries."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from relive_capture.explore import scenes
from relive_capture.explore.scene import pack_archive, read_scene, scene_path
from relive_store import StoreProcess, open_store
from relive_tui.app import ReliveApp
from relive_tui.models.lists.filtering import InvocationQuery, parse_filter
from relive_tui.models.lists.invocations import ORDERS
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.rows.heaps import without_scene
from relive_tui.source.home import DataSource
from relive_tui.source.tickets import Cancelled, Ticket, TicketStore
from relive_tui.widgets.rows import VirtualRows
from relive_views.records import InvocationRow
from textual.pilot import Pilot
from textual.widgets import Input


async def until(pilot: Pilot[Any], met: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not met():
            await pilot.pause(0.02)


def shown(app: ReliveApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def settle(app: ReliveApp, pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await until(pilot, lambda: not app.here.busy)
    await pilot.pause()


async def press(app: ReliveApp, pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(app, pilot)


def source_of(world: Any) -> DataSource:
    return DataSource(lambda: open_store(world.store.url), world.scenes_dir)


@asynccontextmanager
async def opened(
    world: Any, view: str | None = None, ident: str | None = None
) -> AsyncIterator[tuple[ReliveApp, Pilot[Any]]]:
    source = source_of(world)
    app = ReliveApp(source, view, ident)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        yield app, pilot
    source.close()


async def test_one_key_from_launch_to_the_root_cause(world: Any) -> None:
    # Given recorded failures, of which the newest is a KeyError in checkout
    async with opened(world) as (app, pilot):
        # When Enter is pressed once
        await press(app, pilot, "enter")
        # Then the failing line is marked, with the locals that explain it and no secret
        text = shown(app)
        assert app.navigator.here.scope.invocation_id == world.newest_failure
        assert "❱   13     total = prices[item[" in text
        assert "'qty': 1" in text
        assert "KeyError: 'sku'" in text
        # And 4 shows the hottest line
        await press(app, pilot, "4")
        assert "cart.py:13" in shown(app)
        assert "62.0%" in shown(app)
        # And its source, from the scene
        assert "return total.quantize(CENT)" in shown(app)


@pytest.mark.parametrize(
    ("view", "told", "something"),
    [
        ("metrics", "none ran in 15m, so of the last 1d", "checkout"),
        ("flame", "none in 15m, so of the last 1d", "cart.py:13"),
    ],
)
async def test_metrics_and_profiles_of_last_night_are_there_in_the_morning(
    world: Any, view: str, told: str, something: str
) -> None:
    # Given that nothing ran for twelve hours, and a time range of 15 minutes that nobody has chosen
    source = source_of(world)
    source._clock = lambda: world.now_ns + 12 * 3_600 * 10**9
    app = ReliveApp(source, view)
    async with app.run_test(size=(120, 36)) as pilot:
        # When that screen opens
        await settle(app, pilot)
        # Then it shows a wider range, and says so
        assert told in shown(app)
        assert something in shown(app)
        # And where one goes from it has that range, too
        await press(app, pilot, "2")
        assert app.navigator.here.scope.range_ns == 86_400 * 10**9
        # But a range that somebody has chosen is kept
        await press(app, pilot, "escape", "t")
        assert app.range_chosen
        assert told not in shown(app)
    source.close()


async def test_what_failed_last_night_is_under_the_cursor_in_the_morning(world: Any) -> None:
    # Given failures of twelve hours ago, and a time range of 15 minutes that nobody has chosen
    source = source_of(world)
    source._clock = lambda: world.now_ns + 12 * 3_600 * 10**9
    app = ReliveApp(source)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        # When the terminal UI opens, Then they are shown, and that the range is a wider one
        text = shown(app)
        assert "KeyError: 'sku'" in text
        assert "none in 15m, so of the last 1d" in text
        assert "none ran in 15m, so of the last 1d" in text
        # And each function has its series: rate, errors, p95 and waited time of the one hour in which it ran
        checkout = next(line for line in text.split("\n") if "8.1" in line and "checkout" in line)
        assert checkout.count("█") == 4
        # And what is opened keeps that range
        await press(app, pilot, "2")
        assert app.navigator.here.scope.range_ns == 86_400 * 10**9
        assert "checkout" in shown(app)
        # But a range that is chosen stays, with nothing in it
        await press(app, pilot, "1", "t")
        assert "No failures in this time range" in shown(app)
    source.close()


async def test_a_long_trace_begins_at_once_and_says_why_its_invocation_was_slow(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relive_tracer.explore import traces
    from relive_tui.screens import trace

    # Given an invocation that took longer than its function does, with five spans, of which three come first
    monkeypatch.setattr(trace, "HEAD_SPANS", 3)
    source = source_of(world)
    (row,) = source.invocations(
        Ticket(), Scope("checkout", range_ns=0), parse_filter("status:ok dur:>13.9ms"),
        until_ns=world.now_ns + 10**9, order="newest", offset=0, limit=1, after=None,
    )  # fmt: skip
    app = ReliveApp(source, "trace", row.invocation_id)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        # Then all of it comes, and the sentence stands below it
        assert "Waterfall  5 spans" in shown(app)
        assert "slower than usual" in shown(app)
    # And one that is just as long as what comes first is said to be whole
    monkeypatch.setattr(trace, "HEAD_SPANS", 5)
    app = ReliveApp(source, "trace", row.invocation_id)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        assert "Waterfall  5 spans" in shown(app)
        assert "Logs of the trace" in shown(app)
    # And page by page it is the same
    store = world.store
    pages = list(traces.trace_pages(store, row.trace_id, 100, page=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [span for page in pages for span in page] == traces.trace(store, row.trace_id)
    # And the list of invocations says it for the row under the cursor
    app = ReliveApp(source, "invocations", "checkout")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        await press(app, pilot, "slash")
        app.screen.query_one(Input).value = "status:ok dur:>13.9ms"
        await press(app, pilot, "enter")
        await until(pilot, lambda: "slower than usual" in shown(app))
    source.close()


def test_profiles_are_compared_and_written_for_other_tools(world: Any, tmp_path: Path) -> None:
    # Given profiles of a function, of which some failed
    source = source_of(world)
    scope = Scope("checkout", range_ns=0)
    # Then the failed ones are compared with the others, the slow ones too, and one with what is usual
    failed = source.compared(Ticket(), scope, "failed", "wall")
    assert failed.after == "that failed (15)"
    assert {row.name for row in failed.rows} >= {"price"}
    assert source.compared(Ticket(), scope, "slow", "cpu").tree.after_samples
    one = source.compared(Ticket(), replace(scope, invocation_id=world.newest_failure), "usual", "wall")
    assert one.before == "60 that went well"
    assert len(one.tree) > 1
    # And each format is written
    for kind, begin in (("pprof", b"\x1f\x8b"), ("collapsed", b""), ("otlp_profile", b""), ("html", b"<!")):
        written = Path(source.export(Ticket(), scope, kind, str(tmp_path)))
        assert written.read_bytes().startswith(begin), kind
        assert written.stat().st_size > 100
    source.close()


async def test_two_keys_from_launch_to_the_leak(world: Any) -> None:
    # Given that failure, whose scene has a heap
    async with opened(world) as (app, pilot):
        await press(app, pilot, "enter")
        text = shown(app)
        assert "- cart.items[1].sku  was " in text  # against the last success
        assert "×15" in text
        assert "K ▸heap" in text  # what the price list keeps alive
        # When 5 is pressed, Then the biggest leak is shown with what holds it
        await press(app, pilot, "5")
        assert "in dict module cart › ._baskets" in shown(app)
        assert "└▸['_baskets']" in shown(app)
        # And there is no other heap to compare it with
        await press(app, pilot, "B")
        assert [note.message for note in app._notifications][-1].startswith("no other failure")


async def test_five_on_a_failure_without_a_heap_shows_that_of_the_same_failure(
    world: Any, tmp_path: Path
) -> None:
    # Given two failures of one kind; an attempt of the newest has the heap, the other one says so
    folder = shutil.copytree(world.scenes_dir, tmp_path / "scenes")
    source = DataSource(lambda: open_store(world.store.url), folder)
    (newest, _, _), (earlier, attempt, _), *_ = source.failures(Ticket(), Scope("checkout", range_ns=0))
    scene = read_scene(scene_path(folder, earlier, attempt))
    reason = f"the same failure's heap was taken 3 s ago, in {newest} (once in 600 s)"
    manifest = {**scene.manifest, "parts": {"heap": {"state": "missing", "reason": reason}}}
    files = {name: scene.member(name) for name in scene.names if name != "manifest.json"}
    scene_path(folder, earlier, attempt).write_bytes(pack_archive(folder, manifest, files)[1])
    app = ReliveApp(source, "failure", earlier)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(app, pilot)
        assert "5 heap" in shown(app)
        # When 5 is pressed
        await press(app, pilot, "5")
        # Then that heap is there, and is said to be another failure's
        assert "in dict module cart › ._baskets" in shown(app)
        assert f"same failure; {earlier[:13]} has no heap" in shown(app)
        assert f"inv {newest[:13]}" in shown(app)
        # And what belongs to it belongs to the failure that it was taken of
        await press(app, pilot, "B")
        assert [note.message for note in app._notifications][-1].startswith("no other failure")


async def test_five_on_a_success_says_that_it_succeeded(world: Any) -> None:
    # Given the newest success, of which the logs are shown
    source = source_of(world)
    (row,) = source.invocations(
        Ticket(), Scope(range_ns=0), parse_filter("status:ok"), until_ns=world.now_ns + 10**9,
        order="newest", offset=0, limit=1, after=None,
    )  # fmt: skip
    source.close()
    async with opened(world, "invocations") as (app, pilot):
        app.go(Place("logs", replace(app.here.scope, invocation_id=row.invocation_id, attempt=row.attempt)))
        await settle(app, pilot)
        # When 5 is pressed, Then that is no failed query that is tried again
        await press(app, pilot, "5")
        text = shown(app)
        assert f"{row.invocation_id[:13]} succeeded, and only a failure" in text
        assert f"relive heap {row.function} --next" in text
        assert "retrying" not in text


def test_what_has_no_scene_is_said_by_how_it_ended() -> None:
    rows = {
        status: InvocationRow(invocation_id="abc", function="shop", status=status)
        for status in ("ok", "rejected", "crash")
    }
    reasons = {status: without_scene(row, "it has expired").reason for status, row in rows.items()}
    assert "succeeded" in reasons["ok"]
    assert "did not run" in reasons["rejected"]
    assert reasons["crash"].endswith("has no scene: it has expired")


def test_the_heap_of_an_earlier_attempt_of_the_same_event_is_found(world: Any, tmp_path: Path) -> None:
    # Given an event whose first attempt left a heap, and whose second one refers to it
    store = open_store(world.store.url)
    scene = scenes.load(store, world.scenes_dir, "last")
    ident = "00000000-0000-7000-8000-000000000001"
    for attempt in (1, 2):
        heap = {"state": "ok" if attempt == 1 else "missing", "reason": f"taken 1 s ago, in {ident}"}
        manifest = {**scene.manifest, "invocation_id": ident, "attempt": attempt, "parts": {"heap": heap}}
        names = [name for name in scene.names if attempt == 1 or not name.startswith("heap/")]
        files = {name: scene.member(name) for name in names if name != "manifest.json"}
        scene_path(tmp_path, ident, attempt).write_bytes(pack_archive(tmp_path, manifest, files)[1])
    # Then asking the newest attempt for the same failure's heap gives the first one's
    found = scenes.with_same_heap(store, tmp_path, scenes.load(store, tmp_path, ident))
    assert found is not None
    assert (found.attempt, found.has_heap) == (1, True)
    # And without that there is none, and no end of looking for it
    scene_path(tmp_path, ident, 1).unlink()
    assert scenes.with_same_heap(store, tmp_path, scenes.load(store, tmp_path, ident)) is None


async def test_secrets_in_locals_are_not_shown(world: Any) -> None:
    async with opened(world, "failure", "last") as (app, pilot):
        await press(app, pilot, "j")
        assert "api_key" not in shown(app) or "sk_live" not in shown(app)


async def test_a_trace_has_platform_spans_and_the_functions_own(world: Any) -> None:
    async with opened(world, "trace", world.newest_trace[:12]) as (app, _pilot):
        text = shown(app)
        assert "POST /checkout" in text
        assert "SELECT carts" in text
        assert "checkout failed" in text  # the log line of the failed span


async def test_home_shows_groups_and_functions_with_their_figures(world: Any) -> None:
    async with opened(world) as (app, pilot):
        await until(pilot, lambda: "cart.py:13 62%" in shown(app))
        text = shown(app)
        assert "StaleData: no totals" in text
        assert "timeout" in text
        assert f"{world.failures} in 3 groups" in text


async def test_the_filter_is_answered_by_the_engine(world: Any) -> None:
    source, scope = source_of(world), Scope()
    count = source.count(Ticket(), scope, InvocationQuery(), 0, 0)
    failed = source.count(Ticket(), scope, parse_filter("status:failed"), 0, 0)
    slow = source.count(Ticket(), scope, parse_filter("dur:>2s"), 0, 0)
    assert (count, failed) == (240, world.failures)
    assert 0 < slow < failed
    source.close()


async def test_pages_by_key_and_by_offset_are_the_same(world: Any) -> None:
    source, scope = source_of(world), Scope(range_ns=0)
    until_ns = world.now_ns + 10**9
    for order in ORDERS:
        whole = source.invocations(
            Ticket(),
            scope,
            InvocationQuery(),
            until_ns=until_ns,
            order=order,
            offset=0,
            limit=300,
            after=None,
        )
        rest = source.invocations(
            Ticket(),
            scope,
            InvocationQuery(),
            until_ns=until_ns,
            order=order,
            offset=100,
            limit=300,
            after=whole[99],
        )
        assert [row.invocation_id for row in rest] == [row.invocation_id for row in whole[100:]]
    source.close()


async def test_new_log_lines_arrive_by_themselves(world: Any) -> None:
    from relive_base.wire.messages import LogLine
    from relive_tracer.explore.rows import FunctionRef, log_columns

    async with opened(world, "logs") as (app, pilot):
        # Given the tail, When a line is recorded
        source = app.source
        line = LogLine(source.now_ns(), "INFO", "a line from just now")
        world.store.insert("otel_logs", log_columns([(line, FunctionRef("checkout", 31))]))
        # Then it appears without a key
        await until(pilot, lambda: "a line from just now" in shown(app))
        assert "following" in shown(app)


async def test_a_resolved_failure_leaves_home_and_the_way_of_e_until_it_is_opened_again(world: Any) -> None:
    from relive_views.marks import marks

    def state() -> str:
        found = [mark.state for (function, _), mark in marks(world.store).items() if function == "checkout"]
        return found[0] if found else ""

    async with opened(world) as (app, pilot):
        # Given the newest failure, When it is resolved on its screen
        await press(app, pilot, "enter", "a", "enter")
        await until(pilot, lambda: "a state ✔ resolved" in shown(app))
        assert state() == "resolved"
        # Then Home does not show its group, nor does `e` lead to one of it
        await press(app, pilot, "escape")
        app.here.load()
        await settle(app, pilot)
        assert "KeyError: 'sku'" not in shown(app).split("Functions")[0]
        assert world.newest_failure not in {ref[0] for ref in app.source.failures(Ticket(), Scope())}
        # And opened again it is back
        await press(app, pilot, "A", "g", "a", "G", "enter")
        await until(pilot, lambda: state() == "open")
        assert world.newest_failure in {ref[0] for ref in app.source.failures(Ticket(), Scope())}


@pytest.mark.parametrize("view", ["failure", "heap", "trace"])
async def test_a_functions_name_opens_what_is_newest_of_it(world: Any, view: str) -> None:
    async with opened(world, view, "checkout") as (app, _pilot):
        scope = app.navigator.here.scope
        if view == "trace":
            assert len(scope.trace_id) == 32
        else:
            assert scope.invocation_id == world.newest_failure
        assert "NO ANSWER" not in shown(app)


async def test_what_nobody_knows_is_no_lost_answer(world: Any) -> None:
    async with opened(world, "failure", "0badcafe-0") as (app, _pilot):
        assert "0badcafe-0" in shown(app)
        assert "NO ANSWER" not in shown(app)


async def test_a_failure_without_a_scene_shows_what_its_record_knows(world: Any) -> None:
    path = next(world.scenes_dir.glob(f"{world.newest_failure}*"))
    source = source_of(world)
    moved = path.rename(path.with_suffix(".away"))
    try:
        view = source.scene(Ticket(), world.newest_failure, 1)
    finally:
        moved.rename(path)
    assert view.exceptions[0].type == "KeyError"
    assert view.exceptions[0].frames[0].line == 13
    assert "no scene" in view.note
    source.close()


async def test_a_store_that_is_killed_and_restarted_is_found_again(tmp_path: Path, world: Any) -> None:
    # Given a store process of its own with one invocation list open
    from tui_world import record_shop

    socket = tmp_path / "s.sock"
    process = StoreProcess(tmp_path / "store", socket)
    process.start(60)
    try:
        store = open_store(process.url)
        store.migrate()
        record_shop(store, tmp_path / "home", calls=24)
        source = DataSource(lambda: open_store(process.url), tmp_path / "home/scenes")
        app = ReliveApp(source)
        async with app.run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: "KeyError" in shown(app))
            # When the store is killed, Then the data stays and its age is shown
            process.kill()
            await until(pilot, lambda: " old · retrying" in shown(app))
            assert "KeyError" in shown(app)
            # And when it runs again, the complaint goes without a key
            process.start(60)
            await until(pilot, lambda: "retrying" not in shown(app))
            assert "KeyError" in shown(app)
        source.close()
    finally:
        process.stop()


def test_a_query_that_is_given_up_stops_in_the_engine(world: Any) -> None:
    # Given a query that would take many seconds
    import threading
    import time

    ticket, ended = Ticket(), threading.Event()
    result: list[BaseException] = []

    def work() -> None:
        store = TicketStore(world.store, ticket)
        try:
            store.query("SELECT sum(sipHash64(number)) FROM numbers(200000000000)", timeout_s=60)
        except Cancelled as error:
            result.append(error)
        ended.set()

    source = source_of(world)
    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 120
    # When it is given up (again and again: it may not have reached the engine yet)
    while not ended.is_set() and time.monotonic() < deadline:
        source.cancel(ticket)
        ended.wait(0.1)
    thread.join(120)
    # Then it ends as cancelled, long before its time
    assert result
    assert isinstance(result[0], Cancelled)
    with pytest.raises(Cancelled):
        TicketStore(world.store, ticket).query("SELECT 1")


async def test_a_million_invocations_scroll(tmp_path: Path) -> None:
    from tui_world import fill_invocations

    process = StoreProcess(tmp_path / "store", tmp_path / "s.sock")
    process.start(60)
    try:
        store = open_store(process.url)
        store.migrate()
        source = DataSource(lambda: open_store(process.url), tmp_path / "scenes")
        fill_invocations(store, 1_000_000, source.now_ns())
        app = ReliveApp(source, "invocations")
        async with app.run_test(size=(120, 36)) as pilot:
            await settle(app, pilot)
            rows = app.here.query_one("#rows", VirtualRows)
            app.set_range(0)
            await until(pilot, lambda: len(rows.source) == 1_000_000)
            for key in ("pagedown", "pagedown", "G", "pageup", "g"):
                await press(app, pilot, key)
                await until(pilot, lambda: "· · ·" not in shown(app))
        source.close()
    finally:
        process.stop()


async def test_what_is_exported_is_whole(world: Any, tmp_path: Path) -> None:
    import json

    from relive_capture.explore.scene import read_scene

    # Given the newest failure
    source = source_of(world)
    scope = Scope("checkout", 0, world.newest_failure, 0, world.newest_trace)
    # When each kind of file is written, one of them twice
    kinds = ("scene", "scene", "json", "speedscope", "html")
    files = [Path(source.export(Ticket(), scope, kind, str(tmp_path))) for kind in kinds]
    # Then they are new files that hold it all, for their owner only
    assert len(set(files)) == 5
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert read_scene(files[0]).invocation_id == world.newest_failure
    assert files[0].read_bytes() == files[1].read_bytes()
    spans = json.loads(files[2].read_text())["spans"]
    assert {span["trace_id"] for span in spans} == {world.newest_trace}
    assert len(spans) == len(source.trace(Ticket(), scope)[1])
    assert json.loads(files[3].read_text())["profiles"]
    assert "<html" in files[4].read_text()
    source.close()


async def test_two_invocations_are_compared_by_event_and_line(world: Any) -> None:
    source = source_of(world)
    rows = source.invocations(
        Ticket(), Scope(range_ns=0), parse_filter("status:failed fn:checkout"), until_ns=world.now_ns + 10**9,
        order="newest", offset=0, limit=2, after=None,
    )  # fmt: skip
    found = source.compare(Ticket(), rows[1], rows[0])
    assert found.events[1] is not None
    assert all(isinstance(row, InvocationRow) for row in rows)
    assert all(row.before_ms or row.after_ms for row in found.hot)
    source.close()
