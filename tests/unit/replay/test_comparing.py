"""Where two scenes differ: what a limit cut on one side is no difference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from relive_base.redaction.redactor import Redactor
from relive_base.values import ValueNode
from relive_capture.model import ExceptionView, FrameView
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values import Walker
from relive_platform.replay.comparing import agreement, differences, same_failure


def scene(value: object, source: tuple[str, ...] = ("fail()",), **limits: Any) -> Any:
    """A scene with the frame of one local, as it is captured within these limits."""
    budget = Budget(**{"cpu_ns": 10_000_000_000, **limits})
    nodes, more = Walker(budget, Meter(budget), Redactor(), []).frame_locals([("x", value), ("y", 1)], "f")
    return _scene(nodes, more, source)


def _scene(nodes: list[tuple[str, ValueNode]], more: int, source: tuple[str, ...] = ("fail()",)) -> Any:
    frame = FrameView(file="app.py", line=3, function="f", in_app=True, locals=nodes, locals_more=more)
    frame.source, frame.source_first_line = list(source), 3
    view = ExceptionView(type="ValueError", frames=[frame])
    return SimpleNamespace(manifest={"kind": "exception"}, exceptions=[view])


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"b": {"c": [1, 2, 3]}}, "d": list(range(50))},
        [[1, 2], [3, 4], {"x": "y" * 500}],
        {1, 2, 3, 4, 5},
        "z" * 150,
        (("a", 1), ("b", [2])),
    ],
)
@pytest.mark.parametrize(
    "limits",
    [{"cpu_ns": 0}, {"total_bytes": 10}, {"frame_nodes": 4}, {"depth": 1}, {"breadth": 2}, {"names": 1}],
)
def test_what_is_cut_on_one_side_is_no_difference(value: object, limits: dict[str, int]) -> None:
    whole, cut = scene(value), scene(value, **limits)

    assert differences(whole, cut) == []
    assert differences(cut, whole) == []


def test_a_source_line_that_one_side_does_not_have_is_no_difference() -> None:
    assert differences(scene(1), scene(1, source=())) == []
    assert [found.what for found in differences(scene(1), scene(1, source=("other()",)))] == ["place"]


@pytest.mark.parametrize(
    ("recorded", "replayed"),
    [
        (1, 2),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [1, 2, 3]),
        ("a" * 30, "b" * 30),
        ({"a": list(range(50))}, {"a": [7, *range(1, 50)]}),
        (list(range(50)), list(range(51))),
    ],
)
def test_what_both_sides_have_and_differs_is_a_difference(recorded: object, replayed: object) -> None:
    assert [found.what for found in differences(scene(recorded), scene(replayed))] == ["x"]


def test_a_local_that_is_really_missing_is_a_difference() -> None:
    first = _scene([("x", ValueNode("int", "1"))], 0)
    second = _scene([], 0)

    assert [found.what for found in differences(first, second)] == ["x"]
    assert differences(first, _scene([], 3)) == []


def failure(message: str, kind: str = "exception", error: str = "ValueError", source: str = "fail()") -> Any:
    found = _scene([], 0, (source,))
    view = found.exceptions[0]
    view.message, view.type = message, error
    return SimpleNamespace(
        manifest={"kind": kind, "fingerprint": f"{kind} {error} {message} {source}"}, exceptions=[view]
    )


@pytest.mark.parametrize(
    ("recorded", "replayed", "same"),
    [
        ("<Job at 0x7f691ad179c0> is over", "<Job at 0x7f0000000010> is over", True),
        ("no room for 980 KB", "no room for 1.2 MB", True),
        ("no room for order 980", "no room for order 981", False),
        ("order id=17 not found", "order id=18 not found", False),
        ("a discount of 10 %", "a discount of 20 %", False),
        ("no stock", "no order", False),
    ],
)
def test_addresses_and_sizes_in_a_message_make_no_other_failure(
    recorded: str, replayed: str, same: bool
) -> None:
    assert same_failure(failure(recorded), failure(replayed)) is same
    assert not same_failure(failure(recorded), failure(replayed, source="other()"))
    assert (differences(failure(recorded), failure(replayed)) == []) is same


@pytest.mark.parametrize(
    ("replayed", "same"),
    [
        ("Bad Gateway for POST /orders/#", True),
        ("Bad Gateway for POST /orders", False),
        ("Service Unavailable for POST /orders/#", False),
    ],
)
def test_an_answer_that_was_recorded_without_its_method_is_the_same(replayed: str, same: bool) -> None:
    old, new = (failure(message, "response", "502") for message in ("Bad Gateway for /orders/17", replayed))
    for one in (old, new):
        one.exceptions[0].frames = []  # nothing was raised
    assert same_failure(old, new) is same
    assert (differences(old, new) == []) is same


def test_at_a_limit_of_memory_it_counts_where_that_was() -> None:
    by_platform = failure("the worker was stopped at 85 % of its 256 MB", "memory", "MemoryLimitExceeded")
    by_python = failure("", "memory", "MemoryError", "other()")

    assert same_failure(by_platform, by_python)
    by_python.exceptions[0].frames[0].function = "g"
    assert not same_failure(by_platform, by_python)


class Order:
    """An object with attributes."""

    def __init__(self, total: int) -> None:
        self.total = total


@pytest.mark.parametrize(
    ("recorded", "replayed", "limits", "found"),
    [
        ([1, {"a": 2.5}], [1, {"a": 2.5}], {}, (2, [])),
        (Order(3), Order(3), {}, (2, [])),
        (Order(3), Order(4), {}, (1, ["x"])),
        (len, len, {}, (2, [])),
        (object(), object(), {}, (1, ["x"])),
        ("z" * 5_000, "z" * 5_000, {}, (1, ["x"])),
        (list(range(50)), list(range(50)), {"breadth": 2}, (1, ["x"])),
        ({"password": "one"}, {"password": "two"}, {}, (1, ["x"])),
        (1, 2, {}, (1, [])),
    ],
)
def test_what_is_not_known_in_full_is_not_said_to_be_the_same(
    recorded: object, replayed: object, limits: dict[str, int], found: tuple[int, list[str]]
) -> None:
    # Given two runs with a local that is equal, another one, cut, redacted, or an object
    agrees = agreement(scene(recorded, **limits), scene(replayed, **limits))

    # I expect only those to be alike of which all is known
    assert (agrees.alike, agrees.unsure) == found
    assert agrees.compared == 2
