"""Places, the breadcrumb stack, addresses, the filter line and the command line."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_tui.models.lists.filtering import FilterProblem, complete, parse_filter
from relive_tui.models.navigation.commands import CommandProblem, complete_command, parse_command
from relive_tui.models.navigation.scope import (
    LENSES,
    MAX_STACK,
    Navigator,
    Place,
    Scope,
    command_of,
    parse_range,
    place_of,
)

INVOCATION = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"


def test_escape_goes_back_and_stops_at_the_bottom() -> None:
    navigator = Navigator()
    navigator.go(Place("failure"))
    assert navigator.back()
    assert not navigator.back()
    assert navigator.here == Place("home")


def test_going_where_one_has_been_goes_back_to_it() -> None:
    # Given home > invocations > trace
    navigator = Navigator()
    assert navigator.go(Place("invocations")) == (0, True)
    assert navigator.go(Place("trace")) == (0, True)
    # When one goes home, Then two places are left and none is entered
    assert navigator.go(Place("home")) == (2, False)
    assert navigator.previous == Place("trace")


def test_the_stack_is_bounded() -> None:
    navigator = Navigator()
    entered = left = 0
    for number in range(100):
        gone, new = navigator.go(Place("trace", Scope(trace_id=str(number))))
        entered, left = entered + new, left + gone
    assert len(navigator.stack) == MAX_STACK == 1 + entered - left


def test_a_digit_keeps_the_scope() -> None:
    scope = Scope(function="checkout", invocation_id=INVOCATION)
    navigator = Navigator([Place("failure", scope)])
    assert navigator.lens("4") == Place("flame", scope)
    assert [navigator.lens(digit) for digit in "0"] == [None]
    assert set(LENSES) == set("123456789")


def test_a_time_range_is_everywhere_the_same() -> None:
    navigator = Navigator()
    navigator.go(Place("logs"))
    navigator.set_range(0)
    assert {place.scope.range_ns for place in navigator.stack} == {0}
    assert navigator.here.scope.label == "all functions · all"


def test_breadcrumbs_go_from_broad_to_narrow_and_are_clean() -> None:
    place = Place("failure", Scope(function="check\x1bout", invocation_id=INVOCATION))
    assert place.crumbs == ("relive", "check\\x1bout", "inv 019ab1f2-7c1d", "Failure")


@pytest.mark.parametrize(
    ("view", "ident", "command"),
    [
        (None, None, "relive tui"),
        ("invocations", "checkout", "relive tui invocations checkout"),
        ("trace", "4bf92f35", "relive tui trace 4bf92f35"),
        ("failure", INVOCATION, f"relive tui failure {INVOCATION}"),
        ("flame", INVOCATION, f"relive tui flame {INVOCATION}"),
        ("flame", "checkout", "relive tui flame checkout"),
        ("logs", "checkout", "relive tui logs checkout"),
    ],
)
def test_every_view_has_an_address_that_reopens_it(view: str | None, ident: str | None, command: str) -> None:
    place = place_of(view, ident)
    assert command_of(place) == command
    assert command_of(place_of(*command.split()[2:4])) == command if ident else True


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text))
def test_an_address_is_one_word_for_the_shell_whatever_the_function_is_called(name: str) -> None:
    command = command_of(Place("invocations", Scope(function=name)))
    assert shlex.split(command)[3] == name


def test_a_query_and_an_alert_are_places_too() -> None:
    query = "SELECT count() FROM invocations -- all of 'them'"
    command = command_of(place_of("sql", query))
    assert shlex.split(command) == ["relive", "tui", "sql", query]
    assert parse_command(command, Place()).place == place_of("sql", query)
    assert parse_command(":sql SELECT 1"[1:], Place()).place == place_of("sql", "SELECT 1")
    assert command_of(place_of("alerts", "errors")) == "relive tui alerts errors"
    assert place_of("metrics", "checkout").scope.function == "checkout"
    assert Place("sql").crumbs[-1] == "SQL"


def test_an_unknown_view_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="home, invocations, trace"):
        place_of("metric", None)


def test_ranges() -> None:
    assert parse_range("15m") == 900 * 10**9
    assert parse_range("all") == 0
    assert parse_range("0m") is None
    assert parse_range("soon") is None


def test_a_filter_line_becomes_a_query() -> None:
    query = parse_filter(
        "status:error,timeout fn:checkout dur:>100ms trigger:http version:3 connection reset"
    )
    assert query.statuses == ("error", "timeout")
    assert query.function == "checkout"
    assert query.min_duration_ns == 100_000_000
    assert (query.trigger, query.version, query.text) == ("http", 3, "connection reset")
    assert "ok" not in parse_filter("status:failed").statuses


@pytest.mark.parametrize(
    ("line", "said"),
    [("status:bad", "status:bad is none of ok"), ("dur:soon", "write dur:>100ms"),
     ("colour:red", "fields: status"),
     ("fn:", "fn: needs a value"), ("version:x", "not a number")],
)  # fmt: skip
def test_what_is_wrong_with_a_filter_is_said(line: str, said: str) -> None:
    with pytest.raises(FilterProblem, match=said):
        parse_filter(line)


@given(st.text(max_size=60))
def test_a_filter_line_is_understood_or_refused_never_more(line: str) -> None:
    with contextlib.suppress(FilterProblem):
        parse_filter(line)


def test_tab_completes_what_is_unambiguous() -> None:
    assert complete("st") == "status:"
    assert complete("status:ti") == "status:timeout "
    assert complete("fn:ch", ("checkout", "report")) == "fn:checkout "
    assert complete("t") == "t"


def test_commands() -> None:
    here = Place("failure", Scope(function="checkout", invocation_id=INVOCATION))
    assert parse_command("trace", here).place == Place("trace", here.scope)
    flame = parse_command("flame resize", here).place
    assert flame is not None
    assert (flame.scope.function, flame.scope.invocation_id) == ("resize", "")
    assert parse_command("range 2h", here).range_ns == 7_200 * 10**9
    assert parse_command("q", here).action == "quit"
    with pytest.raises(CommandProblem, match="commands: home"):
        parse_command("metric", here)
    with pytest.raises(CommandProblem, match="15m, 2h"):
        parse_command("range soon", here)
    assert complete_command("inv") == "invocations "


@pytest.mark.parametrize(
    ("line", "view", "ident"),
    [
        ("$ relive --home /h tui failure 01a22840-0587", "failure", "01a22840-0587"),
        ("relive trace 4bf92f35", "trace", "4bf92f35"),
        ("relive debug 01a22840-0587 -c p", "failure", "01a22840-0587"),
        ("01a22840-0587-795a-9eab-408d9fdc27b3", "failure", "01a22840-0587-795a-9eab-408d9fdc27b3"),
        ("relive failures --since 1h", "home", ""),
        ("relive", "home", ""),
    ],
)
def test_a_pasted_command_of_the_shell_goes_where_it_means(line: str, view: str, ident: str) -> None:
    place = parse_command(line, Place("logs")).place
    assert place is not None
    assert place.view == view
    assert ident in (place.scope.invocation_id, place.scope.trace_id)
