"""A heap small enough to know every answer, and random ones against the definitions."""

from __future__ import annotations

from itertools import islice, pairwise

from heap_builder import HeapBuilder, frame_root
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.explore.heap import Heap, heap_of
from relive_capture.explore.heap.findings import (
    biggest,
    compare,
    locals_of,
    modules,
    suspects,
    threads,
    types,
)
from relive_capture.explore.snapshots import read_members
from relive_capture.heap_format import ATTRIBUTE, INDEX, INTERNAL, ITEM, LOCAL, HeapRoot


def opened(builder: HeapBuilder) -> Heap:
    return heap_of(read_members(builder.members().__getitem__, "test"))


def shop() -> HeapBuilder:
    """A frame with a basket of three items, and a module whose cache has grown."""
    builder = HeapBuilder()
    kind = builder.add("type", 400, value="cart.Basket")
    lines = [builder.add("bytes", 100, value=f"b'{number}'") for number in range(3)]
    items = builder.add("list", 80, [(builder.label(INDEX, place), line) for place, line in enumerate(lines)])
    basket = builder.add("cart.Basket", 48, [(builder.label(ATTRIBUTE, "items"), items)])
    thumbs = [builder.add("bytes", 10_000) for _ in range(40)]
    cache = builder.add(
        "dict", 1_000, [(builder.label(ITEM, f"'/a/{number}.png'"), t) for number, t in enumerate(thumbs)]
    )
    namespace = builder.add("dict", 200, [(builder.label(ITEM, "'_cache'"), cache)])
    module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), namespace)])
    handler = builder.add("function", 150, [(builder.label(INTERNAL, "__globals__"), namespace)])
    builder.refer(basket, kind, builder.label(INTERNAL, "__class__"))
    frame_root(builder, "cart.py:88 handler", {"basket": basket, "line": lines[2], "handler": handler})
    builder.roots.append(
        HeapRoot(kind="module", name="thumb", targets=[(builder.label(INTERNAL, ""), module)])
    )
    builder.roots.append(
        HeapRoot(kind="interpreter", name="types", targets=[(builder.label(INTERNAL, ""), kind)])
    )
    return builder


def node_of(heap: Heap, kind: str, value: str = "") -> int:
    (found,) = [n for n in range(heap.objects) if heap.kind(n) == kind and heap.value(n) == value]
    return found


def test_what_holds_what() -> None:
    heap = opened(shop())
    basket, cache = node_of(heap, "cart.Basket"), heap.children(node_of(heap, "module"))
    assert heap.retained(basket) == 48 + 80 + 2 * 100  # the third line is a local, too
    assert not cache  # the function holds the module's namespace as well
    assert heap.total == sum(heap.size(node) for node in range(heap.objects))
    first = biggest(heap)[0]
    assert (heap.kind(first), heap.retained(first), heap.retained_objects(first)) == ("dict", 401_200, 42)


def test_paths_read_as_code_does() -> None:
    heap = opened(shop())
    line = node_of(heap, "bytes", "b'1'")
    path = heap.path(line)
    assert path is not None
    assert path.text == "cart.py:88 handler › basket › .items › [1]"
    shared = node_of(heap, "bytes", "b'2'")
    assert [found.text for found in heap.paths(shared)] == [
        "cart.py:88 handler › line",
        "cart.py:88 handler › basket › .items › [2]",
    ]
    thumb = heap.children(heap.children(biggest(heap)[0])[0])[0]
    assert [found.text for found in heap.paths(thumb)] == [
        "module thumb › ._cache › ['/a/0.png']",
        "cart.py:88 handler › handler › .__globals__ › ['_cache'] › ['/a/0.png']",
    ]
    assert heap.path(thumb, 1) == heap.paths(thumb)[1]
    assert heap.path(thumb, 2) is None


def test_the_interpreter_is_the_last_to_be_named() -> None:
    heap = opened(shop())
    kind = node_of(heap, "type", "cart.Basket")
    assert [found.text for found in heap.paths(kind)] == [
        "cart.py:88 handler › basket › .__class__",
        "types",
    ]


