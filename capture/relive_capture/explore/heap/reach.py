"""What a local leads to, of all that only its thread holds.

Two locals with the same rows retain none of them, each alone: the rows stay when one local goes. So a frame
may retain a gigabyte and none of its locals much. What a local reaches says which of them have to go.
"""

from __future__ import annotations

from array import array
from typing import Final

from relive_capture.explore.heap.graph import NONE, HeapGraph
from relive_capture.explore.heap.snapshot import HeapSnapshot
from relive_capture.explore.heap.tree import DominatorTree

__all__ = ["UNKNOWN", "reach_of_locals"]

UNKNOWN: Final = (1 << 64) - 1
_WALKS: Final = 4  # over all edges, at most: locals that share a large structure walk it again, each of them


def reach_of_locals(snapshot: HeapSnapshot, graph: HeapGraph, tree: DominatorTree) -> array[int]:
    """Bytes by holder; UNKNOWN for what is no local, and where the budget ended."""
    found = array("Q", [UNKNOWN]) * len(graph.holders)
    known: dict[int, int] = {}  # by object: frames hand the same ones down
    budget = _WALKS * (graph.edges + graph.objects)
    for number, holder in enumerate(graph.holders):
        if holder.kind != "local" or not holder.targets:
            continue
        node = holder.targets[0][1]
        if node not in known:
            if budget < 0:
                continue
            thread = graph.holder(holder.parent).parent
            known[node], steps = _reach(snapshot, tree, thread, node)
            budget -= steps
        found[number] = known[node]
    return found


def _reach(snapshot: HeapSnapshot, tree: DominatorTree, thread: int, node: int) -> tuple[int, int]:
    """(bytes, steps) of the walk from `node` within what `thread` retains."""
    position, first, edge = tree.position, snapshot.first_edge, snapshot.edge
    begin = position[thread]
    length = tree.count[thread] if begin != NONE else 0
    seen = bytearray(length)
    if not 0 <= position[node] - begin < length:
        return 0, 1
    seen[position[node] - begin] = 1
    waiting = [node]
    total = steps = 0
    while waiting:
        here = waiting.pop()
        total += snapshot.size[here]
        steps += 1
        for target in edge[first[here] : first[here + 1]]:
            steps += 1
            place = position[target] - begin
            if 0 <= place < length and not seen[place]:
                seen[place] = 1
                waiting.append(target)
    return total, steps
