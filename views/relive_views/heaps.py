"""Heaps, as every face looks into them."""

from __future__ import annotations

from relive_capture.explore.heap import (
    Heap,
    HeapCache,
    HeapKey,
    RetainerPath,
    cache_of,
    findings,
    key_of,
    open_heap,
    open_v8,
    type_text,
    write_v8,
)
from relive_capture.explore.heap.findings import (
    Comparison,
    LocalRow,
    PlaceGrowth,
    Suspect,
    compare,
    is_ours,
    locals_of,
    marks_ours,
    suspects,
)
from relive_capture.explore.scene import find_baseline

__all__ = [
    "Comparison",
    "Heap",
    "HeapCache",
    "HeapKey",
    "LocalRow",
    "PlaceGrowth",
    "RetainerPath",
    "Suspect",
    "cache_of",
    "compare",
    "find_baseline",
    "findings",
    "is_ours",
    "key_of",
    "locals_of",
    "marks_ours",
    "open_heap",
    "open_v8",
    "suspects",
    "type_text",
    "write_v8",
]
