"""What a local leads to, of all that only its thread holds.

Two locals with the same rows retain none of them, each alone: the rows stay when one local goes. So a frame
may retain a gigabyte and none of its locals much. What a local reaches says which of them have to go.
"""

from __future__ import annotations

from array import array
from typing import Final

from relive_capture.explore.heap.analysis.graph import HeapGraph
from relive_capture.explore.heap.analysis.tree import DominatorTree
from relive_capture.explore.snapshots import HeapSnapshot

__all__ = ["UNKNOWN", "reach_of_locals"]

UNKNOWN: Final = (1 << 64) - 1
_WALKS: Final = 2  # over all edges, at most: locals that share a large structure walk it again, each of them


def reach_of_locals(snapshot: HeapSnapshot, graph: HeapGraph, tree: DominatorTree) -> array[int]:
    """Bytes by holder; UNKNOWN for what is no local, and if the budget ended."""
    found = array("Q", [UNKNOWN]) * len(graph.holders)
    known: dict[int, int] = {}  # by object: frames hand the same ones down
    within: dict[int, bytearray] = {}
    budget = _WALKS * (graph.edges + graph.objects)
    for number, holder in enumerate(graph.holders):
        if holder.kind != "local" or not holder.targets:
            continue
        node = holder.targets[0][1]
        if node not in known:
            if budget < 0:
                continue
            thread = graph.holder(holder.parent).parent
            if thread not in within:
                within = {thread: _mask(graph, tree, thread)}
            known[node], steps = _reach(snapshot, bytearray(within[thread]), node)
            budget -= steps
        found[number] = known[node]
    return found


def _mask(graph: HeapGraph, tree: DominatorTree, thread: int) -> bytearray:
    """1 for each object that `thread` retains."""
    mask = bytearray(graph.nodes)
    for node in tree.subtree(thread):
        mask[node] = 1
    return mask


def _reach(snapshot: HeapSnapshot, unseen: bytearray, node: int) -> tuple[int, int]:
    """(bytes, steps) of the walk from `node` over what is 1 in `unseen`."""
    if not unseen[node]:
        return 0, 1
    first, edge, size = snapshot.first_edge, snapshot.edge, snapshot.size
    unseen[node] = 0
    waiting = [node]
    total = size[node]
    steps = 0
    while waiting:
        here = waiting.pop()
        begin, end = first[here], first[here + 1]
        steps += 1 + end - begin
        for target in edge[begin:end]:
            if unseen[target]:
                unseen[target] = 0
                total += size[target]
                if first[target] != first[target + 1]:
                    waiting.append(target)
    return total, steps
