"""Heaps that are damaged or hostile: a clear error, and no more memory than the heap says that it takes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import msgspec
import pytest
import zstandard
from heap_builder import HeapBuilder, frame_root, pack_column
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.explore.errors import SceneError
from relive_capture.explore.heap import heap_of
from relive_capture.explore.scene import read_scene
from relive_capture.explore.snapshots import HeapLimits, read_members


def members() -> dict[str, bytes]:
    builder = HeapBuilder()
    text = builder.add("str", 50, value="'a'")
    items = builder.add("list", 80)
    builder.refer(items, text)
    builder.refer(items, items)
    frame_root(builder, "cart.py:8 handler", {"items": items})
    return builder.members()


def read(files: dict[str, bytes], limits: HeapLimits | None = None) -> Any:
    return read_members(files.__getitem__, "x.scene", limits)


def changed(name: str, **values: object) -> dict[str, bytes]:
    files = members()
    content = msgspec.json.decode(files[name])
    content.update(values)
    return {**files, name: msgspec.json.encode(content)}


def test_a_whole_heap_is_read() -> None:
    snapshot = read(members())
    assert (snapshot.objects, snapshot.edges) == (2, 2)
    assert list(snapshot.address) == [4096, 4112]
    assert [kind.name for kind in snapshot.types] == ["str", "list"]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("edge", [0, 2], "edge leads beyond 2"),
        ("type", [0, 7], "type leads beyond 2"),
        ("value", [9, 0], "value leads beyond"),
        ("first_edge", [0, 2, 1], "first_edge does not rise"),
        ("first_edge", [0, 0, 1], "first_edge does not rise"),
        ("first_edge", [1, 1, 2], "first_edge does not rise"),
        ("address", [4096, 0], "address does not ascend"),
        ("size", [1 << 63, 1 << 63], "the sizes are too large"),
        ("size", [1], "8 bytes instead of 16"),
        ("size", [1, 2, 3], "more bytes instead of 16"),
    ],
)
def test_a_wrong_column_is_named(name: str, values: list[int], message: str) -> None:
    suffix = "u64" if name in ("address", "size") else "u32"
    files = {**members(), f"heap/{name}.{suffix}": pack_column(name, values)}
    with pytest.raises(SceneError, match=message):
        read(files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (changed("heap/meta.json", objects=5_000_000), "5000000 objects, the limit is 4000000"),
        (changed("heap/meta.json", objects=-1), "-1 objects"),
        (changed("heap/meta.json", edges=1 << 40), "edges, the limit is"),
        (changed("heap/meta.json", schema=2), "schema 2"),
        ({**members(), "heap/meta.json": b"[" * 100_000}, "meta.json cannot be read"),
        ({**members(), "heap/strings.json": b'["\xff"]'}, "strings.json cannot be read"),
        ({**members(), "heap/edge.u32": b"no frame"}, "edge.u32 cannot be unpacked"),
        ({**members(), "heap/edge.u32": zstandard.compress(bytes(8))[:-3]}, "heap/edge.u32"),
        (
            {**members(), "heap/roots.json": b'[{"kind":"frame","name":"f","targets":[[0,2]]}]'},
            "root 'f' leads to object 2 of 2",
        ),
        (
            {**members(), "heap/roots.json": b'[{"kind":"frame","name":"f","targets":[[-1,1]]}]'},
            "label out of range",
        ),
    ],
)
def test_wrong_members_are_named(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(SceneError, match=message):
        read(files)


def test_a_column_that_unpacks_to_gigabytes_is_read_no_further_than_it_should_go() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    with pytest.raises(SceneError, match="more bytes instead of 8"):
        read({**members(), "heap/edge.u32": bomb})


def test_limits_are_counted_before_anything_is_built() -> None:
    for limits, message in (
        (HeapLimits(strings=1), "strings are over the limit of 1"),
        (HeapLimits(types=1), "2 types"),
        (HeapLimits(targets=0), "targets of roots"),
        (HeapLimits(json_bytes=10), "bytes are over the limit of 10"),
        (HeapLimits(name_chars=3), "a type has a name"),
    ):
        with pytest.raises(SceneError, match=message):
            read(members(), limits)


def test_a_scene_gives_its_heap() -> None:
    buffer = io.BytesIO()
    manifest = {"schema": 1, "invocation_id": "a", "function": "f", "attempt": 1, "error": {}}
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", msgspec.json.encode(manifest))
        for name, data in members().items():
            archive.writestr(name, data)
    scene = read_scene(buffer.getvalue())
    assert scene.has_heap
    assert scene.heap().objects == 2


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_members_give_a_scene_error_or_a_heap(data: st.DataObject) -> None:
    files = members()
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        heap = heap_of(read({**files, name: bytes(content)}))
    except SceneError:
        return
    for node in range(heap.graph.nodes):
        heap.name(node)
        for path in heap.paths(node):
            assert path.text.isprintable()
