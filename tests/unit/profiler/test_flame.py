from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.tree import build


def _check(tree):
    """What holds for every tree: children lie within their parent, in order, and values add up."""
    for node in range(len(tree)):
        children = tree.children(node)
        assert tree.value[node] == tree.self_value[node] + sum(tree.value[child] for child in children)
        position = tree.start[node]
        for child in children:
            assert tree.parent[child] == node
            assert tree.depth[child] == tree.depth[node] + 1
            assert tree.start[child] == position
            position += tree.value[child]
        assert [tree.value[child] for child in children] == sorted(
            (tree.value[child] for child in children), reverse=True
        )


def test_stacks_become_a_tree_heaviest_first(stack, folded):
    tree = build(folded(stack("h b", ms=1), stack("h a c", ms=5), stack("h a", ms=2)), title="checkout")
    assert tree.name == ["checkout", "h", "a", "c", "b"]
    assert tree.depth == [0, 1, 2, 3, 2]
    assert tree.value == [8_000_000, 8_000_000, 7_000_000, 5_000_000, 1_000_000]
    assert tree.self_value == [0, 0, 2_000_000, 5_000_000, 1_000_000]
    assert tree.start == [0, 0, 0, 0, 7_000_000]
    assert tree.end == [5, 5, 4, 4, 5]
    assert tree.path(3) == [0, 1, 2, 3]
    assert tree.children(1) == [2, 4]
    _check(tree)


def test_weights_are_wall_cpu_or_samples(stack, folded):
    stacks = folded(stack("h", ms=9, cpu_ms=1, samples=3))
    assert build(stacks).value[0] == 9_000_000
    assert build(stacks, weight="cpu").value[0] == 1_000_000
    assert build(stacks, weight="samples").value[0] == 3


def test_lines_may_be_nodes_of_their_own(stack, folded):
    stacks = folded(stack("h", ms=2, line=4), stack("h", ms=1, line=5))
    assert build(stacks).line == [0, 4]
    assert build(stacks, by_line=True).line == [0, 4, 5]


def test_nothing_is_a_tree_of_its_root():
    tree = build(Folded())
    assert (len(tree), tree.value, tree.confidence) == (1, [0], "none")
    assert tree.children(0) == []


names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(tuple)


@given(st.lists(st.tuples(names, st.integers(0, 1000)), max_size=30))
def test_any_stacks_add_up(items):
    stacks = [Stack("f", path, path, (1,) * len(path), 1, weight, 0) for path, weight in items]
    tree = build(Folded(sorted(stacks, key=lambda stack: -stack.wall_ns)))
    _check(tree)
    assert tree.value[0] == sum(weight for _, weight in items)


def test_two_hundred_thousand_frames_are_built_quickly():
    # Given 10,000 stacks of 20 frames that share nothing but their root
    stacks = [
        Stack(
            "f", ("h", *(f"g{number}_{depth}" for depth in range(20))), ("x.py",) * 21, (1,) * 21, 1, 10, 10
        )
        for number in range(10_000)
    ]
    began = time.process_time()
    tree = build(Folded(stacks))
    assert len(tree) == 200_002
    assert time.process_time() - began < 3.0  # takes about 0.6 s; the margin is for a busy machine