def test_a_leak_is_named_with_its_path_and_with_what_it_holds() -> None:
    (leak,) = suspects(opened(shop()))
    assert leak.path is not None
    assert leak.point_path is not None
    assert (leak.retained, leak.path.text) == (401_200, "module thumb › .__dict__")
    assert leak.point_path.text == "module thumb › ._cache"
    assert (leak.holds, leak.holds_count, leak.holds_bytes, leak.children) == ("bytes", 40, 400_000, 40)


def test_sizes_by_type_local_thread_and_module() -> None:
    heap = opened(shop())
    rows = {row.name: row for row in types(heap)}
    assert (rows["dict"].count, rows["dict"].shallow, rows["dict"].retained) == (2, 1_200, 401_200)
    assert rows["bytes"].retained == rows["bytes"].shallow == 400_300
    assert [(row.name, row.retained, row.exclusive) for row in locals_of(heap)] == [
        ("basket", 328, 328),
        ("handler", 150, 150),
        ("line", 100, 0),
    ]
    assert [(row.kind, row.retained) for row in threads(heap)] == [("thread", 578), ("frame", 578)]
    assert [(row.name, row.retained, row.exclusive) for row in modules(heap)] == [("thumb", 401_272, 72)]


def test_objects_are_found_by_address_and_neighbours_by_page() -> None:
    heap = opened(shop())
    cache = heap.children(biggest(heap)[0])[0]
    assert heap.find(heap.address(cache)) == cache
    assert heap.find(1) is None
    assert heap.referent_count(cache) == 40
    assert [edge.label for edge in heap.referents(cache, 38, 10)] == ["['/a/38.png']", "['/a/39.png']"]
    assert [(edge.label, heap.kind(edge.node)) for edge in heap.referrers(cache)] == [("['_cache']", "dict")]
    assert heap.child_count(cache) == 40
    assert len(heap.children(cache, 30, 20)) == 10


def test_text_from_a_file_cannot_reach_the_terminal_as_it_is() -> None:
    builder = HeapBuilder()
    value = builder.add("evil.\x1b[31mType\n", 16, value="\x1b]0;title\x07")
    frame_root(builder, "\x1b[2J.py:1 f\x1b", {"x\x1b[0m": value})
    heap = opened(builder)
    path = heap.path(0)
    assert path is not None
    texts = [heap.name(0), heap.kind(0), heap.value(0), path.text]
    texts += [row.name for row in types(heap)] + [row.frame + row.name for row in locals_of(heap)]
    assert not [text for text in texts if not text.isprintable()]


@st.composite
def builders(draw: st.DrawFn) -> HeapBuilder:
    """Random objects and roots of every kind."""
    count = draw(st.integers(1, 20))
    builder = HeapBuilder()
    number = st.integers(0, count - 1)
    for _ in range(count):
        targets = draw(st.lists(number, max_size=4))
        edges = [(builder.label(INDEX, place), target) for place, target in enumerate(targets)]
        builder.add(draw(st.sampled_from(("dict", "list", "x.Y"))), draw(st.integers(0, 99)), edges)
    for root in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("frame", "thread", "module", "interpreter", "other")))
        label = builder.label(LOCAL if kind in ("frame", "thread") else INTERNAL, f"r{root}")
        targets = draw(st.lists(number, max_size=3))
        builder.roots.append(HeapRoot(kind=kind, name=f"r{root}", targets=[(label, t) for t in targets]))
    return builder


def held_without(heap: Heap, without: int) -> set[int]:
    found = set() if without == heap.root else {heap.root}
    pending = list(found)
    while pending:
        for edge in heap.referents(pending.pop()):
            if edge.node not in found and edge.node != without:
                found.add(edge.node)
                pending.append(edge.node)
    return found


@settings(deadline=None)
@given(builders())
def test_a_node_retains_what_would_be_free_without_it(builder: HeapBuilder) -> None:
    heap = opened(builder)
    everything = held_without(heap, -1)
    for node in range(heap.graph.nodes):
        assert heap.is_held(node) == (node in everything)
        lost = everything - held_without(heap, node) if node in everything else {node}
        assert heap.retained(node) == sum(heap.size(each) for each in lost)
        assert set(heap.analysis.tree.subtree(node)) == lost
        children = heap.children(node)
        assert all(heap.dominator(child) == node for child in children)
        assert [heap.retained(child) for child in children] == sorted(
            (heap.retained(child) for child in children), reverse=True
        )


