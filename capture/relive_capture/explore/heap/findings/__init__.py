"""What a heap says: what fills it, what looks like a leak, what has grown, what of it is Relive's own."""

from __future__ import annotations

from relive_capture.explore.heap.findings.growth import Comparison, PlaceGrowth, TypeGrowth, compare
from relive_capture.explore.heap.findings.leaks import SUSPECT_SHARE, Suspect, find_suspects, suspects
from relive_capture.explore.heap.findings.ours import is_ours, marks_ours
from relive_capture.explore.heap.findings.summaries import (
    LocalRow,
    ModuleRow,
    ThreadRow,
    TypeRow,
    biggest,
    locals_of,
    modules,
    threads,
    types,
)

__all__ = [
    "SUSPECT_SHARE",
    "Comparison",
    "LocalRow",
    "ModuleRow",
    "PlaceGrowth",
    "Suspect",
    "ThreadRow",
    "TypeGrowth",
    "TypeRow",
    "biggest",
    "compare",
    "find_suspects",
    "is_ours",
    "locals_of",
    "marks_ours",
    "modules",
    "suspects",
    "threads",
    "types",
]
