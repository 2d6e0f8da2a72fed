"""The application over plain data: keys, navigation, states."""

from __future__ import annotations

import time
from typing import Any

import pytest
from relive_base.errors import ServerUnreachable
from relive_tui.app import ReliveApp
from relive_tui.models.home import FailureRows
from relive_tui.models.layout.text import line_text
from relive_tui.models.navigation.keys import EVERYWHERE, KEYS
from relive_tui.models.navigation.scope import LENSES, VIEWS
from relive_tui.screens.dialogs.prompt import Prompt
from relive_tui.widgets.bars import LineBar
from tui_driving import opened, press, rows, settle, shown, until

CHECKOUT = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"
REPORT = "019ab1f1-0c1d-7b3e-9d2f-4bf92f35aa02"


async def test_enter_once_from_launch_shows_the_failing_line_with_its_locals(sample: Any) -> None:
    # Given the terminal UI as it opens
    async with opened(sample) as (app, pilot):
        # When Enter is pressed once
        await press(app, pilot, "enter")
        # Then the failing line is on the screen, marked, and its locals beside it
        text = shown(app)
        assert app.navigator.here.view == "failure"
        assert "❱   88     total += plist[item['sku']]" in text
        assert "{'id': 7, 'qty': 2}" in text


async def test_four_from_the_failure_shows_the_hottest_line(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "enter", "4")
        text = shown(app)
        assert app.navigator.here.scope.function == "checkout"
        assert "31.0%" in text
        assert "total += plist[item['sku']]" in text


