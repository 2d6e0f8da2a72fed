"""Lines in terminal cells, and numbers in few of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_tui.models.layout import format as fmt
from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.text import (
    clean,
    fit,
    fit_left,
    line_text,
    line_width,
    pad_line,
    width_of,
    wrap_lines,
)


@given(st.text(max_size=60), st.integers(0, 40))
def test_a_fitted_text_has_exactly_the_width_asked_for(text: str, width: int) -> None:
    # Given any text that has been cleaned, When it is fitted, Then it fills the cells and no more
    assert width_of(fit(clean(text), width)) == width
    if width:
        assert width_of(fit_left(clean(text), width)) == width


@given(st.lists(st.tuples(st.text(max_size=20).map(clean), st.just("")), max_size=5), st.integers(0, 50))
def test_a_padded_line_has_exactly_the_width(line: list[tuple[str, str]], width: int) -> None:
    assert line_width(pad_line(line, width)) == width


@given(st.text())
def test_no_control_character_survives_cleaning(text: str) -> None:
    # When data is cleaned, Then neither an escape sequence nor a line break is left
    cleaned = clean(text)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) <= 0x9F for char in cleaned)


def test_wide_characters_count_double() -> None:
    assert width_of("日本") == 4
    assert fit("日本語", 5) == "日本…"


@pytest.mark.parametrize(
    ("ns", "text"),
    [(850, "850ns"), (12_000, "12µs"), (999_600, "1.00ms"), (8_310_000, "8.31ms"), (88_100_000, "88.1ms"),
     (999_700_000, "1.00s"), (2_400_000_000, "2.40s"), (185e9, "3m05s"), (7_800e9, "2h10m")],
)  # fmt: skip
def test_durations_choose_their_unit(ns: float, text: str) -> None:
    assert fmt.duration(ns) == text


@given(st.integers(0, 10**16))
def test_a_duration_is_never_wider_than_eight_cells(ns: int) -> None:
    assert len(fmt.duration(ns)) <= 8


def test_small_figures() -> None:
    assert [fmt.bytes_short(n) for n in (512, 3_200, 91 << 20, 5 << 30)] == ["512B", "3.1K", "91M", "5.0G"]
    assert [fmt.count_short(n) for n in (950, 12_345, 1_200_000)] == ["950", "12.3k", "1.20M"]
    assert [fmt.rate(n) for n in (0, 0.02, 4.1, 41.2)] == ["0", "0.02", "4.1", "41"]
    assert [fmt.percent(a, b) for a, b in ((0, 5), (1, 0), (31, 1000), (62, 100))] == ["0", "0", "3.1", "62"]
    assert [fmt.range_label(n * 10**9) for n in (0, 90, 900, 7200, 86_400)] == [
        "all",
        "90s",
        "15m",
        "2h",
        "1d",
    ]
    assert [fmt.age(10**9, n * 10**9) for n in (1, 9, 130, 8_000)] == ["now", "8s", "2m", "2h"]
    assert fmt.age(0, 10) == ""


def test_an_id_is_shown_as_an_abbreviation_that_can_be_typed() -> None:
    assert fmt.short_id("019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01") == "019ab1f2-7c1d"
    assert fmt.short_id("4bf92f3577b34da6a3ce929d0e0e4736") == "4bf92f35"


def test_sparklines_show_a_zero_lower_than_a_little() -> None:
    assert fmt.sparkline([0, 1, 100], 3) == "▁▂█"
    assert fmt.sparkline([1] * 20, 10) == "█" * 10
    assert fmt.sparkline([], 4) == "    "


def test_a_narrow_table_drops_the_least_important_columns() -> None:
    # Given three columns of which the middle one matters least
    table = Table((Column("A", 10, keep=9), Column("B", 10, keep=1), Column("C", 10, keep=5, grow=1)))
    # When the width is too short for all
    narrow = line_text(table.header(26))
    # Then that one goes, and what is left over goes to the one that grows
    assert "B" not in narrow
    assert len(narrow) == 26
    assert "B" in line_text(table.header(60))


def test_the_selected_row_is_marked_by_a_sign_and_not_only_by_colour() -> None:
    table = Table((Column("A", 5),))
    assert line_text(table.row([("x", "")], 20, selected=True)).startswith("▸")
    assert not line_text(table.row([("x", "")], 20)).startswith("▸")


def test_a_path_is_cut_at_its_beginning() -> None:
    table = Table((Column("A", 10, cut="start"),))
    assert "…art.py:88" in line_text(table.row([("/very/long/cart.py:88", "")], 14))


@given(st.text(st.characters(categories=["L", "Zs"]), max_size=60), st.integers(8, 30))
def test_a_wrapped_text_has_all_its_words_and_no_line_is_too_wide(text: str, width: int) -> None:
    lines = wrap_lines([[(text, "dim")]], width)
    assert "".join("".join(line_text(line) for line in lines).split()) == "".join(text.split())
    assert all(line_width(line) <= width for line in lines)
