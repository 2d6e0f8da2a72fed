"""The heap screen over a small real heap: keys, panes, states."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from relive_tui.app import ReliveApp
from relive_tui.models.heap.view import HeapView
from relive_tui.models.navigation.scope import place_of
from relive_tui.widgets.rows import VirtualRows
from textual.pilot import Pilot

CHECKOUT = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"


async def settle(app: ReliveApp, pilot: Pilot[Any]) -> None:
    await pilot.pause()
    async with asyncio.timeout(60):
        while app.here.busy:
            await pilot.pause(0.01)
    await pilot.pause()


async def press(app: ReliveApp, pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(app, pilot)


@asynccontextmanager
async def opened(
    source: Any, view: str | None = "heap", ident: str | None = CHECKOUT, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[ReliveApp, Pilot[Any]]]:
    app = ReliveApp(source, view, ident)
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        yield app, pilot


def text_of(app: ReliveApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def pane(app: ReliveApp, name: str) -> str:
    rows = app.here.query_one(f"#{name}", VirtualRows)
    return "\n".join(rows.render_line(y).text.rstrip() for y in range(rows.size.height))


def title(app: ReliveApp, name: str) -> str:
    return str(app.here.query_one(f"#{name}", VirtualRows).border_title)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_five_from_the_failure_shows_who_holds_the_biggest_leak(
    sample: Any, size: tuple[int, int]
) -> None:
    # Given the terminal UI as it opens, and a failure with a heap
    sample.with_heap = True
    async with opened(sample, None, None, size) as (app, pilot):
        # When the failure is opened with one key, and 5 is pressed
        await press(app, pilot, "enter")
        assert "5 heap" in text_of(app).split("\n")[-1]
        await press(app, pilot, "5")
        # Then the cursor is on what holds nearly everything, and the path to it is open
        assert "leak suspect 1/1" in text_of(app)
        assert "['_prices'] dict" in pane(app, "list")
        assert pane(app, "path").startswith("module cart")
        assert "└▸['_prices']  dict  95M" in pane(app, "path")


async def test_locals_say_what_they_hold_and_five_goes_to_that_object(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample, "failure") as (app, pilot):
        assert "95M ▸heap" in text_of(app)
        rows = app.here.query_one("#locals", VirtualRows)
        await press(app, pilot, "enter")
        while "plist" not in rows.render_line(rows.cursor - rows.scroll_offset.y).text:
            await press(app, pilot, "j")
        await press(app, pilot, "5")
        assert app.navigator.here.view == "heap"
        listed = app.here.query_one("#list", VirtualRows)
        assert "['_prices'] dict" in listed.render_line(1 + listed.cursor - listed.scroll_offset.y).text
        await press(app, pilot, "escape")
        assert app.navigator.here.view == "failure"


async def test_five_on_a_trace_opens_the_heap_of_the_invocation_under_the_cursor(sample: Any) -> None:
    sample.with_heap = True
    # Given a trace that was opened by its id
    async with opened(sample, "trace", "4bf92f3577b34da6a3ce929d0e0e4736") as (app, pilot):
        # When the heap is asked for, Then it is that of the invocation whose span it is
        await press(app, pilot, "5")
        assert f"heap {CHECKOUT} 0" in sample.asked


async def test_without_a_heap_it_says_why_and_what_to_type_and_nothing_else_offers_it(sample: Any) -> None:
    async with opened(sample, "failure") as (app, pilot):
        assert "5 heap" not in text_of(app)
        await press(app, pilot, "question_mark")
        assert "holds the memory" not in text_of(app)
        await press(app, pilot, "escape", "5")
        assert "No heap here: capture=frames" in text_of(app)
        assert "relive heap checkout --next" in text_of(app)
        # And a key for its suspects says nothing of a heap that is not here
        await press(app, pilot, "e")
        assert "tenth of the heap" not in " ".join(note.message for note in app._notifications)


async def test_why_there_is_none_is_said_whole_in_a_narrow_pane(sample: Any, monkeypatch: Any) -> None:
    reason = "the machine had 90 MB of memory left, less than the 120 MB that the worker held and 64 MB more"
    monkeypatch.setattr(
        sample, "heap", lambda *_: HeapView(reason=reason, next_command="relive failure 019ab")
    )
    async with opened(sample, size=(80, 24)) as (app, _pilot):
        said = " ".join(pane(app, "list").split())
        assert f"No heap here: {reason} relive failure 019ab" in said


async def test_enter_opens_500_children_and_the_row_of_more_brings_the_next(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample) as (app, pilot):
        rows = app.here.query_one("#list", VirtualRows)
        # Given the suspect, which is open, closed with Enter
        await press(app, pilot, "enter")
        before = len(rows.source)
        await press(app, pilot, "enter")
        assert len(rows.source) == before + 501
        rows.move_to(rows.cursor + 501)
        await press(app, pilot, "enter")
        assert len(rows.source) == before + 1_001
        await press(app, pilot, "left")  # a page's row is closed by what it hangs below
        await press(app, pilot, "left")
        assert len(rows.source) == before


async def test_tab_goes_through_the_views_and_a_type_shows_its_objects(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample) as (app, pilot):
        titles = [title(app, "list").split(":")[0]]
        for _ in range(4):
            await press(app, pilot, "tab")
            titles.append(title(app, "list").split(":")[0])
        assert titles[1:] == ["Types by retained size", "Objects, the largest first", "Roots", titles[0]]
        await press(app, pilot, "tab", "enter")
        assert title(app, "list") == "Objects type:dict"
        await press(app, pilot, "escape")
        assert title(app, "list") == "Objects, the largest first"


async def test_the_filter_finds_and_says_what_is_wrong_with_it(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "slash", *"size")
        await press(app, pilot, "colon", "x", "enter")
        assert "size: needs a size" in text_of(app)
        await press(app, pilot, "escape", "slash", *"page", "space", *"1999", "enter")
        assert "b'page 1999'" in pane(app, "value")
        assert len(app.here.query_one("#list", VirtualRows).source) == 1
        await press(app, pilot, "d")
        assert title(app, "list").startswith("Dominators")
        assert "b'page 1999'" in pane(app, "value")


async def test_retainers_and_further_paths_and_y(
    sample: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sample.with_heap = True
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "y")
        assert (tmp_path / "relive/yank.txt").read_text() == "module cart › ._prices"
        await press(app, pilot, "r")
        assert title(app, "list").startswith("What refers to dict")
        assert "['_prices'] dict" in pane(app, "list")
        await press(app, pilot, "greater_than_sign")
        assert [note.message for note in app._notifications][-1] == "there is no further path"
        await press(app, pilot, "escape", "escape")
        assert app.navigator.here.view == "heap"


def test_the_heap_has_an_address() -> None:
    assert place_of("heap", CHECKOUT).scope.invocation_id == CHECKOUT


async def test_progress_is_shown_while_the_heap_is_opened_and_keys_work(
    sample: Any, until: Callable[..., Any]
) -> None:
    import threading

    # Given an analysis that takes its time
    sample.with_heap = True
    go_on = threading.Event()
    finished = sample.heap

    def slow(ticket: Any, scope: Any, progress: Any) -> Any:
        progress.at("analysing 1,002,114 objects, about 4 s", 0.5)
        go_on.wait(120)
        return finished(ticket, scope, progress)

    sample.heap = slow
    app = ReliveApp(sample, "heap", CHECKOUT)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "1,002,114 objects" in text_of(app))
        assert "▮▮▮" in text_of(app)
        # When keys are pressed meanwhile, Then they are answered
        await pilot.press("question_mark")
        await until(pilot, lambda: "Keys · Esc closes" in text_of(app))
        await pilot.press("escape")
        go_on.set()
        await until(pilot, lambda: "leak suspect" in text_of(app))


async def test_capital_b_compares_with_another_heap_of_the_function(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "B")
        assert "Timeout: after 30 s" in text_of(app)
        await press(app, pilot, "enter")
        assert title(app, "list").startswith("Growth")
        assert "module cart › ._prices" in pane(app, "list")
        assert "▸Growth" in text_of(app)
        await press(app, pilot, "enter")
        assert title(app, "list").startswith("Dominators")
        assert "└▸['_prices']" in pane(app, "path")