async def test_the_newest_failure_is_under_the_cursor_with_its_preview_open(sample: Any) -> None:
    async with opened(sample) as (app, _pilot):
        source = rows(app, "#failures").source
        assert isinstance(source, FailureRows)
        assert source.groups[rows(app, "#failures").cursor].captured_at == max(
            g.captured_at for g in source.groups
        )
        assert "item" in shown(app)
        assert "{'id': 7, 'qty': 2}" in shown(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
@pytest.mark.parametrize("view", ["home", "invocations", "trace", "failure", "flame", "heap", "logs"])
async def test_every_screen_opens_at_every_size_with_at_most_eight_hints(
    sample: Any, view: str, size: tuple[int, int]
) -> None:
    async with opened(sample, view, None, size) as (app, _pilot):
        lines = shown(app).split("\n")
        assert view.capitalize() in lines[0]
        assert "? help" in lines[-1]
        hints = app.here.query_one("#hints", LineBar).lines[0]
        assert sum(style == "hint_key" for _, style in hints) <= 8
        assert all(len(line) <= size[0] for line in lines)


@pytest.mark.parametrize("view", ["home", "invocations", "trace", "failure", "flame", "heap", "logs"])
async def test_a_tiny_terminal_has_its_bars_and_rows_of_what_matters_most(sample: Any, view: str) -> None:
    main = {"home": "#failures", "invocations": "#rows", "trace": "#waterfall", "failure": "#locals",
            "flame": "#hot", "heap": "#list", "logs": "#rows"}  # fmt: skip
    sample.with_heap = True
    async with opened(sample, view, None, (40, 10)) as (app, _pilot):
        lines = shown(app).split("\n")
        # The end of the breadcrumb stays where its beginning has to go
        assert view.capitalize() in lines[0]
        assert "? help" in lines[-1]
        panel = rows(app, main[view])
        assert len(panel.source)
        assert panel.region.height - 2 - (panel.source.header(30) is not None) >= 1
        assert panel.region.bottom < 10


async def test_escape_pops_and_minus_toggles(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "enter", "3")
        assert [place.view for place in app.navigator.stack] == ["home", "failure", "trace"]
        await press(app, pilot, "minus")
        assert app.navigator.here.view == "failure"
        await press(app, pilot, "minus")
        assert app.navigator.here.view == "trace"
        await press(app, pilot, "escape", "escape", "escape")
        assert [place.view for place in app.navigator.stack] == ["home"]
        assert len(app.screen_stack) == 1


async def test_digits_of_screens_that_do_not_exist_do_nothing(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "0")
        assert [place.view for place in app.navigator.stack] == ["home"]


async def test_a_digit_takes_the_scope_along_and_home_is_the_bottom(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "enter", "6")
        assert app.navigator.here.scope.invocation_id == CHECKOUT
        assert "checkout" in shown(app).split("\n")[0]
        await press(app, pilot, "1")
        assert [place.view for place in app.navigator.stack] == ["home"]


async def test_e_goes_from_failure_to_failure(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "e")
        assert rows(app, "#failures").cursor == 1
        await press(app, pilot, "E", "enter", "e")
        assert app.navigator.here.scope.invocation_id == REPORT
        assert "Timeout" in shown(app)
        await press(app, pilot, "e", "E")
        assert app.navigator.here.scope.invocation_id == CHECKOUT


async def test_brackets_walk_the_chain_and_u_shows_library_frames(sample: Any) -> None:
    async with opened(sample, "failure", "last") as (app, pilot):
        await press(app, pilot, "right_square_bracket")
        assert "2/2 [ ] moves" in shown(app)
        await press(app, pilot, "left_square_bracket", "u")
        assert "lib0" in shown(app)


async def test_enter_opens_a_local_and_y_copies_it(
    sample: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    async with opened(sample, "failure", "last") as (app, pilot):
        await press(app, pilot, "y")
        assert (tmp_path / "relive/yank.txt").read_text() == f"relive tui failure {CHECKOUT}"
        await press(app, pilot, "enter")
        assert "['id']" in shown(app)  # what fits is open
        await press(app, pilot, "enter")
        assert "['id']" not in shown(app)
        await press(app, pilot, "y")
        assert (tmp_path / "relive/yank.txt").read_text() == "item = {'id': 7, 'qty': 2}"


async def test_the_failure_screen_says_its_history_and_what_it_lacks(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "enter")
        assert "×14" in shown(app)
        await press(app, pilot, "i")
        assert "missing: capture=frames" in shown(app)
        await press(app, pilot, "escape")
        assert app.navigator.here.view == "failure"


async def test_e_walks_the_failures_of_all_functions_when_it_began_at_home(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "enter")
        assert "failures of ''" in sample.asked


async def test_a_group_opens_on_a_member_and_is_walked(sample: Any) -> None:
    sample.grouped = True
    async with opened(sample, "failure", "last", (80, 24)) as (app, pilot):
        assert "✖ KeyError: 'sku'" in shown(app).split("\n")[1]
        assert "1 of 2 in ExceptionGroup" in shown(app)
        await press(app, pilot, "right_square_bracket")
        assert "✖ ValueError" in shown(app).split("\n")[1]
        await press(app, pilot, "right_square_bracket")
        assert "showing thread writer" in shown(app)


async def test_the_event_is_shown_against_the_last_success_and_whole(sample: Any) -> None:
    sample.difference = sample.a_difference
    async with opened(sample, "failure", "last") as (app, pilot):
        assert "- items[1].sku  was " in shown(app)
        await press(app, pilot, "D")
        assert '"path": "/cart",' in shown(app)


async def test_letters_do_nothing_inside_an_input_and_its_error_is_beside_it(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "slash")
        for key in "status:q":
            await pilot.press(key if key != ":" else "colon")
        await pilot.pause()
        assert isinstance(app.screen, Prompt)
        assert "is none of ok" in shown(app)
        # Enter keeps the line open while it is wrong; the list below is the last good one
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Prompt)
        await press(app, pilot, "escape")
        assert len(rows(app, "#rows").source) == 1_000


async def test_the_filter_reaches_the_query_and_escape_clears_it(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "f")
        assert any("'timeout'" in asked for asked in sample.asked)
        assert "status:failed" in shown(app)
        await press(app, pilot, "escape")
        assert "status:failed" not in shown(app)
        assert app.navigator.here.view == "invocations"


async def test_only_pages_that_are_seen_are_fetched_and_the_end_is_one_key_away(sample: Any) -> None:
    sample.total = 1_000_000
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "G")
        await until(pilot, lambda: "· · ·" not in shown(app))
        assert rows(app, "#rows").cursor == 999_999
        assert len([asked for asked in sample.asked if asked.startswith("invocations")]) <= 6


async def test_a_list_that_is_read_stands_still_and_counts_what_is_new(sample: Any) -> None:
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "j", "j")
        sample.new = 14
        app.here.tick()
        await settle(app, pilot)
        assert "14 new" in shown(app)
        assert rows(app, "#rows").cursor == 2


async def test_pausing_stops_the_updates_and_counts(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "p")
        before = sample.asked.count("failure_groups")
        sample.new = 7
        app.here._beat()
        await settle(app, pilot)
        assert sample.asked.count("failure_groups") == before
        assert "PAUSED 7 new" in shown(app)
        await press(app, pilot, "p")
        assert sample.asked.count("failure_groups") > before
        assert "LIVE" in shown(app)


