"""From a scene to a heap that can be looked around in: from the cache where it is there, else analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_capture.explore.heap.analysis import analyse
from relive_capture.explore.heap.cache import HeapCache, HeapKey
from relive_capture.explore.heap.graph import build_graph
from relive_capture.explore.heap.heap import Heap
from relive_capture.explore.heap.snapshot import HeapSnapshot
from relive_capture.explore.heap.suspects import find_suspects

if TYPE_CHECKING:
    from relive_capture.explore.reader import SceneFile

__all__ = ["heap_of", "key_of", "open_heap"]


def heap_of(snapshot: HeapSnapshot) -> Heap:
    """Analyse a snapshot; seconds for a million objects."""
    graph = build_graph(snapshot)
    heap = Heap(snapshot, graph, analyse(snapshot, graph))
    heap.suspects = find_suspects(heap)
    return heap


def key_of(scene: SceneFile) -> HeapKey:
    """The cache's key of a scene."""
    return HeapKey(f"{scene.invocation_id}-{scene.attempt}", scene.hash)


def open_heap(scene: SceneFile, cache: HeapCache | None = None) -> Heap:
    """The heap of a scene; milliseconds where it is in the cache, else it is analysed and put there.

    Raises SceneError where the scene has no heap or a damaged one.
    """
    key = key_of(scene)
    heap = cache.load(key) if cache is not None else None
    if heap is None:
        heap = heap_of(scene.heap())
        if cache is not None:
            cache.store(key, heap)
    return heap
