"""The dominator tree as columns: a node's subtree, which is all that it retains, is one slice."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from relive_capture.explore.heap.analysis.graph import NONE
from relive_capture.explore.snapshots import Column

__all__ = ["DominatorTree", "build_tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DominatorTree:
    """`order` has the reached nodes depth first, siblings by what they retain, the largest first.

    By node: its place there in `position`, its `dominator`, the bytes that it retains, and the `count` of
    nodes in its subtree, itself included. Of a node that is not reached, `position` and `dominator` are NONE,
    `count` is 0, and it retains itself.
    """

    order: Column
    position: Column
    dominator: Column
    retained: Column
    count: Column

    def children(self, node: int) -> Iterator[int]:
        """Nodes that `node` dominates immediately, by what they retain, the largest first."""
        place = self.position[node]
        if place == NONE:
            return
        end = place + self.count[node]
        order, count = self.order, self.count
        place += 1
        while place < end:
            child = order[place]
            yield child
            place += max(count[child], 1)

    def subtree(self, node: int) -> Column:
        """`node` and all that it retains."""
        place = self.position[node]
        return self.order[place : place + self.count[node]] if place != NONE else array("I", [node])


def build_tree(walk: Column, above: Column, size: Column, nodes: int) -> DominatorTree:
    """`walk` and `above` are what `dominators` gives; nodes beyond the end of `size` have none."""
    retained = array("Q", size)
    retained.extend(0 for _ in range(nodes - len(size)))
    totals = [retained[node] for node in walk]
    counts = [1] * len(walk)
    for place in range(len(walk) - 1, 0, -1):
        parent = above[place]
        totals[parent] += totals[place]
        counts[parent] += counts[place]
    # Sorted is stable, and a dominator comes before what it dominates: so it does if both retain the same.
    by_size = sorted(range(len(walk)), key=totals.__getitem__, reverse=True)
    places = _places(by_size, above, counts)
    order = array("I", bytes(4 * len(walk)))
    position, dominator = array("I", b"\xff" * 4 * nodes), array("I", b"\xff" * 4 * nodes)
    count = array("I", bytes(4 * nodes))
    for node, place, parent, total, below in zip(walk, places, above, totals, counts, strict=True):
        order[place] = node
        position[node] = place
        dominator[node] = walk[parent]
        retained[node] = total
        count[node] = below
    dominator[walk[0]] = NONE
    return DominatorTree(order=order, position=position, dominator=dominator, retained=retained, count=count)


def _places(by_size: list[int], above: Column, counts: list[int]) -> list[int]:
    """Where each comes in the order: behind its parent and those siblings that retain more."""
    places = [0] * len(by_size)
    free = [1] * len(by_size)  # where the next child of each goes
    for walked in by_size:
        if walked:
            parent = above[walked]
            place = free[parent]
            places[walked] = place
            free[parent] = place + counts[walked]
            free[walked] = place + 1
    return places
