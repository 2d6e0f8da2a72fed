"""The nodes of a tree that an export writes: the heaviest, with names that every reader bears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relive_base.terminal import one_line

from relive_profiler.explore.tree import FlameTree

__all__ = ["Node", "clean", "kept_nodes", "least_value"]


@dataclass(frozen=True, slots=True)
class Node:
    """One of them, in drawing order. `own`: its own value and that of what was left out below it."""

    index: int
    name: str
    file: str
    line: int
    depth: int
    start: int
    value: int
    own: int


def kept_nodes(tree: FlameTree, max_nodes: int) -> Iterator[Node]:
    """At most about `max_nodes`, parents before children; the lightest beyond go to their parents."""
    least = least_value(tree, max_nodes)
    node = 0
    while node < len(tree):
        if tree.value[node] < least:
            node = tree.end[node]
            continue
        own = tree.self_value[node]
        if least:
            own += sum(tree.value[child] for child in tree.children(node) if tree.value[child] < least)
        yield Node(
            node,
            clean(tree.name[node]),
            clean(tree.file[node]),
            tree.line[node],
            tree.depth[node],
            tree.start[node],
            tree.value[node],
            own,
        )
        node += 1


def least_value(tree: FlameTree, max_nodes: int) -> int:
    """What a node must weigh to be kept; 0 if all are."""
    return sorted(tree.value, reverse=True)[max_nodes] if len(tree) > max_nodes else 0


def clean(text: str) -> str:
    """One line without control characters, which UTF-8 can carry."""
    return one_line(text.encode("utf-8", "backslashreplace").decode("utf-8"))