@settings(deadline=None)
@given(builders())
def test_a_type_retains_what_would_be_free_without_its_objects(builder: HeapBuilder) -> None:
    heap = opened(builder)
    for row in types(heap):
        nodes = [node for node in range(heap.objects) if heap.kind(node) == row.name and heap.is_held(node)]
        lost = set().union(*(heap.analysis.tree.subtree(node) for node in nodes))
        assert (row.count, row.retained) == (len(nodes), sum(heap.size(node) for node in lost))


@settings(deadline=None, max_examples=40)
@given(builders())
def test_paths_are_different_simple_and_rise_in_length(builder: HeapBuilder) -> None:
    heap = opened(builder)
    for node in range(heap.objects):
        edges = list(islice(heap._paths.paths(node), 8))
        assert len({tuple(path) for path in edges}) == len(edges)
        for path in edges:
            nodes = [heap.root, *(heap._paths.target(number) for number in path)]
            assert nodes[-1] == node
            assert len(set(nodes)) == len(nodes)
            assert [heap._paths.source(number) for number in path] == nodes[:-1]
        if not heap.graph.late:
            assert [len(path) for path in edges] == sorted(len(path) for path in edges)
        assert bool(edges) == heap.is_held(node)


def test_a_traceback_does_not_take_the_locals_from_their_frame() -> None:
    # Given an exception whose traceback holds the frame object, which holds the locals, too
    builder = HeapBuilder()
    rows = builder.add("list", 5_000)
    limit = builder.add("int", 28)
    asked = builder.add("dict", 200, [(builder.label(ITEM, "'rows'"), rows)])  # f_locals
    frame = builder.add("frame", 400, [(builder.label(INTERNAL, ""), rows), (0, limit), (0, asked)])
    traceback = builder.add("traceback", 64, [(builder.label(INTERNAL, "tb_frame"), frame)])
    kept = builder.add("frame", 400, [(builder.label(INTERNAL, ""), builder.add("bytes", 70))])
    error = builder.add("KeyError", 72, [(builder.label(INTERNAL, "__traceback__"), traceback), (0, kept)])
    frame_root(builder, "cart.py:88 handler", {"rows": rows, "limit": limit})
    builder.roots.append(HeapRoot(kind="interpreter", name="the exception", targets=[(0, error)]))
    heap = opened(builder)
    # I expect the frame to retain them, and a frame that is on no stack to hold what it holds
    assert [(row.name, row.exclusive) for row in locals_of(heap)] == [("rows", 5_000), ("limit", 28)]
    assert heap.retained(kept) == 470
    # The frame object is the frame's own, so nothing that only it holds is left out.
    assert [path.text for path in heap.paths(frame)] == ["cart.py:88 handler › (frame object)"]
    assert heap.held == heap.objects
    assert [path.text for path in heap.paths(rows)] == ["cart.py:88 handler › rows"]


def test_frames_that_hand_locals_down_keep_their_own() -> None:
    # Given a frame whose locals are all among its caller's, and the frame objects of both in one traceback
    builder = HeapBuilder()
    rows, index, limit = (builder.add(kind, 100) for kind in ("list", "dict", "int"))
    caller = builder.add("frame", 400, [(0, rows), (0, index), (0, limit)])
    called = builder.add("frame", 400, [(0, rows), (0, index), (0, caller)])
    traceback = builder.add("traceback", 64, [(0, caller), (0, called)])
    frame_root(builder, "cart.py:16 load", {"rows": rows, "index": index, "limit": limit})
    frame_root(builder, "cart.py:18 price", {"rows": rows, "index": index})
    builder.roots.append(HeapRoot(kind="interpreter", name="the exception", targets=[(0, traceback)]))
    heap = opened(builder)
    assert {row.name: row.exclusive for row in locals_of(heap)} == {"rows": 0, "index": 0, "limit": 100}
    assert [(row.name, row.retained) for row in threads(heap)] == [
        ("the thread that failed", 1_100),
        ("frame cart.py:16 load", 500),
        ("frame cart.py:18 price", 400),
    ]


