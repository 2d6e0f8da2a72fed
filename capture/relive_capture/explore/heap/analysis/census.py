"""Objects and bytes by type."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from relive_capture.explore.heap.analysis.tree import DominatorTree
from relive_capture.explore.snapshots import Column, HeapSnapshot

__all__ = ["TypeColumns", "count_types"]


@dataclass(frozen=True, slots=True)
class TypeColumns:
    """By number of the type: objects, their own bytes, the bytes that they retain together."""

    count: Column
    shallow: Column
    retained: Column


def count_types(snapshot: HeapSnapshot, tree: DominatorTree) -> TypeColumns:
    """One pass over the dominator tree; for the analysis, which keeps the result."""
    columns = [array("Q", bytes(8 * len(snapshot.types))) for _ in range(3)]
    count, shallow, retained = columns
    end = [0] * len(snapshot.types)  # of the subtree of the last object of the type that no other one holds
    objects, kinds, sizes = snapshot.objects, snapshot.type, snapshot.size
    for place, node in enumerate(tree.order):
        if node < objects:
            kind = kinds[node]
            count[kind] += 1
            shallow[kind] += sizes[node]
            if place >= end[kind]:
                end[kind] = place + tree.count[node]
                retained[kind] += tree.retained[node]
    return TypeColumns(count, shallow, retained)
