"""From a scene to a heap that can be looked around in."""

from __future__ import annotations

from relive_capture.explore.heap.analysis import analyse
from relive_capture.explore.heap.graph import build_graph
from relive_capture.explore.heap.heap import Heap
from relive_capture.explore.heap.snapshot import HeapSnapshot

__all__ = ["heap_of"]


def heap_of(snapshot: HeapSnapshot) -> Heap:
    """Analyse a snapshot; seconds for a million objects."""
    graph = build_graph(snapshot)
    return Heap(snapshot, graph, analyse(snapshot, graph))
