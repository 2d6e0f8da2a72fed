"""What is computed once for a snapshot and then kept: dominator tree, retained sizes, shortest paths,
referrers."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from relive_capture.explore.heap.analysis.census import TypeColumns, count_types
from relive_capture.explore.heap.analysis.dominators import dominators
from relive_capture.explore.heap.analysis.graph import HeapGraph
from relive_capture.explore.heap.analysis.reach import reach_of_locals
from relive_capture.explore.heap.analysis.shortest import shortest_edges
from relive_capture.explore.heap.analysis.tree import DominatorTree, build_tree
from relive_capture.explore.snapshots import Column, HeapSnapshot

__all__ = ["Analysis", "SuspectNode", "analyse", "group_by", "whole"]


class SuspectNode(msgspec.Struct, array_like=True, frozen=True):
    """A node that retains much, and `point`, if that spreads below it: most of the bytes there are those
    of type number `holds`, in `holds_count` objects of `holds_bytes` together; -1 if nothing is below."""

    node: int
    point: int
    holds: int
    holds_count: int
    holds_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Columns over the nodes of a HeapGraph.

    `via` is the number of the edge by which the shortest path reaches a node, `distance` that path's length.
    `referrer[first_referrer[node] : first_referrer[node + 1]]` are the numbers of the edges that lead to it.
    `reach` is by holder: the bytes that a local leads to, of those that only its thread holds.
    """

    tree: DominatorTree
    types: TypeColumns
    via: Column
    distance: Column
    first_referrer: Column
    referrer: Column
    reach: Column
    cpu_ns: int = 0


def analyse(snapshot: HeapSnapshot, graph: HeapGraph) -> Analysis:
    """Takes a few seconds for a million objects."""
    begun = time.process_time_ns()
    first, edge = whole(snapshot, graph)
    order, above = dominators(first, edge, graph.root)
    tree = build_tree(order, above, snapshot.size, graph.nodes)
    via, distance = shortest_edges(first, edge, graph.root, graph.late)
    first_referrer, referrer = group_by(edge, graph.nodes)
    return Analysis(
        tree=tree,
        types=count_types(snapshot, tree),
        via=via,
        distance=distance,
        first_referrer=first_referrer,
        referrer=referrer,
        reach=reach_of_locals(snapshot, graph, tree),
        cpu_ns=time.process_time_ns() - begun,
    )


def whole(snapshot: HeapSnapshot, graph: HeapGraph) -> tuple[array[int], array[int]]:
    """first_edge and edge of all nodes, the holders' behind those of the objects. An edge that is cut leads
    back to where it comes from, which is the same as nowhere."""
    first = array("I", snapshot.first_edge[: graph.objects])
    first.extend(graph.holder_first)
    edge = array("I", snapshot.edge)
    for number, source in graph.stack.cut.items():
        edge[number] = source
    edge.extend(graph.holder_edge)
    return first, edge


def group_by(key: Column, groups: int) -> tuple[array[int], array[int]]:
    """(first, position): the places in `key` that hold k are `position[first[k] : first[k + 1]]`."""
    counts = array("I", bytes(4 * (groups + 1)))
    for group in key:
        counts[group + 1] += 1
    first = array("I", accumulate(counts))
    end = first[:]
    position = array("I", bytes(4 * len(key)))
    for place, group in enumerate(key):
        slot = end[group]
        position[slot] = place
        end[group] = slot + 1
    return first, position
