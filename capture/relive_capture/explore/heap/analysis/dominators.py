"""Immediate dominators: for each node the nearest one that every path from the root passes.

Semi-NCA (Georgiadis, "Linear-time algorithms for dominators and related problems", 2005) over flat arrays.
The nodes are numbered depth first. A node's semidominator comes from its predecessors: from one with a lower
number it is that itself, and the walk has met the lowest of them already; only those with a higher number
must be kept and looked up, with path compression. Then the dominator is the nearest common ancestor of the
semidominator and the parent, in the part of the tree that is already there.

Time O(edges * log nodes), except for the last step, which a hostile graph can make quadratic: it gets jump
pointers if it has taken too many steps. Nothing recurses.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

from relive_capture.explore.snapshots import Column

__all__ = ["Spanning", "depth_first", "dominators", "immediate"]

_STEPS_PER_NODE: Final = 16


@dataclass(slots=True)
class Spanning:
    """Nodes in the order of a depth-first walk. All but `order` speak of nodes by their place in it.

    `semi` has the lowest predecessor of each; `source` and `target` are the edges from a higher to a lower
    place.
    """

    order: array[int]
    parent: array[int]
    semi: array[int]
    source: array[int]
    target: array[int]


def dominators(first: Column, edge: Column, root: int) -> tuple[array[int], array[int]]:
    """(order, dominator): the nodes that `root` reaches, and for each the place of its dominator in that
    order, which is always an earlier one; the root's is 0."""
    spanning = depth_first(first, edge, root)
    return spanning.order, immediate(spanning)


def depth_first(first: Column, edge: Column, root: int) -> Spanning:
    """Walk the edges `edge[first[node] : first[node + 1]]`."""
    place = array("i", b"\xff" * 4 * (len(first) - 1))
    order, parent, semi = array("I", [root]), array("I", [0]), array("I", [0])
    source, target = array("I"), array("I")
    place[root] = here = 0
    count = 1
    waiting = []
    edges = iter(edge[first[root] : first[root + 1]])
    while True:
        for node in edges:
            there = place[node]
            if there < 0:
                place[node] = count
                order.append(node)
                parent.append(here)
                semi.append(here)
                count += 1
                begin, end = first[node], first[node + 1]
                if begin != end:
                    waiting.append((here, edges))
                    here, edges = count - 1, iter(edge[begin:end])
                    break
            elif there > here:
                if here < semi[there]:
                    semi[there] = here
            elif semi[there]:  # 0 can not get lower
                source.append(here)
                target.append(there)
        else:
            if not waiting:
                return Spanning(order, parent, semi, source, target)
            here, edges = waiting.pop()


def immediate(spanning: Spanning, steps_per_node: int = _STEPS_PER_NODE) -> array[int]:
    """The dominator's place for each place. `spanning.semi` holds the semidominators afterwards."""
    _semidominators(spanning)
    dominator = spanning.parent[:]
    steps = steps_per_node * len(dominator)
    semi = spanning.semi
    for here in range(1, len(dominator)):
        above, lowest = dominator[here], semi[here]
        if above > lowest:
            while above > lowest:
                above = dominator[above]
                steps -= 1
            dominator[here] = above
            if steps < 0:
                return _with_jumps(spanning)
    return dominator


def _semidominators(spanning: Spanning) -> None:
    semi, source = spanning.semi, spanning.source
    last, earlier = _by_target(len(semi), spanning.target)
    low, ancestor = semi[:], spanning.parent[:]  # the lowest semidominator up to the ancestor, exclusive
    for here in range(len(semi) - 1, 0, -1):
        link = last[here]
        if link < 0:
            continue
        lowest = semi[here]
        while link >= 0 and lowest:
            node = source[link]
            link = earlier[link]
            above = ancestor[node]
            if above > here:
                if ancestor[above] > here:
                    _compress(node, here, low, ancestor)
                else:  # most ways up are this short
                    ancestor[node] = ancestor[above]
                    if low[above] < low[node]:
                        low[node] = low[above]
            if low[node] < lowest:
                lowest = low[node]
        semi[here] = low[here] = lowest


def _compress(node: int, here: int, low: array[int], ancestor: array[int]) -> None:
    """Let every node on the way up from `node` point at the first ancestor that is not below `here`."""
    path = []
    above = ancestor[node]
    while above > here:
        path.append(node)
        node, above = above, ancestor[above]
    lowest = low[node]
    for node in reversed(path):
        if low[node] < lowest:
            lowest = low[node]
        else:
            low[node] = lowest
        ancestor[node] = above


def _by_target(nodes: int, target: array[int]) -> tuple[array[int], array[int]]:
    """Linked lists of the edges with the same target: the last one of each, and the one before each."""
    last = array("i", b"\xff" * 4 * nodes)
    earlier = array("i")
    for number, node in enumerate(target):
        earlier.append(last[node])
        last[node] = number
    return last, earlier


def _with_jumps(spanning: Spanning) -> array[int]:
    """The last step with a jump pointer for each node (Myers' skew-binary ones): O(log nodes) each."""
    semi, dominator = spanning.semi, spanning.parent[:]
    depth, jump = array("I", bytes(4 * len(semi))), array("I", bytes(4 * len(semi)))
    for here in range(1, len(semi)):
        above, lowest = dominator[here], semi[here]
        while above > lowest:
            above = jump[above] if jump[above] >= lowest else dominator[above]
        dominator[here] = above
        depth[here] = depth[above] + 1
        far = jump[above]
        equal = depth[above] - depth[far] == depth[far] - depth[jump[far]]
        jump[here] = jump[far] if equal else above
    return dominator