def test_locals_that_share_what_they_hold_still_say_what_they_lead_to() -> None:
    builder = HeapBuilder()
    rows = [builder.add("dict", 1_000) for _ in range(10)]
    listed, index = builder.add("list", 100), builder.add("dict", 200)
    for row in rows:
        builder.refer(listed, row)
        builder.refer(index, row)
    frame_root(builder, "cart.py:88 handler", {"listed": listed, "index": index, "row": rows[3]})
    heap = opened(builder)
    assert [(row.name, row.retained, row.reaches) for row in locals_of(heap)] == [
        ("index", 200, 10_200),
        ("listed", 100, 10_100),
        ("row", 1_000, 1_000),
    ]
    (leak,) = suspects(heap)
    assert leak.path is not None
    assert (leak.path.text, leak.holds, leak.holds_count) == ("cart.py:88 handler", "dict", 11)
    assert leak.shared_by == ("index of cart.py:88 handler", "listed of cart.py:88 handler")


def test_a_long_linked_list_is_named_by_its_head_and_its_path_has_two_ends() -> None:
    builder = HeapBuilder()
    shared = builder.add("net.Pool", 500)
    links = [builder.add("net.Link", 64) for _ in range(20_000)]
    next_label = builder.label(ATTRIBUTE, "next")
    for link, after in pairwise(links):
        builder.refer(link, after, next_label)
        builder.refer(link, shared, builder.label(ATTRIBUTE, "pool"))
    holder = builder.add("net.Queue", 48, [(builder.label(ATTRIBUTE, "head"), links[0])])
    frame_root(builder, "cart.py:88 handler", {"queue": holder})
    heap = opened(builder)
    (leak,) = suspects(heap)
    assert leak.point_path is not None
    assert leak.point_path.text == "cart.py:88 handler › queue › .head"
    assert leak.holds == "net.Link"
    path = heap.path(links[-1])
    assert path is not None
    assert "› .next › … 19,904 more … › .next ›" in path.text
    assert path.steps[-1].node == links[-1]
    assert heap.paths(shared, 1, 1)[0].text == "cart.py:88 handler › queue › .head › .next › .pool"


def test_relives_own_objects_are_neither_suspects_nor_growth() -> None:
    def heap_with(count: int) -> Heap:
        builder = shop()
        rows = [builder.add("str", 50_000) for _ in range(count)]
        spans = builder.add("list", 800, [(builder.label(INDEX, at), row) for at, row in enumerate(rows)])
        keeper = builder.add(
            "relive_capture.record.frames.sources.SourceCache",
            64,
            [(builder.label(ATTRIBUTE, "files"), spans)],
        )
        kept = builder.add("bytes", count * 400_000)
        builder.roots.append(
            HeapRoot(
                kind="module",
                name="relive_tracer.record.spans",
                targets=[(builder.label(INTERNAL, ""), kept)],
            )
        )
        builder.roots.append(
            HeapRoot(kind="interpreter", name="types", targets=[(builder.label(INTERNAL, ""), keeper)])
        )
        return opened(builder)

    before, after = heap_with(2), heap_with(40)

    assert [leak.holds for leak in suspects(before)] == ["bytes"]
    assert all("relive" not in leak.path.text for leak in suspects(after) if leak.path is not None)
    found = compare(before, after)
    assert not [place.path for place in found.places if "relive" in place.path or ".files" in place.path]
    assert not [row.name for row in found.types if row.name.startswith("relive_")]


def test_what_the_users_frame_keeps_in_relives_context_is_a_suspect() -> None:
    builder = HeapBuilder()
    cache = builder.add("list", 900_000)
    context = builder.add(
        "relive_runtime.adapters.event.context.Context", 64, [(builder.label(ATTRIBUTE, "cache"), cache)]
    )
    frame_root(builder, "cart.py:88 handler", {"context": context})

    (leak,) = suspects(opened(builder))

    assert leak.retained == 900_064
