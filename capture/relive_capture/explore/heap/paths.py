"""Paths from the root to a node, the shortest first."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from relive_capture.explore.heap.analysis import NONE, Analysis, HeapGraph
from relive_capture.explore.snapshots import HeapSnapshot

__all__ = ["PathFinder"]

_MAX_REFERRERS: Final = 1_000  # of one node that are tried
_MAX_TRIES: Final = 2_000
_MAX_STEPS: Final = 2_000  # of a path that is varied


@dataclass(order=True, slots=True)
class _Candidate:
    """A path: the shortest one to the source of `edges[0]`, then `edges`."""

    length: int
    number: int
    edges: tuple[int, ...]


class PathFinder:
    """Walks edges backwards. Edge numbers from `graph.edges` on are those of the holders."""

    def __init__(self, snapshot: HeapSnapshot, graph: HeapGraph, analysis: Analysis) -> None:
        self._snapshot = snapshot
        self._graph = graph
        self._analysis = analysis

    def source(self, number: int) -> int:
        """The node that an edge comes from."""
        graph = self._graph
        if number >= graph.edges:
            return graph.objects + bisect_right(graph.holder_first, number) - 1
        return bisect_right(self._snapshot.first_edge, number, 0, graph.objects + 1) - 1

    def target(self, number: int) -> int:
        """The node that an edge leads to."""
        graph = self._graph
        if number >= graph.edges:
            return graph.holder_edge[number - graph.edges]
        return self._snapshot.edge[number]

    def label(self, number: int) -> int:
        """The label of an edge."""
        graph = self._graph
        if number >= graph.edges:
            return graph.holder_label[number - graph.edges]
        return self._snapshot.label[number]

    def referrers(self, node: int) -> array[int] | memoryview[int]:
        """The numbers of the edges that lead to `node`."""
        first = self._analysis.first_referrer
        return self._analysis.referrer[first[node] : first[node + 1]]

    def shortest(self, node: int) -> list[int]:
        """The edges of the shortest path to `node`; none for the root and for what nothing holds."""
        edges = []
        via = self._analysis.via
        while (number := via[node]) != NONE:
            edges.append(number)
            node = self.source(number)
        edges.reverse()
        return edges

    def paths(self, node: int) -> Iterator[list[int]]:
        """Different paths to `node` that pass no node twice, the shortest first; at most some thousand are
        tried.

        Each path leaves the shortest one to some node on it by another edge (Eppstein's sidetracks): so every
        path is made exactly once, from the one that it shares its end with.
        """
        distance = self._analysis.distance
        if distance[node] == NONE:
            return
        waiting = [_Candidate(distance[node], 0, ())]
        tries = 1
        while waiting:
            candidate = heapq.heappop(waiting)
            head = self.shortest(self.source(candidate.edges[0]) if candidate.edges else node)
            path = [*head, *candidate.edges]
            if self._is_simple(path):
                yield path
            for length, edges in self._sidetracks(head, candidate.edges, node):
                if tries < _MAX_TRIES:
                    heapq.heappush(waiting, _Candidate(length, tries, edges))
                    tries += 1

    def _sidetracks(
        self, head: list[int], tail: tuple[int, ...], node: int
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """(length, edges) of the paths that enter a node of `head` by another edge than the shortest one."""
        distance, via = self._analysis.distance, self._analysis.via
        if len(head) + len(tail) > _MAX_STEPS:
            return
        here = self.source(tail[0]) if tail else node
        after = tail
        passed = {self.target(number) for number in tail} | {here}
        for number in reversed(head):
            for other in islice(self.referrers(here), _MAX_REFERRERS):
                source = self.source(other)
                if other != via[here] and source not in passed and distance[source] != NONE:
                    yield distance[source] + 1 + len(after), (other, *after)
            here = self.source(number)
            after = (number, *after)
            passed.add(here)

    def _is_simple(self, path: list[int]) -> bool:
        nodes = {self.source(number) for number in path}
        return len(nodes) == len(path) and (not path or self.target(path[-1]) not in nodes)
