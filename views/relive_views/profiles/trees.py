"""Where the time went, as trees and lines that screens draw."""

from __future__ import annotations

from dataclasses import replace

from relive_profiler.explore.diff import DiffRow
from relive_profiler.explore.folding import ENOUGH_SAMPLES, Folded, Stack, on_cpu
from relive_profiler.explore.hot import HotRow, hot_list
from relive_profiler.explore.tree import FlameTree, Weight, build

__all__ = [
    "ENOUGH_SAMPLES",
    "DiffRow",
    "FlameTree",
    "Folded",
    "HotRow",
    "Stack",
    "Weight",
    "build",
    "hot_list",
    "on_cpu",
    "shown_tree",
]


def shown_tree(tree: FlameTree) -> FlameTree:
    """The tree as people read it: of no samples an empty one. The root of one invocation's tree is called by
    its id, which is no name to read."""
    if not tree.samples:
        return FlameTree(note=tree.note, aggregate=tree.aggregate)
    return tree if tree.aggregate else replace(tree, name=["this invocation", *tree.name[1:]])
