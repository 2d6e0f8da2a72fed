"""Keys that act: editor, export, marks and differences, critical path, sideways, searching a scene."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from relive_tui.app import ReliveApp
from relive_tui.outside.acting import run_captured
from relive_tui.screens.compare import CompareScreen
from relive_tui.screens.dialogs.menu import Menu
from relive_tui.source.tickets import Cancelled, Ticket
from relive_tui.widgets.rows import VirtualRows
from relive_views.kept import KeptView
from relive_views.scenes.model import CallView
from tui_driving import opened, press, settle, shown, until


def told(app: ReliveApp) -> str:
    return " ".join(notification.message for notification in app._notifications)


NOW = 1_795_435_451_204_000_000
S = 1_000_000_000


@contextmanager
def suspended() -> Iterator[None]:
    yield


async def test_o_opens_the_failing_line_in_the_editor(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an editor, and a failing file that is here
    out = tmp_path / "arguments"
    editor = tmp_path / "ed"
    editor.write_text(f'#!/bin/sh\necho "$@" > {out}\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    sample.path = "/srv/app/cart.py"
    async with opened(sample, "failure", "last") as (app, pilot):
        monkeypatch.setattr(app, "suspend", suspended)  # a test has no terminal to give away
        # When o is pressed
        await press(app, pilot, "o")
        # Then the editor gets the file and the line
        assert out.read_text().split() == ["+88", "/srv/app/cart.py"]


async def test_o_says_what_is_missing(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    async with opened(sample, "flame", "checkout") as (app, pilot):
        await press(app, pilot, "o")
        assert "cart.py is not on this machine" in told(app)
        sample.path = "/srv/app/cart.py"
        await press(app, pilot, "o")
        assert "set EDITOR" in told(app)
        assert "/srv/app/cart.py:88" in told(app)
    async with opened(sample, "home") as (app, pilot):
        await press(app, pilot, "o")
        assert "no source line" in told(app)


@pytest.mark.parametrize(
    ("view", "keys", "kind"),
    [
        ("failure", ("x", "enter"), "scene"),
        ("flame", ("x", "enter"), "speedscope"),
        ("flame", ("x", "down", "enter"), "html"),
        ("flame", ("S",), "speedscope"),
        ("trace", ("x", "enter"), "json"),
    ],
)
async def test_x_exports_into_the_current_folder(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str, keys: tuple[str, ...], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(sample, view) as (app, pilot):
        await press(app, pilot, *keys)
        await settle(app, pilot)
        assert f"export {kind} {tmp_path}" in sample.asked
        assert f"exported.{kind}" in told(app)


async def test_a_trace_is_sent_to_the_collector_that_is_typed(sample: Any) -> None:
    async with opened(sample, "trace") as (app, pilot):
        await press(app, pilot, "x", "down", "enter")
        assert "http://127.0.0.1:4317" in shown(app)
        await press(app, pilot, "enter")
        assert "export otlp http://127.0.0.1:4317" in sample.asked


async def test_an_export_that_fails_is_said_once_and_not_repeated(sample: Any) -> None:
    async with opened(sample, "failure", "last") as (app, pilot):
        await press(app, pilot, "x")
        assert isinstance(app.screen, Menu)
        sample.fault = OSError("no space left [on device]")
        await press(app, pilot, "enter")
        await settle(app, pilot)
        assert "no space left [on device]" in told(app)
        assert "export" not in app.here._jobs


async def test_space_marks_and_d_shows_two_invocations_side_by_side(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        # Given one marked row
        await press(app, pilot, "space", "d")
        assert "mark two" in told(app)
        # When a second one is marked and d is pressed
        await press(app, pilot, "down", "down", "space")
        assert "2 marked" in str(app.here.query_one("#rows", VirtualRows).border_subtitle)
        await press(app, pilot, "d")
        await until(pilot, lambda: "event.sku" in shown(app))
        # Then what differs is there: status, event, lines
        text = shown(app)
        assert isinstance(app.screen, CompareScreen)
        assert "KeyError: 'sku'" in text
        assert "event.qty" in text
        assert "event.id" not in text
        assert "+5.8 ms" in text
        assert "cart.py:88" in text
        # And Escape closes it
        await press(app, pilot, "escape")
        assert app.screen is app.here


async def test_a_third_mark_replaces_the_first_and_a_mark_can_be_taken_away(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "space", "space", "space")
        listing: Any = app.here.query_one("#rows", VirtualRows).source
        assert list(listing.marked) == [(sample.row(1).invocation_id, 1), (sample.row(2).invocation_id, 1)]
        await press(app, pilot, "up", "space")
        assert list(listing.marked) == [(sample.row(1).invocation_id, 1)]


async def test_s_goes_through_the_orders(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        seen = []
        for _ in range(6):
            await press(app, pilot, "s")
            seen.append(next(word for word in ("slowest", "CPU", "memory", "queued", "oldest", "newest")
                             if f"{word} first" in shown(app)))  # fmt: skip
        assert seen == ["slowest", "CPU", "memory", "queued", "oldest", "newest"]


async def test_c_leaves_the_critical_path(sample: Any) -> None:
    async with opened(sample, "trace") as (app, pilot):
        waterfall = app.here.query_one("#waterfall", VirtualRows)
        every = len(waterfall.source)
        await press(app, pilot, "c")
        assert "WAITED" in shown(app)
        assert 0 < len(waterfall.source) <= every
        await press(app, pilot, "c")
        assert len(waterfall.source) == every


async def test_long_lines_scroll_sideways(sample: Any) -> None:
    async with opened(sample, "logs") as (app, pilot):
        panel = app.here.query_one("#rows", VirtualRows)
        before = shown(app)
        await press(app, pilot, "greater_than_sign")
        assert panel.pan > 0
        assert "checkout of cart 7" not in shown(app)
        await press(app, pilot, "shift+left")
        assert shown(app) == before


async def test_slash_searches_frames_and_locals(sample: Any) -> None:
    async with opened(sample, "failure", "last") as (app, pilot):
        await press(app, pilot, "slash", *"event", "enter")
        assert "Locals of checkout" in str(app.here.query_one("#locals", VirtualRows).border_title)
        await press(app, pilot, "slash", *"plist", "enter")
        assert "Locals of price" in str(app.here.query_one("#locals", VirtualRows).border_title)


async def test_brackets_walk_the_chain_and_back(sample: Any) -> None:
    async with opened(sample, "failure", "last") as (app, pilot):
        assert "caused by LookupError" in shown(app)
        await press(app, pilot, "right_square_bracket")
        assert "✖ LookupError: price list stale" in shown(app)
        await press(app, pilot, "left_square_bracket")
        assert "✖ KeyError: 'sku'" in shown(app)


async def test_capital_r_asks_runs_the_event_again_and_shows_what_came_of_it(sample: Any) -> None:
    # Given a command that says what it was asked to do
    sample.command = (
        sys.executable,
        "-c",
        "import sys; print('✖ the same failure', *sys.argv[1:], 'x ' * 80, 'end')",
    )
    async with opened(sample, "failure", "last") as (app, pilot):
        assert "R replay ✖ same failure 3m ago" in shown(app)
        # When R is pressed and a live run is chosen
        await press(app, pilot, "R")
        assert isinstance(app.screen, Menu)
        await press(app, pilot, "down", "enter")
        # Then its words are on the screen
        await until(pilot, lambda: "the same failure replay" in shown(app))
        assert "aa01 --live" in shown(app)
        await until(pilot, lambda: "x end" in shown(app))  # however long the line


async def test_a_replay_that_is_refused_says_why(sample: Any) -> None:
    program = "import sys; print('relive: the dependencies are gone', file=sys.stderr); sys.exit(4)"
    sample.command = (sys.executable, "-c", program)
    async with opened(sample, "failure", "last") as (app, pilot):
        await press(app, pilot, "R", "enter")
        await until(pilot, lambda: "the dependencies are gone" in told(app))


async def test_a_run_that_cannot_be_gone_back_in_says_so(sample: Any) -> None:
    # Given a command that ends at once
    sample.command = (sys.executable, "-c", "pass")
    async with opened(sample, "failure", "last") as (app, pilot):
        # When the failure's time line is opened
        await press(app, pilot, "L")
        # I expect to read why there is none, and to come back
        assert "the run has ended" in shown(app)
        assert "running it again" not in shown(app)
        await press(app, pilot, "escape")
        assert app.navigator.here.view == "failure"


async def test_b_gives_the_terminal_to_the_debugger(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    sample.command = (sys.executable, "-c", f"import sys; open({str(seen)!r}, 'w').write(' '.join(sys.argv))")
    async with opened(sample, "failure", "last") as (app, pilot):
        monkeypatch.setattr(app, "suspend", suspended)
        await press(app, pilot, "b")
        assert seen.read_text() == "-c debug 019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"


def test_a_command_that_is_not_wanted_any_more_is_ended() -> None:
    ticket = Ticket()
    ticket.cancel()
    with pytest.raises(Cancelled):
        run_captured([sys.executable, "-c", "import time; time.sleep(60)"], ticket)


async def test_x_writes_a_test_that_repeats_the_failure(sample: Any) -> None:
    # Given a command that says what it was asked to do
    sample.command = (sys.executable, "-c", "import sys; print('asked for', *sys.argv[1:])")
    async with opened(sample, "failure", "last") as (app, pilot):
        # When a test is chosen, and the folder is as it was proposed
        await press(app, pilot, "x", "enter", "enter")
        # Then the command has written it, and its words are on the screen
        await until(pilot, lambda: "asked for scene 019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01" in shown(app))
        assert "--to-test tests/" in shown(app)


async def test_the_debugger_is_offered_with_the_process_that_is_still_there(sample: Any) -> None:
    sample.process = KeptView(pid=7, left_s=480.0)
    async with opened(sample, "failure", "last", size=(80, 24)) as (app, _pilot):
        assert "b debug ✔ process kept" in shown(app)
        assert "R replay" in shown(app)
        assert "x test" in shown(app)


async def test_a_resize_keeps_the_failing_line_in_view(sample: Any) -> None:
    async with opened(sample, "failure", "last", size=(160, 45)) as (app, pilot):
        for size in ((80, 24), (120, 36), (80, 18), (160, 45)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: "❱   88     total += plist[item['sku']]" in shown(app))


async def test_few_frames_are_a_strip_and_more_a_list(sample: Any) -> None:
    async with opened(sample, "failure", "last") as (app, pilot):
        frames, source = app.here.query_one("#frames"), app.here.query_one("#source")
        assert frames.region.bottom <= source.region.y
        assert source.region.width == app.size.width
        # With its library frames they are more than four
        await press(app, pilot, "u")
        await until(pilot, lambda: frames.region.right <= source.region.x)


async def test_calls_stand_in_the_order_of_time_among_the_logs(sample: Any) -> None:
    sample.calls = (CallView(NOW - 3 * S - 1, "GET https://example.org/prices", 503, 38_600_000),)
    async with opened(sample, "failure", "last", (160, 45)) as (app, _pilot):
        lines = [line for line in shown(app).split("\n") if "⇢" in line or "checkout of cart" in line]
        assert "checkout of cart" in lines[0]
        assert "GET https://example.org/prices  503  38.6ms" in lines[1]


async def test_a_failure_is_resolved_on_its_screen_leaves_home_and_comes_back_as_a_regression(
    sample: Any,
) -> None:
    async with opened(sample) as (app, pilot):
        # When the newest failure is opened and resolved
        await press(app, pilot, "enter")
        assert "a state open" in shown(app)
        await press(app, pilot, "a", "enter")
        # Then its screen says so, and Home does not show it any more, but says that it is there
        await until(pilot, lambda: "a state ✔ resolved" in shown(app))
        await press(app, pilot, "escape")
        app.here.load()
        await settle(app, pilot)
        assert "KeyError" not in shown(app)
        assert "A: show 1 resolved or ignored" in shown(app)
        await press(app, pilot, "A")
        assert "✔ resolved" in shown(app)
        # And when it fails again, it is back
        await press(app, pilot, "A")
        sample.states["f1"] = "regression"
        app.here.load()
        await settle(app, pilot)
        assert "↩ came back" in shown(app)


async def test_a_failure_is_ignored_and_opened_again_from_home(sample: Any) -> None:
    async with opened(sample, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "a", "down", "enter")
        await until(pilot, lambda: "settle f1 ignored" in sample.asked)
        await until(pilot, lambda: "KeyError" not in shown(app))
        await press(app, pilot, "A", "g", "a", "G", "enter")
        await until(pilot, lambda: "settle f1 open" in sample.asked)


async def test_a_flame_graph_is_compared_and_seen_from_the_middle(sample: Any) -> None:
    # Given the flame graph of an invocation
    async with opened(sample, "flame", "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01", (80, 24)) as (app, pilot):
        # When d is pressed, Then what can be compared is offered, first with what is usual
        await press(app, pilot, "d", "enter")
        assert "compared checkout usual" in sample.asked
        text = shown(app)
        assert "60 that went well → this one" in text
        assert "! 52 ms slower than usual" in text
        assert "+57.0ms" in text
        # And v goes back to it
        await press(app, pilot, "v")
        assert "Difference" not in shown(app)
        # When s is pressed on a frame, Then it is the middle of its callers and callees; Esc goes back
        await press(app, pilot, "enter", "s")
        assert "Sandwich" in shown(app)
        await press(app, pilot, "escape")
        assert "Sandwich" not in shown(app)
        # And two versions are asked for
        await press(app, pilot, "d", "G", "enter", *"3,4", "enter")
        assert "compared checkout 3,4" in sample.asked
        # And the difference stays, as one, if the next two have nothing to compare
        assert "Difference" in shown(app)
        await press(app, pilot, "d", "G", "enter", *"8,9", "enter")
        await until(pilot, lambda: "compared checkout 8,9" in sample.asked)
        await until(pilot, lambda: any("versions 8 and 9" in note.message for note in app._notifications))
        app.screen.query_one("#hot", VirtualRows).focus()
        await press(app, pilot, "down")
        app.screen._show_titles()
        await settle(app, pilot)
        assert "Difference" in shown(app)
        await press(app, pilot, "v")
        await until(pilot, lambda: "Difference" not in shown(app))