async def test_a_lost_server_keeps_the_last_good_data_says_how_old_it_is_and_comes_back(sample: Any) -> None:
    now = [sample.now_ns()]
    sample.clock = lambda: now[0]
    async with opened(sample) as (app, pilot):
        # Given data on the screen, When the store goes away
        sample.fault = ServerUnreachable("nobody answers on store.sock")
        now[0] += 9_000_000_000
        app.here.load()
        await settle(app, pilot)
        # Then the failures are still shown, with their age and the reason
        text = shown(app)
        assert "KeyError: 'sku'" in text
        assert "nobody answers on store.sock" in text
        assert "9s old" in text
        # And when it is back, the complaint goes away by itself
        sample.fault = None
        now[0] += 20_000_000_000
        app.here._beat()
        await settle(app, pilot)
        assert "nobody answers" not in shown(app)


@pytest.mark.parametrize(
    ("view", "said"),
    [("home", "relive deploy PATH"), ("invocations", "relive invoke"), ("trace", "relive invocations"),
     ("flame", "No samples"), ("logs", "No log lines")],
)  # fmt: skip
async def test_empty_screens_name_the_next_command(sample: Any, view: str, said: str) -> None:
    sample.empty = True
    async with opened(sample, view) as (app, _pilot):
        assert said in shown(app)


async def test_loading_says_what_is_loading(sample: Any) -> None:
    async with ReliveApp(sample).run_test(size=(100, 30)) as pilot:
        app = pilot.app
        assert isinstance(app, ReliveApp)
        app.here._jobs.clear()
        from relive_tui.models.lists.feed import Feed
        from relive_tui.screens.base import Job

        feed: Feed[int] = Feed("spans of 4bf92f35")
        feed.begin()
        app.here._jobs["x"] = Job("x", feed, lambda _value: None, False)
        app.here._show_state()
        assert "loading spans of 4bf92f35" in line_text(app.here.query_one("#state", LineBar).lines[0])
        feed.loading = False


