"""Analysed heaps on disk: the same answers, and nothing of a file that is not what was written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from heap_builder import HeapBuilder, frame_root
from relive_capture.explore.heap import Heap, HeapCache, HeapKey, heap_of
from relive_capture.explore.heap.findings import locals_of, suspects, types
from relive_capture.explore.snapshots import read_members

KEY = HeapKey("01a2-1", "ab" * 32)


def example(rows: int = 20) -> Heap:
    builder = HeapBuilder()
    texts = [builder.add("str", 100, value=repr(f"row {number}")) for number in range(rows)]
    listed = builder.add("list", 80)
    for text in texts:
        builder.refer(listed, text)
    frame_root(builder, "cart.py:8 handler", {"rows": listed})
    return heap_of(read_members(builder.members().__getitem__, "test"))


def answers(heap: Heap) -> object:
    nodes = range(heap.graph.nodes)
    return (
        heap.meta,
        [(heap.name(n), heap.address(n), heap.retained(n), list(heap.children(n))) for n in nodes],
        [(heap.referrers(n), heap.referents(n), heap.paths(n)) for n in range(heap.objects)],
        types(heap),
        locals_of(heap),
        suspects(heap),
    )


def test_a_heap_from_the_cache_gives_the_same_answers(tmp_path: Path) -> None:
    cache, heap = HeapCache(tmp_path / "cache"), example()
    assert cache.store(KEY, heap)
    found = cache.load(KEY)
    assert found is not None
    assert answers(found) == answers(heap)
    (file,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_damaged_file_is_no_hit(tmp_path: Path, share: float) -> None:
    cache = HeapCache(tmp_path)
    cache.store(KEY, example())
    file = tmp_path / KEY.file
    data = bytearray(file.read_bytes())
    data[int(len(data) * share)] ^= 0x55
    file.write_bytes(data)
    found = cache.load(KEY)
    # A byte of padding may change unseen; what is read never does.
    assert found is None or answers(found) == answers(example())


@pytest.mark.parametrize("length", [0, 7, 8, 23, 24, 100, 2_000])
def test_a_cut_file_is_no_hit(tmp_path: Path, length: int) -> None:
    cache = HeapCache(tmp_path)
    cache.store(KEY, example())
    file = tmp_path / KEY.file
    file.write_bytes(file.read_bytes()[:length])
    assert cache.load(KEY) is None


def test_the_same_name_with_other_content_is_no_hit(tmp_path: Path) -> None:
    cache = HeapCache(tmp_path)
    cache.store(KEY, example())
    other = HeapKey(KEY.name, "cd" * 32)
    os.link(tmp_path / KEY.file, tmp_path / other.file)
    assert cache.load(other) is None
    assert cache.load(HeapKey("nobody-1", "ab" * 32)) is None


def test_what_was_not_used_for_longest_leaves_first(tmp_path: Path) -> None:
    HeapCache(tmp_path).store(KEY, example())
    size = (tmp_path / KEY.file).stat().st_size
    cache = HeapCache(tmp_path, limit_bytes=int(size * 2.5))
    keys = [HeapKey(f"id{number}-1", f"{number:02}" * 32) for number in range(3)]
    for age, key in enumerate([KEY, *keys[:1]]):
        cache.store(key, example())
        os.utime(tmp_path / key.file, (age + 1, age + 1))
    assert cache.load(KEY) is not None  # now it is the newest one
    cache.store(keys[1], example())
    assert {path.name for path in tmp_path.iterdir()} == {KEY.file, keys[1].file}
    assert not HeapCache(tmp_path, limit_bytes=100).store(keys[2], example())


def test_a_scene_that_leaves_takes_its_heap_along(tmp_path: Path) -> None:
    cache = HeapCache(tmp_path)
    cache.store(KEY, example())
    cache.store(HeapKey("01a2-10", "cd" * 32), example())
    cache.forget("01a2-1")
    cache.forget("*")
    assert [path.name for path in tmp_path.iterdir()] == [HeapKey("01a2-10", "cd" * 32).file]


def test_a_folder_that_cannot_be_written_costs_only_the_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = HeapCache(tmp_path / "file")
    assert not cache.store(KEY, example())
    assert cache.load(KEY) is None


def test_a_name_that_is_no_id_never_becomes_a_path() -> None:
    assert HeapKey("../../x", "ab" * 32).file == f"{'ab' * 16}.heap"
