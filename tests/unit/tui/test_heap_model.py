"""The heap screen's models over small real heaps."""

from __future__ import annotations

import pytest
from heap_builder import HeapBuilder, frame_root
from relive_capture.explore.heap import Heap, findings, heap_of
from relive_capture.explore.heap.findings import compare
from relive_capture.explore.snapshots import read_members
from relive_capture.heap_format import ATTRIBUTE, INDEX, INTERNAL, ITEM, HeapRoot
from relive_tui.models.heap.filter import (
    HeapQuery,
    HeapQueryProblem,
    biggest_first,
    complete_heap,
    parse_heap,
    search,
)
from relive_tui.models.heap.growth import GrowthRows
from relive_tui.models.heap.path import NodeRows, path_lines
from relive_tui.models.heap.rows import share_bar, signed
from relive_tui.models.heap.tree import PAGE, HeapTree
from relive_tui.models.heap.view import HeapModel, view_heap
from relive_tui.models.layout.text import line_text


def shop(pictures: int = 1_200, module_name: str = "thumb") -> Heap:
    """A module whose cache holds pictures, and a frame with a small basket, which is in the cache, too."""
    builder = HeapBuilder()
    thumbs = [builder.add("bytes", 10_000, value=f"b'{number}'") for number in range(pictures)]
    cache = builder.add(
        "dict", 1_000, [(builder.label(ITEM, f"'/a/{n}.png'"), thumb) for n, thumb in enumerate(thumbs)]
    )
    items = builder.add("list", 80, [(builder.label(INDEX, 0), thumbs[0])])
    basket = builder.add(
        "cart.Basket", 48, [(builder.label(ATTRIBUTE, "items"), items)], value="a \x1b[31mbasket"
    )
    namespace = builder.add("dict", 200, [(builder.label(ITEM, "'_cache'"), cache)])
    module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), namespace)])
    builder.add("tuple", 64)  # garbage
    frame_root(builder, "cart.py:88 handler", {"basket": basket})
    builder.roots.append(
        HeapRoot(kind="module", name=module_name, targets=[(builder.label(INTERNAL, ""), module)])
    )
    return heap_of(read_members(builder.members().__getitem__, "test"))


def texts(rows: HeapTree, width: int = 100) -> list[str]:
    return [line_text(rows.line(index, width, False)).rstrip() for index in range(len(rows))]


def test_the_cursor_starts_on_the_biggest_suspect_with_all_above_it_open() -> None:
    # Given a cache that holds nearly everything
    model = HeapModel(view_heap(shop()))
    # When its leak is looked for
    row = model.show_suspect(0)
    # Then the row is the dict, below its module, with its label
    line = line_text(model.rows.line(row, 100, True))
    assert line.startswith("▸ ")
    assert "['_cache'] dict" in line
    assert model.rows.node_at(row) == model.found.suspects[0].point
    assert "module thumb" in " ".join(texts(model.rows)[:row])  # type: ignore[arg-type]
    summary = "\n".join(line_text(line) for line in model.summary())
    assert "leak suspect 1/1" in summary
    assert "in dict module thumb › ._cache  1,199 children, mostly bytes ×1,199" in summary
    assert "1 garbage" in summary


def test_a_row_opens_500_children_at_a_time_and_closes_with_all_below() -> None:
    model = HeapModel(view_heap(shop()))
    row = model.show_dominated(model.found.suspects[0].point)
    tree = model.rows
    assert isinstance(tree, HeapTree)
    before = len(tree)
    assert tree.toggle(row)
    assert len(tree) == before + PAGE + 1
    more = row + PAGE + 1
    assert tree.node_at(more) is None
    assert "more, 6.7M in all (Enter: 500 more)" in texts(tree)[more]
    assert tree.toggle(more)
    assert len(tree) == before + 2 * PAGE + 1
    assert tree.toggle(more + PAGE)
    assert len(tree) == before + 1_199  # the first picture is in the basket, too
    assert tree.set_open(row, False)
    assert len(tree) == before
    assert not tree.set_open(row, False)


def test_an_object_is_found_by_its_address_and_retainers_are_a_tree() -> None:
    heap = shop()
    model = HeapModel(view_heap(heap))
    row = model.show_address(heap.address(700))
    assert model.rows.node_at(row) == 700
    assert model.show_address(123) == -1
    assert model.show_address(heap.address(heap.objects - 1)) == -1  # nothing holds it
    model.show_retainers(0)
    listed = texts(model.rows)  # type: ignore[arg-type]
    assert any("['/a/0.png'] dict" in text for text in listed[1:])
    assert any("[0] list" in text for text in listed[1:])
    assert model.close_extra()
    assert model.view == "dominators"


def test_views_turn_around() -> None:
    model = HeapModel(view_heap(shop(20)))
    seen = []
    for _ in range(4):
        seen.append((model.view, len(model.rows)))
        model.turn(1)
    assert [view for view, _ in seen] == ["dominators", "types", "objects", "roots"]
    assert seen[1][1] == 5  # types that have objects
    assert seen[2][1] == 25  # all that is held
    assert model.view == "dominators"


