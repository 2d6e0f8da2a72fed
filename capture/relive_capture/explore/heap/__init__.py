"""A heap to look around in: opened from a scene or a file, analysed once, kept beside the scenes."""

from __future__ import annotations

from relive_capture.explore.heap.cache import HeapCache, HeapKey, cache_of
from relive_capture.explore.heap.heap import Heap, Reference, RetainerPath, Step
from relive_capture.explore.heap.labels import SEPARATOR, edge_text, joined, place_text, type_text
from relive_capture.explore.heap.opening import heap_of, key_of, open_heap, open_v8
from relive_capture.explore.heap.v8_writing import write_v8

__all__ = [
    "SEPARATOR",
    "Heap",
    "HeapCache",
    "HeapKey",
    "Reference",
    "RetainerPath",
    "Step",
    "cache_of",
    "edge_text",
    "heap_of",
    "joined",
    "key_of",
    "open_heap",
    "open_v8",
    "place_text",
    "type_text",
    "write_v8",
]
