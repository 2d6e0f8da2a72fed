"""Queries that are typed: completed, run on a real store, stopped, written to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from relive_store import Columns, open_store
from relive_tui.app import ReliveApp
from relive_tui.models.sql.completing import Completer
from relive_tui.models.sql.result import SchemaRows, as_csv, as_json, cell_text, shown_text
from relive_tui.source.home import DataSource
from relive_tui.widgets.editor import QueryEditor
from relive_views.sql import Schema
from textual import events
from textual.widgets import Input
from tui_driving import opened, press, rows, settle, shown, until

SCHEMA = Schema(
    {
        "invocations": (("Function", "String"), ("FunctionUrl", "String"), ("Status", "String")),
        "otel_logs": (("Body", "String"),),
    },
    ("count", "countIf"),
)


@pytest.mark.parametrize(
    ("before", "whole", "first"),
    [
        ("SELECT * FROM inv", "SELECT * FROM inv", "invocations"),
        ("SELECT Stat", "SELECT Stat FROM invocations", "Status"),
        ("SELECT Bo", "SELECT Bo FROM invocations", None),  # a column of another table
        ("SELECT coun", "SELECT coun", "count("),
        ("sel", "sel", "SELECT"),
        ("SELECT i.Sta", "SELECT i.Sta FROM invocations AS i", "Status"),
        ("SELECT ", "SELECT ", None),
    ],
)
def test_a_word_becomes_what_its_place_has(before: str, whole: str, first: str | None) -> None:
    found = Completer(SCHEMA).candidates(before, whole)
    assert (found[0] if found else None) == first


def test_tab_goes_as_far_as_all_agree_and_then_through_them() -> None:
    # Given two columns that begin alike
    completer = Completer(SCHEMA)
    whole = "SELECT Fu FROM invocations"
    # When Tab is pressed again and again
    seen = []
    before = "SELECT Fu"
    for _ in range(4):
        replaced, text = completer.complete(before, whole)
        before = before.removesuffix(replaced) + text
        seen.append(before.removeprefix("SELECT "))
    # Then it is what they agree in, then each of them
    assert seen[0] == "Function"
    assert {"FunctionUrl"} <= set(seen)


def test_the_rows_of_a_table_are_asked_for_without_states_of_aggregates() -> None:
    state = "AggregateFunction(quantilesTDigest(0.5), UInt64)"
    tables = SchemaRows(
        Schema(
            {
                "invocations_1m": (("Minute", "DateTime"), ("Durations", state), ("in it", state)),
                "of mine": (("Sum", "SimpleAggregateFunction(sum, UInt64)"),),
            }
        )
    )
    assert tables.rows_query(0) == "SELECT * EXCEPT (Durations, `in it`) FROM invocations_1m LIMIT 100"
    assert tables.rows_query(1) == "SELECT * FROM `of mine` LIMIT 100"


def test_cells_are_readable_and_files_are_whole() -> None:
    columns = Columns(
        ["at", "tags", "none", "text"],
        ["DateTime64(9)", "Map(String, String)", "Nullable(UInt8)", "String"],
        [[1_700_000_000_000_000_500], [{"a": "b"}], [None], ['x,"y"\n\x1b']],
    )
    assert cell_text(1_700_000_000_000_000_500, "DateTime64(9)") == "2023-11-14 22:13:20.0000005"
    assert cell_text(2**80, "DateTime") == str(2**80)
    assert as_csv(columns).split("\r\n")[1].startswith('2023-11-14 22:13:20.0000005,"{""a"": ""b""}",,')
    [row] = json.loads(as_json(columns))
    big = shown_text([["x" * 9_000] * 9_000] * 9_000, "Array(Array(String))")
    assert len(big) < 50_000
    assert big.endswith('"… 8970 more"]')
    twice = Columns(["a", "a"], ["UInt8", "UInt8"], [[1], [2]])
    assert json.loads(as_json(twice)) == [{"a": 1, "a_2": 2}]
    odd = Columns(["n", "m"], ["Float64", "Map(String, Float64)"], [[float("nan")], [{"x": float("inf")}]])
    assert as_json(odd).split() == ["[", "{", '"n":', "null,", '"m":', "{", '"x":', "null", "}", "}", "]"]
    assert row == {"at": 1_700_000_000_000_000_500, "tags": {"a": "b"}, "none": None, "text": 'x,"y"\n\x1b'}


async def test_a_query_is_typed_completed_run_and_written(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = DataSource(lambda: open_store(world.store.url), world.scenes_dir)
    app = ReliveApp(source, "sql")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        # Given the tables that there are
        assert "invocations" in shown(app)
        assert "_mv" not in shown(app)
        # When a query is typed, with Tab for the table, and Enter after its semicolon
        editor = app.here.query_one(QueryEditor)
        editor.insert("SELECT Function, count() AS calls FROM invoc")
        await press(app, pilot, "tab")
        assert editor.text.endswith("FROM invocations")
        editor.insert(" GROUP BY Function ORDER BY Function;")
        await press(app, pilot, "enter")
        # Then its result is a table
        text = shown(app)
        assert "3 rows" in text
        assert "checkout     186" in text
        # And Esc leads to it, Enter shows a whole row, digits change the screen again
        await press(app, pilot, "escape", "enter")
        assert "calls     186" in shown(app)
        await press(app, pilot, "escape", "x")
        app.screen.query_one(Input).value = "calls.json"
        await press(app, pilot, "enter")
        assert json.loads((tmp_path / "calls.json").read_text())[0] == {"Function": "checkout", "calls": 186}
        assert (tmp_path / "calls.json").stat().st_mode & 0o777 == 0o600
        # And a file that is there already is not overwritten
        await press(app, pilot, "x")
        app.screen.query_one(Input).value = "calls.json"
        await press(app, pilot, "enter")
        assert "File exists" in [note.message for note in app._notifications][-1]
        # And a home folder of nobody is refused beside the name
        await press(app, pilot, "x")
        app.screen.query_one(Input).value = "~nobody-of-this-name/calls.json"
        await press(app, pilot, "enter")
        assert "nobody here has this home folder" in shown(app)
        await press(app, pilot, "escape")
        # When a query is wrong, Then that is said, and the result stays
        await press(app, pilot, "slash")
        editor.text = "SELECT Functon FROM invocations"
        await press(app, pilot, "f5")
        assert "✖ Unknown expression identifier `Functon`" in shown(app)
        assert "checkout     186" in shown(app)
        # And one that writes, reaches outside or gives too many rows is refused
        for query, said in (
            ("INSERT INTO invocations (Function) VALUES ('x')", "only queries that read"),
            ("SELECT * FROM file('/etc/passwd')", "outside the store"),
            ("SELECT number FROM numbers(20000)", "over a limit"),
        ):
            editor.text = query
            await press(app, pilot, "f5")
            assert said in shown(app), query
        # And each has its memory
        editor.text = "SELECT getSetting('max_memory_usage') > 0 AS limited"
        await press(app, pilot, "f5")
        assert rows(app, "#result").source.columns.scalar() in (1, True)  # type: ignore[attr-defined]
        # And Esc stops one that runs, in the engine too
        editor.text = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
        editor.focus()
        await pilot.press("f5")
        await until(pilot, lambda: "loading the result" in shown(app))
        await press(app, pilot, "escape")
        assert "stopped" in shown(app)
        running = (
            "SELECT count() FROM system.processes"
            " WHERE query LIKE '%ignore(sipHash64%' AND query NOT LIKE '%system.processes%'"
        )
        store = open_store(world.store.url)
        await until(pilot, lambda: store.query(running).scalar() == 0)
        store.close()
    source.close()


async def test_letters_and_pasted_lines_stay_in_the_query(sample: Any) -> None:
    async with opened(sample, "sql", None, (80, 24)) as (app, pilot):
        editor = app.here.query_one(QueryEditor)
        await press(app, pilot, "q", "1", "e")
        assert editor.text == "q1e"
        editor.text = ""
        app.post_message(events.Paste("SELECT 1 -- one\nFROM x"))
        await settle(app, pilot)
        assert editor.text == "SELECT 1 -- one\nFROM x"
        assert app.navigator.here.view == "sql"
        # And y has the command that runs it again
        await press(app, pilot, "f5", "escape")
        assert len(rows(app, "#result").source) == 1
        assert app.navigator.here.scope.sql == editor.text
