"""Two heaps: what has grown is named by its path, whatever else moved."""

from __future__ import annotations

from dataclasses import replace

from heap_builder import HeapBuilder, frame_root
from relive.output.heap_report import heap_text
from relive_capture.explore.heap import Heap, heap_of
from relive_capture.explore.heap.findings import compare
from relive_capture.explore.snapshots import read_members
from relive_capture.heap_format import INTERNAL, ITEM, HeapRoot


def server(thumbs: int, *, moved: int = 0, extra: int = 0, kept: bool = True) -> Heap:
    """A module whose cache has `thumbs` entries; all addresses are `moved`, `extra` objects come first."""
    builder = HeapBuilder()
    for _ in range(extra):
        builder.add("bytes", 33, address=16 + 16 * len(builder.address))
    cached = [builder.add("bytes", 10_000) for _ in range(thumbs)]
    cache = builder.add("dict", 1_000)
    for number, thumb in enumerate(cached):
        builder.refer(cache, thumb, builder.label(ITEM, f"'/a/{number}.png'"))
    session = builder.add("net.Session", 3_000) if kept else -1
    namespace = builder.add("dict", 200)
    if extra:
        builder.refer(namespace, 0, builder.label(ITEM, "'_first'"))
    builder.refer(namespace, cache, builder.label(ITEM, "'_cache'"))
    if kept:
        builder.refer(namespace, session, builder.label(ITEM, "'session'"))
    module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), namespace)])
    frame_root(builder, "cart.py:88 handler", {"event": builder.add("dict", 64)})
    builder.roots.append(HeapRoot(kind="module", name="thumb", targets=[(0, module)]))
    builder.address = [address + moved for address in builder.address]
    return heap_of(read_members(builder.members().__getitem__, "test"))


def test_growth_is_told_by_place_and_by_type() -> None:
    found = compare(server(10), server(50))
    grown = found.places[0]
    assert (grown.path, grown.kind) == ("module thumb › ._cache", "dict")
    assert (grown.before, grown.after, grown.growth) == (101_000, 501_000, 400_000)
    assert (found.types[0].name, found.types[0].count_before, found.types[0].count_after) == ("bytes", 10, 50)
    assert found.total_after - found.total_before == 400_000
    assert len(found.places) == 1  # what leads to the cache, and what is new in it, is not told again


def test_heaps_of_other_processes_compare_as_well() -> None:
    found = compare(server(10, moved=1 << 20, extra=3), server(50))
    assert not found.one_process
    assert [(place.path, place.growth) for place in found.places if place.growth > 100] == [
        ("module thumb › ._cache", 400_000)
    ]
    assert compare(server(10), server(50)).one_process


def test_what_is_gone_is_at_the_end() -> None:
    found = compare(server(5, kept=True), server(5, kept=False, moved=1 << 20))
    assert (found.places[-1].path, found.places[-1].growth) == ("module thumb › .session", -3_000)
    assert found.places[-1].node is None


def test_the_same_heap_has_not_grown() -> None:
    heap = server(5)
    found = compare(heap, heap)
    assert (list(found.types), list(found.places)) == ([], [])


def test_where_a_local_of_the_same_frame_has_grown_the_line_may_differ() -> None:
    before, after = server(1), server(1)
    roots = [replace_line(root) for root in after.snapshot.roots]
    moved = heap_of(replace(after.snapshot, roots=roots))
    assert list(compare(before, moved).places) == []


def test_the_report_of_a_heap_says_what_has_grown_since_a_healthy_one() -> None:
    before, after = server(10), server(50)
    text = heap_text(after, "resize v2", "last", 5, 120, compare(before, after))
    assert "Grown since a healthy invocation, +391 KB of 102 KB" in text
    assert "+391 KB     99 KB    489 KB  dict  module thumb › ._cache" in text


def replace_line(root: HeapRoot) -> HeapRoot:
    return HeapRoot(
        kind=root.kind,
        name=root.name,
        targets=root.targets,
        file=root.file,
        line=root.line + 7,
        function=root.function,
        in_app=root.in_app,
    )


def test_a_text_that_a_snapshot_has_twice_leads_to_the_same_place() -> None:
    # Given a snapshot whose labels use one of two equal texts
    before = server(10)
    before.snapshot.strings.extend(list(before.snapshot.strings))
    assert compare(before, server(50)).places[0].growth == 400_000


def test_a_heap_has_not_grown_from_itself_where_two_places_have_one_path() -> None:
    builder = HeapBuilder()
    small, large = builder.add("bytes", 48), builder.add("bytes", 100_000)
    keeper = builder.add("_Keeper", 64)
    for held in (small, large):  # an extension's type: its references have no names
        builder.refer(keeper, held, builder.label(INTERNAL, "(reference)"))
    builder.roots.append(HeapRoot(kind="module", name="thumb", targets=[(0, keeper)]))
    heap = heap_of(read_members(builder.members().__getitem__, "test"))

    found = compare(heap, heap)

    assert (found.places, found.types) == ([], [])
