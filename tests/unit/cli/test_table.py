"""Tables in 80, 100 and 140 columns: numbers, units and ids whole, texts by their shares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive.commands.failures import failures
from relive.commands.functions import events, functions
from relive.commands.records import invocations, profiles
from relive.output import has_colour, status_style, table_width
from relive.output.table import Column, cut, layout, rows_of
from rich.cells import cell_len

NOW = 1_800_000_000_000_000_000
FAILURE: dict[str, Any] = {
    "captured_at": NOW,
    "function": "process_incoming_customer_orders_v2",
    "version": 12,
    "error": "ValueError: 价格是负数：无法处理订单，请联系客服人员以获取更多帮助信息 🎉",
    "where": "pipeline.py:1234",
    "attempt": 3,
    "state": "regression",
    "short": "01a2283f-ae97-73",
    "count": 123_456,
    "versions": [1, 2, 12],
    "first_at": NOW,
    "kind": "exception",
    "message": "x",
    "trace_id": "f" * 32,
    "fingerprint": "a" * 16,
    "invocation_id": "01a2283f-ae97-73e1-9e11-bb5e3c439fd8",
}
INVOCATION = {
    "started_at": NOW,
    "function": "process_incoming_customer_orders_v2",
    "status": "init_error",
    "duration_ns": 999_960_000,
    "peak_rss_bytes": 1_023 * 1_048_576,
    "cold": True,
    "attempt": 3,
    "error": "ValueError: " + "long " * 40,
    "short": "01a2283f-ae97-73",
}
HOT = {
    "self_pct": 100.0,
    "self_s": 1234.56,
    "total_s": 1234.56,
    "name": "Application.handle_the_request_of_a_customer",
    "where": "a_module_with_a_long_name.py:12345",
    "function": "process_incoming_customer_orders_v2",
    "samples": 1_000_000,
    "invocations": 1_000_000,
}
FUNCTION = {
    "name": "process_incoming_customer_orders_v2",
    "version": 123,
    "invocations": 1_234_567,
    "errors": 12_345,
    "p50_ms": 999.4,
    "p95_ms": 9_999.0,
    "p99_ms": 99_999.0,
    "cold_starts": 1_000,
    "last_failure": NOW,
}
EVENT = {
    "short": "timer-t…72524864",
    "function": "process_incoming_customer_orders_v2",
    "state": "leased",
    "attempts": 100,
    "next_at": NOW,
    "died_at": NOW,
    "last_error": "pipeline.CardDeclined: limit exceeded for card [redacted]",
}
TABLES = [
    (failures.COLUMNS, FAILURE),
    (failures.GROUP_COLUMNS, FAILURE),
    (invocations.COLUMNS, INVOCATION),
    (profiles.COLUMNS, HOT),
    (functions.COLUMNS, FUNCTION),
    (events.COLUMNS, EVENT),
]


def lines(columns: list[Column], row: dict[str, Any], width: int | None, *, wide: bool = False) -> list[str]:
    return ["  ".join(cell.text for cell in line) for line in rows_of([row], columns, width, wide=wide)]


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize(("columns", "row"), TABLES)
def test_the_widest_row_fits_and_what_may_not_be_cut_is_whole(
    columns: list[Column], row: dict[str, Any], width: int
) -> None:
    head, body = lines(columns, row, width)

    assert cell_len(head) == cell_len(body) <= width
    shown = [column for column in columns if not column.wide and column.title in head.split("  ")]
    for column in columns:
        if not column.rank and not column.wide:
            assert column.title in head, column.title  # only what has a rank may go
    for column in shown:
        if not column.least:
            assert column.show(row.get(column.key)) in body, column.title
        else:
            text = column.show(row.get(column.key))
            assert text[: column.least // 2 - 1] in body, column.title


def test_at_80_function_and_error_have_more_than_half_of_the_width() -> None:
    """Beside time and id, nothing that is read less takes their room."""
    _, body = rows_of([FAILURE], failures.COLUMNS, 80)

    texts = [cell for cell in body if cell.style in ("bold", "red")]
    assert sum(cell_len(cell.text) for cell in texts) >= 45


def test_what_is_rarely_read_comes_with_wide_and_nothing_is_cut() -> None:
    _head, body = lines(failures.COLUMNS, FAILURE, None, wide=True)

    assert FAILURE["invocation_id"] in body
    assert FAILURE["trace_id"] in body
    assert "…" not in body
    assert "invocation" not in lines(failures.COLUMNS, FAILURE, 200)[0]


def test_a_column_without_anything_to_say_goes() -> None:
    columns = [Column("a", "a"), Column("b", "b", rank=1)]

    assert lines(columns, {"a": 1, "b": ""}, 80) == ["a", "1"]
    assert lines(columns, {"a": 1, "b": 2}, 80) == ["a  b", "1  2"]


def test_a_terminal_narrower_than_all_that_must_stay_gets_shorter_texts() -> None:
    _head, body = lines(failures.COLUMNS, FAILURE, 52)

    assert cell_len(body) <= 52
    assert FAILURE["short"] in body


@given(st.text("aé价🎉 ", max_size=40), st.integers(1, 30))
def test_a_cut_text_has_at_most_so_many_cells(text: str, width: int) -> None:
    shown = cut(text, width)

    assert cell_len(shown) <= width
    assert shown == text or shown.endswith("…")


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=8),
    st.integers(20, 200),
)
def test_any_table_takes_its_width_where_it_can(shape: list[tuple[int, int, int]], width: int) -> None:
    columns = [Column(str(i), str(i), least=least, rank=rank) for i, (_, least, rank) in enumerate(shape)]
    needs = [need for need, _, _ in shape]

    sizes = layout(columns, needs, width)

    for index, size in sizes.items():
        assert size == needs[index] or columns[index].least
        assert size <= needs[index]
    stays = [index for index in sizes if not columns[index].rank]
    least = sum(needs[i] if not columns[i].least else min(needs[i], 4) for i in stays) + 2 * (len(stays) - 1)
    assert sum(sizes.values()) + 2 * (len(sizes) - 1) <= max(width, least)


def test_a_pipe_is_not_cut_and_columns_is_obeyed() -> None:
    assert table_width({}, False) is None
    assert table_width({"COLUMNS": "100"}, False) == 100
    assert table_width({"COLUMNS": "0"}, False) is None
    assert table_width({"COLUMNS": "3"}, True) == 40


def test_colour_is_for_terminals_unless_told_otherwise() -> None:
    assert has_colour({}, True)
    assert not has_colour({}, False)
    assert not has_colour({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True)
    assert has_colour({"FORCE_COLOR": "1"}, False)
    assert not has_colour({"TERM": "dumb"}, True)


@pytest.mark.parametrize(
    ("status", "style"), [("ok", "green"), ("rejected", "yellow"), ("timeout", "red"), ("error", "red")]
)
def test_colours_mean_something(status: str, style: str) -> None:
    assert status_style({"status": status}) == style


def test_a_giant_text_makes_no_other_row_of_a_pipe_longer() -> None:
    # Given a failure with a message of a megabyte, and an ordinary one
    giant = {**FAILURE, "error": "ValueError: " + "m" * 1_000_000}

    # When they are written to a pipe
    cells = rows_of([giant, FAILURE], failures.COLUMNS, None)

    # I expect the giant to be whole, and the other row no longer than it needs to be
    _head, whole, other = ("  ".join(cell.text for cell in row) for row in cells)
    assert giant["error"] in whole
    assert FAILURE["error"] in other
    assert len(other) < 400
