"""Heap snapshots as they come: Relive's own columns and V8's format, checked before anything is done."""

from __future__ import annotations

from relive_capture.explore.snapshots.collecting import collect_heap, remove_raw
from relive_capture.explore.snapshots.reading import FOLDER, column_name, read_members, read_meta
from relive_capture.explore.snapshots.snapshot import Column, HeapLimits, HeapSnapshot
from relive_capture.explore.snapshots.v8_reading import read_v8

__all__ = [
    "FOLDER",
    "Column",
    "HeapLimits",
    "HeapSnapshot",
    "collect_heap",
    "column_name",
    "read_members",
    "read_meta",
    "read_v8",
    "remove_raw",
]
