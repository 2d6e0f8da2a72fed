"""Tier T1: the snapshot of the heap that a failed process writes of itself."""

from __future__ import annotations

from relive_capture.record.heap.native import PURE_VARIABLE, native_walk
from relive_capture.record.heap.snapshot import take_heap

__all__ = ["PURE_VARIABLE", "native_walk", "take_heap"]
