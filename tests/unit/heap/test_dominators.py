"""Dominators of random graphs, against their definition and against igraph."""

from __future__ import annotations

from array import array

import igraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.explore.heap.analysis.dominators import depth_first, dominators, immediate

Graph = list[list[int]]


@st.composite
def graphs(draw: st.DrawFn, largest: int = 24) -> Graph:
    """Successors of each node; node 0 is the root, loops and equal edges are among them."""
    count = draw(st.integers(1, largest))
    node = st.integers(0, count - 1)
    return draw(st.lists(st.lists(node, max_size=6), min_size=count, max_size=count))


def flat(graph: Graph) -> tuple[array[int], array[int]]:
    first = array("I", [0])
    edge = array("I")
    for successors in graph:
        edge.extend(successors)
        first.append(len(edge))
    return first, edge


def ours(graph: Graph) -> dict[int, int]:
    order, above = dominators(*flat(graph), 0)
    return {node: order[place] for node, place in zip(order, above, strict=True)}


def reachable(graph: Graph, without: int = -1) -> set[int]:
    found = set() if without == 0 else {0}
    pending = list(found)
    while pending:
        for node in graph[pending.pop()]:
            if node not in found and node != without:
                found.add(node)
                pending.append(node)
    return found


def by_definition(graph: Graph) -> dict[int, int]:
    """d dominates n when n cannot be reached without d; the immediate one is dominated by all the others."""
    all_of_them = reachable(graph)
    lost = {node: all_of_them - reachable(graph, node) for node in all_of_them}
    found = {0: 0}
    for node in all_of_them - {0}:
        above = [other for other in all_of_them if other != node and node in lost[other]]
        found[node] = min(above, key=lambda other: len(lost[other]))
    return found


@settings(deadline=None)
@given(graphs())
def test_dominators_are_what_the_definition_says(graph: Graph) -> None:
    assert ours(graph) == by_definition(graph)


@settings(deadline=None)
@given(graphs(largest=120))
def test_dominators_agree_with_igraph(graph: Graph) -> None:
    edges = [(node, successor) for node, successors in enumerate(graph) for successor in successors]
    found = igraph.Graph(n=len(graph), edges=edges, directed=True).dominator(0)
    theirs = {node: above for node, above in enumerate(found) if above >= 0}
    assert ours(graph) == {0: 0, **theirs}


@settings(deadline=None)
@given(graphs())
def test_the_guarded_last_step_finds_the_same(graph: Graph) -> None:
    walked = depth_first(*flat(graph), 0)
    again = depth_first(*flat(graph), 0)
    # No step is allowed, so the first one that is needed goes over to the jump pointers.
    assert immediate(walked, steps_per_node=0) == immediate(again)


@pytest.mark.parametrize("length", [50_000])
def test_a_long_chain_that_refers_to_what_all_share_takes_no_quadratic_time(length: int) -> None:
    # Given a linked list whose every item refers to an object that the first one holds, and back
    graph = [[1, 2]] + [[2] for _ in range(1)] + [[]]
    graph = [[1]] + [[number + 1, length + 1, max(number - 1, 1)] for number in range(1, length)] + [[], []]
    order, above = dominators(*flat(graph), 0)
    by_node = {node: order[place] for node, place in zip(order, above, strict=True)}
    assert by_node[length + 1] == 1
    assert by_node[length] == length - 1
