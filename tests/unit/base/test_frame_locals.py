"""The locals of a frame are read where a comprehension has a variable whose name a function shares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from relive_base.frame_locals import locals_of

Look = Callable[[], Any]


def _caller() -> FrameType:
    return sys._getframe(2)


def comprehended(rows: list[Any], look: Look) -> list[Any]:
    found = [(look(), row) for row in rows]
    assert [row for row in rows if any(row is one for one in rows)] == rows
    return found


def test_the_variable_of_a_comprehension_is_read() -> None:
    # Given a function that has a comprehension, and another one over whose variable a generator closes
    rows = [1_000, {"a": 1, "b": 2}, None]

    # When its locals are read while it is in the first one
    found = comprehended(rows, lambda: dict(locals_of(_caller()))["row"])

    # I expect the row that it is at
    assert [read for read, _ in found] == rows


def test_a_variable_that_a_function_shares_is_read_before_and_after() -> None:
    # Given a variable that a function shares, and a comprehension that has one of its name
    def running(look: Look) -> list[Any]:
        row = "shared"

        def shares() -> str:
            return row

        before = look()
        assert [row for row in (1, 2)] == [1, 2]  # noqa: C416 - it is to be a comprehension
        return [before, look(), shares()]

    # When its locals are read outside of the comprehension
    found = running(lambda: locals_of(_caller()).get("row"))

    # I expect what is shared
    assert found == ["shared"] * 3


def test_what_is_not_bound_is_left_out() -> None:
    # Given a frame in which a comprehension runs, and a name that is bound later
    def running(look: Look) -> Any:
        found = [look() for row in (1,)]
        later = (row for row in [lambda: later])
        return found[0], later

    # When its locals are read
    names, _ = running(lambda: set(locals_of(_caller())))

    # I expect those that are bound alone
    assert "look" in names
    assert "later" not in names


def test_what_is_put_into_them_is_in_the_frame_where_python_allows_it() -> None:
    # Given a comprehension with such a variable
    rows = [1, {"a": 1}]

    # When something is put into the frame's locals
    def put() -> Any:
        names = locals_of(_caller())
        names["row"] = "put"
        return names["row"]

    found = comprehended(rows, put)

    # I expect it to be there, and from Python 3.13 on in the frame
    assert [read for read, _ in found] == ["put", "put"]
    assert [row for _, row in found] == (["put", "put"] if sys.version_info >= (3, 13) else rows)
