"""Everything that has a key can be clicked, found in the palette, or pasted."""

from __future__ import annotations

from typing import Any

import pytest
from relive_tui.models.health import Health
from relive_tui.screens.dialogs.prompt import Prompt
from textual import events
from textual.widgets import Input
from tui_driving import opened, press, rows, settle, shown, until

CHECKOUT = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"


def cell_of(app: Any, text: str, line: int) -> tuple[int, int]:
    """Where a text begins on a line of the screen, counted from the end where `line` is negative."""
    lines = shown(app).split("\n")
    return lines[line].index(text), line % len(lines)


async def click(app: Any, pilot: Any, text: str, line: int, times: int = 1) -> None:
    assert await pilot.click(offset=cell_of(app, text, line), times=times)
    await settle(app, pilot)


async def test_hints_and_breadcrumbs_can_be_clicked(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await click(app, pilot, "open", -1)
        assert app.navigator.here.view == "failure"
        await click(app, pilot, "checkout", 0)
        assert (app.navigator.here.view, app.navigator.here.scope.function) == ("invocations", "checkout")
        await click(app, pilot, "relive", 0)
        assert app.navigator.here.view == "home"
        # The halves of `e/E` are keys of their own
        await click(app, pilot, "e/E", -1)
        assert rows(app, "#failures").cursor == 1
        await click(app, pilot, "E failure", -1)
        assert rows(app, "#failures").cursor == 0


async def test_a_row_opens_with_two_clicks_and_a_fold_with_one(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await click(app, pilot, "report", 4, times=2)
        assert app.navigator.here.view == "failure"
    async with opened(sample, "trace", "4bf92f35") as (app, pilot):
        await click(app, pilot, "▾", 5)
        assert len(rows(app, "#waterfall").source) == 1


async def test_the_views_of_the_heap_are_clicked_and_have_no_digits(sample: Any) -> None:
    sample.with_heap = True
    async with opened(sample, "heap") as (app, pilot):
        assert not any(sign in shown(app) for sign in "①②③④⑤")
        await click(app, pilot, "Types", 2)
        assert "▸Types" in shown(app)
        header = shown(app).split("\n")[5]
        assert header.index("TYPE") < header.index("RETAINED")


async def test_a_click_beside_a_window_closes_it(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "question_mark")
        assert len(app.screen_stack) == 2
        await pilot.click(offset=(1, 34))
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_help_says_how_much_of_it_is_below(sample: Any) -> None:
    async with opened(sample, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "question_mark")
        assert "more lines" in shown(app)
        await press(app, pilot, "G")
        assert "more line" not in shown(app)
        assert "quit" in shown(app)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("sku", "KeyError"), ("resizeflame", "resize flame"), ("pauselive", "pause live updates")],
)
async def test_the_palette_finds_failures_functions_and_actions(sample: Any, typed: str, found: str) -> None:
    async with opened(sample) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "✖ KeyError: 'sku' in checkout" in shown(app))
        for key in typed:
            await pilot.press(key)
        await until(pilot, lambda: found in shown(app))
        await pilot.press("down", "enter")
        await settle(app, pilot)
        if found == "KeyError":
            assert app.navigator.here.scope.invocation_id == CHECKOUT
        elif found == "resize flame":
            assert (app.navigator.here.view, app.navigator.here.scope.function) == ("flame", "resize")
        else:
            assert app.paused


async def test_what_is_pasted_waits_in_the_command_line_and_goes_with_enter(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        # When somebody pastes what `relive invoke` has printed
        app.here.post_message(events.Paste(f"\n  $ relive failure {CHECKOUT}\n"))
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        # Then it is there to be read, and Enter goes there
        assert CHECKOUT in app.screen.query_one(Input).value
        await press(app, pilot, "enter")
        assert app.navigator.here.view == "failure"
        assert app.navigator.here.scope.invocation_id == CHECKOUT


async def test_a_line_break_in_what_is_pasted_into_an_input_loses_nothing(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "slash")
        box = app.screen.query_one(Input)
        box.post_message(events.Paste("\nstatus:failed\nfn:checkout"))
        await until(pilot, lambda: bool(box.value))
        assert box.value == "status:failed fn:checkout"


async def test_live_is_said_only_of_what_follows(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        top = shown(app).split("\n")[0]
        assert "LIVE" in top
        # A scene stays as it is
        await press(app, pilot, "enter")
        assert "LIVE" not in shown(app).split("\n")[0]
        # A list that is read stands still
        await press(app, pilot, "2", "g")
        assert "LIVE" in shown(app).split("\n")[0]
        await press(app, pilot, "j")
        assert "LIVE" not in shown(app).split("\n")[0]


async def test_without_a_server_nothing_is_live(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "health", lambda: Health(False), raising=False)
    async with opened(sample, "logs") as (app, _pilot):
        assert "LIVE" not in shown(app)
        assert "no server" in shown(app).split("\n")[0]
