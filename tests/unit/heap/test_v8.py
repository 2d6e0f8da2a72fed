"""`.heapsnapshot`: what is written is read again; what is damaged or hostile gives a clear error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from heap_builder import HeapBuilder, frame_root
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.explore.errors import SceneError
from relive_capture.explore.heap import Heap, heap_of, write_v8
from relive_capture.explore.snapshots import HeapLimits, read_members, read_v8
from relive_capture.heap_format import ATTRIBUTE, INTERNAL, ITEM, HeapRoot


def shop() -> Heap:
    builder = HeapBuilder()
    name = builder.add("str", 60, value="'Ada ‮ \x1b[31m'")
    cart = builder.add("cart.Cart", 48, [(builder.label(ATTRIBUTE, "owner"), name)])
    cache = builder.add("dict", 300, [(builder.label(ITEM, "'sku'"), cart)])
    module = builder.add("module", 72, [(builder.label(INTERNAL, "__dict__"), cache)])
    frame_root(builder, "cart.py:88 handler", {"cart": cart, "other": builder.add("list", 90)})
    builder.roots.append(HeapRoot(kind="module", name="shop", targets=[(0, module)]))
    return heap_of(read_members(builder.members().__getitem__, "test"))


def written(folder: Path) -> Path:
    write_v8(shop(), folder / "x.heapsnapshot")
    return folder / "x.heapsnapshot"


def changed(folder: Path, change: Any) -> Path:
    path = written(folder)
    content = json.loads(path.read_text())
    change(content)
    # The arrays must stand where V8 puts them.
    path.write_text(json.dumps(content))
    return path


def test_a_written_heap_is_read_with_the_same_sizes_and_names(tmp_path: Path) -> None:
    heap, again = shop(), heap_of(read_v8(written(tmp_path)))
    ours = sorted((heap.kind(n), heap.size(n), heap.retained(n)) for n in range(heap.objects))
    # Holders are objects there; texts are of a kind of their own.
    theirs = [(again.kind(n), again.size(n), again.retained(n)) for n in range(again.objects)]
    assert sorted(row for row in theirs if row[1]) == sorted(
        ("(string)" if kind == "str" else kind, *sizes) for kind, *sizes in ours
    )
    cart = next(n for n in range(again.objects) if again.kind(n) == "cart.Cart")
    assert {path.text for path in again.paths(cart)} == {
        "(GC roots) › (module shop) › (reference) › .sku",
        "(GC roots) › (the thread that failed) › (frame cart.py:88 handler) › (local cart) › .cart",
    }
    assert again.meta.walker == "v8"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["snapshot"].update(node_count=5_000_000), "5000000 objects, the limit is 4000000"),
        (lambda c: c["snapshot"].update(node_count=2), "more numbers|numbers instead"),
        (lambda c: c["snapshot"].update(edge_count=-1), "-1 edges"),
        (lambda c: c["snapshot"]["meta"].update(node_fields=["type", "name"]), "no field id"),
        (lambda c: c["snapshot"]["meta"].update(node_types=["string"]), "have no names"),
        (lambda c: c["nodes"].__setitem__(4, 77), "edges of the nodes"),
        (lambda c: c["nodes"].__setitem__(8, 1 << 60), "not a heap snapshot"),
        (lambda c: c["nodes"].__setitem__(0, -1), "not a heap snapshot"),
        (lambda c: c["nodes"].__setitem__(2, "x"), "not a heap snapshot"),
        (lambda c: c["edges"].__setitem__(2, 8), "leads to 8, which is not a node"),
        (lambda c: c["edges"].__setitem__(2, 7_000_000), "not a heap snapshot"),
        (lambda c: c["edges"].__setitem__(0, 99), "not a heap snapshot"),
        (lambda c: c.update(strings=[]), "not a heap snapshot"),
        (lambda c: c.update(strings=[1]), "not a heap snapshot"),
        (lambda c: c.update(strings={"a": 1}), "not a heap snapshot"),
        (lambda c: c.pop("strings"), "not a heap snapshot"),
        (lambda c: c["nodes"].__setitem__(16, 3), "address does not ascend"),
    ],
)
def test_what_is_wrong_is_named(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=message):
        heap_of(read_v8(changed(tmp_path, change)))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00" * 100, b'{"snapshot":{},"nodes":[' * 1_000])
def test_another_file_is_no_snapshot(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.heapsnapshot"
    path.write_bytes(content)
    with pytest.raises(SceneError):
        read_v8(path)
    with pytest.raises(SceneError, match="cannot be opened"):
        read_v8(tmp_path / "absent")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="up to 100 are read"):
        read_v8(written(tmp_path), HeapLimits(file_bytes=100))
    with pytest.raises(SceneError, match="bytes of texts, the limit is 10"):
        read_v8(written(tmp_path), HeapLimits(text_bytes=10))


def test_half_a_surrogate_pair_in_a_text_is_escaped(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"cart.Cart"', rb'"\ud83d"'))
    heap = heap_of(read_v8(path))
    assert any(heap.kind(node) == r"\ud83d" for node in range(heap.objects))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_file_gives_an_error_or_a_heap(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        damaged(data, written(Path(folder)))


def damaged(data: st.DataObject, path: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        heap = heap_of(read_v8(path))
    except SceneError:
        return
    assert all(heap.name(node).isprintable() for node in range(heap.graph.nodes))