def test_objects_come_by_what_they_retain() -> None:
    heap = shop(40)
    nodes = list(biggest_first(heap))
    sizes = [heap.retained(node) for node in nodes]
    assert sizes == sorted(sizes, reverse=True)
    assert len(nodes) == heap.objects - 1 == len(set(nodes))


def test_a_filter_finds_by_type_size_and_value() -> None:
    heap = shop(40)
    assert {heap.kind(node) for node in search(heap, parse_heap("type:dict size:>100KB"))} == {"dict"}
    assert len(search(heap, parse_heap("type:bytes"))) == 40
    assert [heap.value(node) for node in search(heap, parse_heap("b'17'"))] == ["b'17'"]
    assert search(heap, parse_heap("own:<60 type:basket"))
    assert search(heap, parse_heap("type:bytes size:<1KB")) == []
    assert search(heap, HeapQuery(type="bytes"), lambda: False) == []


def test_a_filter_that_is_wrong_says_what_is_right() -> None:
    assert parse_heap("type:dict size:>1.5MB x") == HeapQuery("dict", least=1_572_864, text="x")
    assert not parse_heap("  ")
    with pytest.raises(HeapQueryProblem, match="type: size: own:"):
        parse_heap("kind:dict")
    with pytest.raises(HeapQueryProblem, match="size: needs a size"):
        parse_heap("size:big")
    assert complete_heap("type:dict s") == "type:dict size:"


def test_the_path_is_a_stair_and_the_value_lists_what_it_refers_to() -> None:
    heap = shop(3)
    path = [line_text(line) for line in path_lines(heap.path(1), heap)]
    assert path[0].startswith("module thumb")
    assert path[-1].strip().startswith("└▸['/a/1.png']  bytes")
    basket = next(node for node in range(heap.objects) if heap.kind(node) == "cart.Basket")
    rows = NodeRows(heap, basket)
    value = [line_text(rows.line(index, 80, False)) for index in range(len(rows))]
    assert "\x1b" not in "".join(value)
    assert "referred to 1×" in value[1]
    assert ".items" in value[2]
    assert "garbage" in line_text(path_lines(heap.path(heap.objects - 1), heap)[0])


def test_bars_are_as_long_as_the_share() -> None:
    assert [share_bar(share, 4) for share in (0, 0.5, 1, 2)] == ["    ", "██  ", "████", "████"]
    assert share_bar(1 / 32, 4) == "▏   "


def test_growth_against_another_heap_is_the_first_view_and_leads_to_the_place() -> None:
    # Given the same shop with fewer pictures before
    before, after = shop(100), shop(400)
    model = HeapModel(view_heap(after))
    assert "growth" not in model.views
    # When they are compared
    model.show_growth(compare(before, after), "12:04 KeyError")
    # Then the cache that has grown is the first row, with its node in this heap
    rows = model.rows
    assert isinstance(rows, GrowthRows)
    line = line_text(rows.line(0, 100, False))
    assert line.startswith("  module thumb › ._cache")
    assert "+2.9M     3.8M" in line
    node = rows.node_at(0)
    assert node is not None
    assert after.kind(node) == "dict"
    assert "against 12:04 KeyError +2.9M, +300 objects" in line_text(model.summary()[0])
    # And types say what they have grown by
    model.turn(2)
    assert "+2.9M" in line_text(model.rows.line(0, 100, False))


def test_what_the_recorder_itself_holds_is_no_growth() -> None:
    name = "relive_capture.record.capture"
    growth = compare(shop(100, name), shop(400, name))
    assert list(growth.places) == []
    assert len(GrowthRows(growth)) == 0


def test_sizes_with_a_sign() -> None:
    assert [signed(count) for count in (0, 3 << 20, -2048)] == ["=", "+3.0M", "-2.0K"]


def test_relives_own_is_the_last_that_is_shown_as_filling_the_memory() -> None:
    # Given a heap in which a module of Relive's, and an object of its classes, hold most
    builder = HeapBuilder()
    buffer = builder.add("bytes", 900_000)
    recorder = builder.add("relive_capture.record.capture.Capture", 64, [(builder.label(INDEX, 0), buffer)])
    own = builder.add("list", 50_000)
    more = builder.add("dict", 700_000)
    module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), more)])
    frame_root(builder, "cart.py:88 handler", {"rows": own})
    named = (("relive_capture.record.capture", module), ("relive_base.wire.sink", recorder))
    for name, target in named:
        builder.roots.append(
            HeapRoot(kind="module", name=name, targets=[(builder.label(INTERNAL, ""), target)])
        )
    heap = heap_of(read_members(builder.members().__getitem__, "test"))
    model = HeapModel(view_heap(heap))
    # Then neither is a suspect, the user's stands first, and the rest can still be found
    assert not [
        suspect for suspect in view_heap(heap).suspects if suspect.node not in (own, heap.dominator(own))
    ]
    model.show_suspect(0)
    tops = [heap.name(entry.node) for entry in model.rows.entries if entry.depth == 0]  # type: ignore[union-attr]
    assert "relive" not in tops[0]
    assert model.show_dominated(buffer) >= 0
    assert findings.biggest(heap, 10) == [own]
