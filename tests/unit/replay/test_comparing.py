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
from relive_platform.replay.comparing import differences


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
