"""Two profiles as one flame graph, and a function with its callers and callees."""

from __future__ import annotations

from relive_tui.models.layout.text import line_text
from relive_tui.models.profile.diff_flame import DiffHotRows, change_text, diff_model, rows_of
from relive_tui.models.profile.flame import FlameRows, flame_summary
from relive_tui.models.profile.sandwich import sandwich
from relive_views.profiles.diff import DiffTree
from relive_views.profiles.trees import DiffRow, Folded, Stack, build

MS = 1_000_000


def difference() -> DiffTree:
    """query takes longer, lookup has gone, parse is as it was."""
    return DiffTree(
        name=["per invocation", "handler", "query", "lookup", "parse\x1b"],
        file=["", "app.py", "db.py", "cart.py", "cart.py"],
        line=[0, 12, 7, 40, 9],
        depth=[0, 1, 2, 2, 2],
        before=[10.0 * MS, 10.0 * MS, 2.0 * MS, 6.0 * MS, 1.0 * MS],
        after=[61.0 * MS, 61.0 * MS, 59.0 * MS, 0.0, 1.0 * MS],
        before_cpu=[1.0 * MS] * 5,
        after_cpu=[2.0 * MS] * 5,
        end=[5, 5, 3, 4, 5],
    )


def test_a_frame_is_as_wide_as_the_larger_side_and_says_its_change() -> None:
    model = diff_model(difference(), "wall")
    # What has gone still has its width, and no child is outside of its caller
    flame = model.flame
    assert flame.value == [66 * MS, 66 * MS, 59 * MS, 6 * MS, 1 * MS]
    assert flame.start == [0, 0, 0, 59 * MS, 65 * MS]
    assert flame.parent == [-1, 0, 1, 1, 1]
    assert [model.tone(node) for node in (2, 3, 4)] == [
        "flame_slower", "flame_faster_little", "flame_same",
    ]  # fmt: skip
    lines = [line_text(FlameRows(model).line(depth, 120, False)) for depth in range(3)]
    assert "query +57.0ms" in lines[2]
    assert "lookup" in lines[2]
    assert "\x1b" not in "".join(lines)
    model.selected = 2
    assert "before 2.00ms  after 59.0ms  change +57.0ms per invocation" in line_text(flame_summary(model))
    assert diff_model(difference(), "cpu").change(0) == MS
    assert change_text(-2.5 * MS) == "-2.50ms"
    assert change_text(10) == "±0"


def test_functions_are_ranked_by_how_much_their_own_time_changed() -> None:
    rows = rows_of(difference(), "wall")
    assert [(row.name, round(row.change_ms, 3)) for row in rows] == [("query", 57.0), ("lookup", -6.0)]
    shown = DiffHotRows([*rows, DiffRow("f", "x", "a.py", 1, 1.0, 1.1, 1.0, 1.1, 0.5)], "checkout")
    assert "+57.0ms" in line_text(shown.line(0, 100, True))
    assert "noise?" in line_text(shown.line(2, 100, True))
    assert [line.function for line in shown.lines] == ["checkout", "checkout", "f"]
    assert rows_of(DiffTree(), "wall") == []
    assert len(diff_model(DiffTree(), "wall").flame) == 0


def test_a_sandwich_has_all_callers_above_and_all_that_was_called_below() -> None:
    # Given a function that is called from two places, and by itself
    def stack(names: tuple[str, ...], ms: int) -> Stack:
        return Stack("f", names, ("a.py",) * len(names), tuple(range(len(names))), 1, ms * MS, 0)

    stacks = [
        stack(("main", "load", "parse", "read"), 40),
        stack(("main", "save", "parse"), 20),
        stack(("main", "load", "parse", "parse", "read"), 10),
        stack(("main", "idle"), 30),
    ]
    flame = build(Folded(stacks, samples=4))
    node = flame.name.index("parse")
    # When its sandwich is made
    model = sandwich(flame, node)
    # Then it has all of its time once, of the whole
    middle = model.flame.depth[model.middle]
    assert model.flame.value[model.middle] == 70 * MS
    assert model.label(model.middle) == "70%"
    level = {model.flame.name[at]: model.flame.value[at] // MS for at in model.levels[middle - 1]}
    assert level == {"load": 50, "save": 20}
    assert [model.flame.name[at] for at in model.levels[middle - 2]] == ["main", "main"]
    below = {model.flame.name[at]: model.flame.value[at] // MS for at in model.levels[middle + 1]}
    assert below == {"read": 40, "parse": 10}
    # And keys move away from the middle, and back to it
    assert model.move("up")
    assert model.flame.name[model.selected] == "load"
    assert model.move("down")
    assert model.selected == model.middle
    assert model.move("down")
    assert model.flame.name[model.selected] == "read"
    assert "▸read" in line_text(FlameRows(model).line(middle + 1, 100, False))
