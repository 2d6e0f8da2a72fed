"""From a scene to a heap that can be looked around in: from the cache if it is there, else analysed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from relive_capture.explore.errors import SceneError
from relive_capture.explore.heap.analysis import analyse, build_graph
from relive_capture.explore.heap.cache import HeapCache, HeapKey
from relive_capture.explore.heap.findings import find_suspects
from relive_capture.explore.heap.heap import Heap
from relive_capture.explore.snapshots import HeapSnapshot, read_v8

if TYPE_CHECKING:
    from relive_capture.explore.scene import SceneFile

__all__ = ["heap_of", "key_of", "open_heap", "open_v8"]


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
    """The heap of a scene; milliseconds if it is in the cache, else it is analysed and put there.

    Raises SceneError if the scene has no heap or a damaged one.
    """
    return _opened(cache, key_of(scene), scene.heap)


def open_v8(path: Path, cache: HeapCache | None = None) -> Heap:
    """The heap in a `.heapsnapshot` file, as `open_heap`."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SceneError(f"it cannot be opened: {error.strerror}", where=str(path)) from error
    return _opened(cache, HeapKey("", digest), lambda: read_v8(path))


def _opened(cache: HeapCache | None, key: HeapKey, read: Callable[[], HeapSnapshot]) -> Heap:
    heap = cache.load(key) if cache is not None else None
    if heap is None:
        heap = heap_of(read())
        if cache is not None:
            cache.store(key, heap)
    return heap
