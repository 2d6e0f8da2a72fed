"""Breadth first from the root: by which edge the shortest path reaches each node, and how long it is."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from relive_capture.explore.heap.analysis.graph import NONE
from relive_capture.explore.snapshots import Column

__all__ = ["shortest_edges"]


def shortest_edges(
    first: Column, edge: Column, root: int, late: Iterable[int]
) -> tuple[array[int], array[int]]:
    """(via, distance) by node: the number of the edge that leads to it, and how many edges that is from the
    root. Both are NONE for what the root does not reach; the root has no edge.

    The root's successors in `late` are followed only when everything that the others reach was reached.
    """
    via = array("I", b"\xff" * 4 * (len(first) - 1))
    distance = via[:]
    distance[root] = 0
    later = set(late)
    numbers = range(first[root], first[root + 1])
    for chosen in (False, True):
        level = []
        for number in numbers:
            target = edge[number]
            if (target in later) is chosen and distance[target] == NONE:
                via[target], distance[target] = number, 1
                level.append(target)
        _spread(first, edge, via, distance, level)
    return via, distance


def _spread(first: Column, edge: Column, via: array[int], distance: array[int], level: list[int]) -> None:
    length = 1
    while level:
        length += 1
        below: list[int] = []
        reached = below.append
        for node in level:
            number = first[node]
            for target in edge[number : first[node + 1]]:
                if distance[target] == NONE:
                    via[target] = number
                    distance[target] = length
                    reached(target)
                number += 1
        level = below
