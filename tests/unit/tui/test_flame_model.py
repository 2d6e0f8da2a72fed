"""The flame graph in cells."""

from __future__ import annotations

import random

import pytest
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.profile.flame import FlameModel, FlameRows, HotRows, flame_summary
from relive_tui.models.profile.hot_source import HotSourceRows
from relive_tui.models.profile.packages import place_in
from relive_views.profiles.trees import FlameTree, HotRow


def random_flame(seed: int, frames: int) -> FlameTree:
    """A tree in drawing order: a node, then what it called."""
    source = random.Random(seed)
    flame = FlameTree()

    def add(depth: int, start: float, width: float, parent: int) -> None:
        if len(flame) >= frames or width < 1:
            return
        index = len(flame)
        flame.name.append(f"f{source.randrange(9)}")
        flame.file.append("a.py")
        flame.line.append(index)
        flame.depth.append(depth)
        flame.start.append(start)
        flame.value.append(width)
        flame.parent.append(parent)
        flame.self_value.append(0.0)
        position = start
        while position < start + width and depth < 40:
            part = source.uniform(0.05, 0.9) * width
            add(depth + 1, position, min(part, start + width - position), index)
            position += part + source.uniform(0, 0.1) * width

    add(0, 0.0, 1e9, -1)
    return flame


def whole(flame: FlameTree) -> FlameModel:
    """All of a graph: from its root."""
    model = FlameModel(flame)
    model.base = 0
    return model


@pytest.mark.parametrize("seed", range(6))
def test_visible_frames_do_not_overlap_and_lie_where_they_belong(seed: int) -> None:
    # Given a random tree, at several widths
    model = whole(random_flame(seed, 800))
    for cells in (20, 80, 120):
        for depth in range(len(model.levels)):
            filled = 0
            for index, first, width in model.visible(depth, cells):
                # Then frames are in order, apart, inside, and at most one cell from their exact place
                assert first >= filled
                assert width >= 1
                assert abs(first - model.flame.start[index] / model.total * cells) <= 1.0
                filled = first + width
            assert filled <= cells


def test_no_frame_of_two_cells_or_more_is_left_out() -> None:
    model = whole(random_flame(1, 2_000))
    for depth, level in enumerate(model.levels):
        shown = {index for index, _, _ in model.visible(depth, 100)}
        wide = {index for index in level if model.flame.value[index] / model.total * 100 >= 2}
        assert wide <= shown


def test_zooming_lets_a_frame_fill_the_width_and_goes_back_step_by_step() -> None:
    model = whole(random_flame(2, 200))
    child = model.levels[1][0]
    model.zoom(child)
    assert model.visible(1, 80)[0] == (child, 0, 80)
    assert model.unzoom()
    assert not model.unzoom()


def test_moving_follows_the_calls() -> None:
    model = whole(random_flame(3, 300))
    model.selected = 0
    assert not model.move("up")
    assert model.move("down")
    widest = model.selected
    assert model.flame.parent[widest] == 0
    assert model.move("up")
    assert model.selected == 0


def test_searching_counts_nested_matches_once() -> None:
    flame = FlameTree(
        name=["a", "b", "b"],
        file=["x"] * 3,
        line=[1] * 3,
        depth=[0, 1, 2],
        start=[0, 0, 0],
        value=[100, 60, 30],
        parent=[-1, 0, 1],
        self_value=[40, 30, 30],
    )
    model = FlameModel(flame)
    model.search = "b"
    assert model.matched_share() == 0.6
    assert "60.0%" in line_text(flame_summary(model))
    assert "●" in line_text(FlameRows(model).line(1, 40, False))


def test_nothing_to_show_is_no_error() -> None:
    model = FlameModel(FlameTree())
    assert not model.move("down")
    assert model.levels == []
    assert "no samples" in line_text(flame_summary(model))


def test_hot_lines_have_a_bar_and_their_share() -> None:
    rows = HotRows(
        [
            HotRow(
                function="f",
                name="price",
                file="/srv/cart.py",
                line=88,
                self_s=0.3,
                total_s=0.6,
                self_pct=31.0,
            ),
            HotRow(function="f", name="g", file="b.py", line=2, self_s=0.1),
        ]
    )
    text = line_text(rows.line(0, 60, True))
    assert "31.0%" in text
    assert "cart.py:88" in text
    assert line_width(rows.line(0, 60, True)) <= 60


def test_the_source_of_a_hot_line_carries_each_lines_share() -> None:
    hot = [
        HotRow(function="f", name="p", file="a.py", line=2, self_pct=40.0),
        HotRow(function="f", name="p", file="a.py", line=3, self_pct=5.0),
    ]
    rows = HotSourceRows(["a = 1", "b = 2", "c = 3"], hot[0], hot)
    assert rows.row_of_line() == 1
    assert line_text(rows.line(1, 30, False)).startswith("❱ 40.0%")
    assert "5.0%" in line_text(rows.line(2, 30, False))
    assert "not at hand" in line_text(HotSourceRows([], hot[0], hot).line(0, 60, False))


def nested(*frames: tuple[str, int, float, float, int, float]) -> FlameModel:
    """Frames as (name, depth, start, width, parent, own)."""
    columns = [list(column) for column in zip(*frames, strict=True)]
    name, depth, start, width, parent, own = columns
    files = ["site-packages/requests/api.py" if n == "get" else "cart.py" for n in name]
    return FlameModel(
        FlameTree(
            name=name,
            file=files,
            line=[1] * len(name),
            depth=depth,
            start=start,
            value=width,
            parent=parent,
            self_value=own,
        )
    )  # type: ignore[arg-type]


def test_the_graph_begins_where_the_time_goes_several_ways_and_backspace_shows_the_root() -> None:
    # Given a chain of three with a sliver beside it, and two branches below
    model = nested(
        ("root", 0, 0, 100, -1, 0), ("run", 1, 0, 99, 0, 0), ("handler", 2, 0, 99, 1, 0),
        ("log", 1, 99, 1, 0, 1), ("price", 3, 0, 60, 2, 60), ("get", 3, 60, 39, 2, 39),
    )  # fmt: skip
    # Then the branching frame fills the width
    assert model.window == (0, 99)
    assert model.flame.name[model.base] == "handler"
    # And backspace goes to the root, once
    assert model.unzoom()
    assert model.window == (0.0, 100)
    assert not model.unzoom()


def test_a_frame_that_works_by_itself_is_never_left_out() -> None:
    model = nested(("root", 0, 0, 100, -1, 0), ("handler", 1, 0, 100, 0, 40), ("price", 2, 0, 60, 1, 60))
    assert model.flame.name[model.base] == "handler"


def test_library_frames_are_called_by_their_package() -> None:
    model = nested(("root", 0, 0, 100, -1, 0), ("price", 1, 0, 60, 0, 60), ("get", 1, 60, 40, 0, 40))
    text = line_text(FlameRows(model).line(1, 100, False))
    assert "requests: get 40%" in text
    assert "cart" not in text


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("cart.py", "cart.py:7"),
        ("shop/cart.py", "cart.py:7"),
        ("site-packages/opentelemetry/sdk/trace/__init__.py", "opentelemetry.sdk.trace:7"),
        ("/usr/lib/python3/dist-packages/yaml/reader.py", "yaml.reader:7"),
        ("python3.11/json/decoder.py", "json.decoder:7"),
        ("<frozen abc>", "abc:7"),
        ("", ""),
    ],
)
def test_a_place_of_a_library_names_its_module(file: str, place: str) -> None:
    assert place_in(file, 7) == place