async def test_slow_questions_are_asked_less_often(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        # Given answers that took long, When the next beat comes, Then nothing is asked
        app.here._rest_until_s = time.monotonic() + 60
        before = len(sample.asked)
        app.here._beat()
        await settle(app, pilot)
        assert len(sample.asked) == before
        # But a key is answered at once
        await press(app, pilot, "t")
        assert len(sample.asked) > before


async def test_a_question_that_is_asked_anew_gives_up_the_old_one(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        app.here.load()
        app.here.load()
        await settle(app, pilot)
        await until(pilot, lambda: bool(sample.cancelled))
        assert all(ticket.cancelled for ticket in sample.cancelled)


async def test_home_is_filtered_and_escape_shows_all_again(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "slash", *"timeout", "enter")
        assert len(rows(app, "#failures").source) == 1
        assert "1 in 1 group " in shown(app)
        await press(app, pilot, "slash", *["backspace"] * 7, *"zzz", "enter")
        assert "No failures in this time range" not in shown(app)
        assert shown(app).count("Nothing matches the filter.") == 2
        await press(app, pilot, "escape")
        assert len(rows(app, "#failures").source) == 2


async def test_commands_go_places(sample: Any) -> None:
    async with opened(sample, size=(80, 24)) as (app, pilot):
        await press(app, pilot, "colon")
        hint = shown(app).split("\n")[-1]
        assert all(name in hint for name in (*VIEWS, "range", "fn", "quit"))
        for key in "flame resize":
            await pilot.press("space" if key == " " else key)
        await press(app, pilot, "enter")
        assert (app.navigator.here.view, app.navigator.here.scope.function) == ("flame", "resize")


async def test_the_time_range_is_for_all_screens(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "2", "t")
        assert "· 1h" in shown(app).split("\n")[0]
        await press(app, pilot, "escape")
        assert "· 1h" in shown(app).split("\n")[0]


async def test_help_and_palette_open_and_close(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await press(app, pilot, "question_mark")
        assert "command palette" in shown(app)
        await press(app, pilot, "escape")
        await press(app, pilot, "ctrl+p")
        assert len(app.screen_stack) == 2
        await press(app, pilot, "escape")
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("view", VIEWS)
async def test_help_names_every_screen_and_every_line_of_it_fits(sample: Any, view: str) -> None:
    async with opened(sample, view, None, (80, 60)) as (app, pilot):
        await press(app, pilot, "f1")
        text = shown(app)
        assert all(f"{key} " in text and label in text for key, label in (*KEYS[view], *EVERYWHERE))
        assert "  1 2 3 4 5 6 " in text
        assert set(LENSES) == set("123456789")


async def test_the_hot_lines_are_weighed_as_the_flame_graph_is(sample: Any) -> None:
    async with opened(sample, "flame", "checkout") as (app, pilot):
        hot = rows(app, "#hot")
        assert hot.border_title == "Hot lines by self wall time"
        assert "cart.py:88" in hot.render_line(1).text
        await press(app, pilot, "w")
        assert "hot cpu" in sample.asked
        assert hot.border_title == "Hot lines by self cpu time"
        assert "cart.py:40" in hot.render_line(1).text
        assert "90.0%" in hot.render_line(1).text
        assert "10.0%" in hot.render_line(2).text


async def test_the_flame_graph_zooms_searches_and_comes_back(sample: Any) -> None:
    async with opened(sample, "flame", "checkout") as (app, pilot):
        await press(app, pilot, "shift+tab", "enter")
        assert "zoom price" in shown(app)
        await press(app, pilot, "backspace")
        assert "zoom price" not in shown(app)
        await press(app, pilot, "w")
        assert any(asked.endswith("cpu") for asked in sample.asked)
        await press(app, pilot, "slash", *"load", "enter")
        assert "match 25.0%" in shown(app)


async def test_a_spans_own_profile_its_invocations_and_all_of_the_function(sample: Any) -> None:
    # Given a trace whose cursor is on a span of the function's own
    async with opened(sample, "trace", "4bf92f35") as (app, pilot):
        # When 4 is pressed, Then the flame graph is of that span; v widens it
        await press(app, pilot, "4")
        assert app.navigator.here.scope.span_id == "a5"
        assert "this span" in shown(app)
        await press(app, pilot, "v")
        assert "this invocation" in shown(app)
        # And i shows what cold starts import, and what handlers do again
        await press(app, pilot, "i")
        assert "Imports ·" in shown(app)
        assert rows(app, "#hot").border_title == "Modules by self wall time"
        await press(app, pilot, "i")
        assert "Imports ·" not in shown(app)


async def test_the_trace_starts_on_the_failed_span_and_folds(sample: Any) -> None:
    async with opened(sample, "trace", "4bf92f35") as (app, pilot):
        waterfall = rows(app, "#waterfall")
        assert waterfall.cursor == 4
        assert "KeyError: 'sku'" in shown(app)
        assert "Logs of this span  2" in shown(app)
        await press(app, pilot, "g", "enter")
        assert len(waterfall.source) == 1
        await press(app, pilot, "right", "e")
        assert waterfall.cursor == 1
        await press(app, pilot, "s")
        assert app.navigator.here.view == "failure"


async def test_logs_do_not_pull_the_reader_down(sample: Any) -> None:
    async with opened(sample, "logs") as (app, pilot):
        await press(app, pilot, "k")
        assert "not following" in shown(app)
        assert rows(app, "#rows").cursor == 1
        app.here.tick()
        await settle(app, pilot)
        assert rows(app, "#rows").cursor == 1
        await press(app, pilot, "G")
        assert "not following" not in shown(app)


async def test_hostile_text_reaches_no_screen_as_control_or_markup(sample: Any) -> None:
    async with opened(sample, "logs") as (app, _pilot):
        text = shown(app)
        assert "\\x1b[31mred" in text
        assert "[bold]markup[/bold]" in text
        assert "\x1b" not in text


async def test_no_color_still_shows_where_the_cursor_is(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(sample) as (app, _pilot):
        assert app.no_color
        assert "▸ 12:" in shown(app) or "▸ " in shown(app).split("\n")[3]


async def test_quitting_gives_a_status(sample: Any) -> None:
    async with opened(sample) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value == 0


async def test_a_traceback_unfolds_with_a_key_and_with_a_click(sample: Any) -> None:
    async with opened(sample, "logs", size=(80, 24)) as (app, pilot):
        assert "Traceback" not in shown(app)
        assert "attempt 2" in shown(app)
        await press(app, pilot, "l")
        assert "│ Traceback" in shown(app)
        await press(app, pilot, "h")
        assert "Traceback" not in shown(app)
        lines = shown(app).split("\n")
        row = next(number for number, line in enumerate(lines) if "▹" in line)
        await pilot.click(offset=(lines[row].index("▹"), row))
        await settle(app, pilot)
        assert "│ Traceback" in shown(app)


async def test_a_span_that_wrote_nothing_shows_what_the_trace_wrote(sample: Any) -> None:
    async with opened(sample, "trace", "4bf92f35") as (app, pilot):
        await press(app, pilot, "g")
        assert "Logs of the trace  3" in shown(app)
        assert "this span wrote none" in shown(app)
        assert "█ function" in shown(app)


async def test_under_a_short_list_there_is_what_the_invocation_did(sample: Any) -> None:
    sample.total = 4
    async with opened(sample, "invocations") as (app, pilot):
        await press(app, pilot, "G")
        await until(pilot, lambda: "❱   88 total += plist[item['sku']]" in shown(app))
        assert "stale price list" in shown(app)
        # A long list has all of the room
        sample.total = 1_000
        await press(app, pilot, "r")
        assert not app.here.query_one("#inside").display
