"""What takes seconds and is computed once: the graph, dominators, retained sizes, shortest paths, reach."""

from __future__ import annotations

from relive_capture.explore.heap.analysis.analysis import Analysis, SuspectNode, analyse, whole
from relive_capture.explore.heap.analysis.census import TypeColumns
from relive_capture.explore.heap.analysis.frames import Stack
from relive_capture.explore.heap.analysis.graph import FRAME_OBJECT, NONE, HeapGraph, Holder, build_graph
from relive_capture.explore.heap.analysis.reach import UNKNOWN
from relive_capture.explore.heap.analysis.tree import DominatorTree

__all__ = [
    "FRAME_OBJECT",
    "NONE",
    "UNKNOWN",
    "Analysis",
    "DominatorTree",
    "HeapGraph",
    "Holder",
    "Stack",
    "SuspectNode",
    "TypeColumns",
    "analyse",
    "build_graph",
    "whole",
]
