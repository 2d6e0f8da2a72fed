"""Heap snapshots: reading, dominators and retained sizes, paths, summaries, comparison."""

from __future__ import annotations
