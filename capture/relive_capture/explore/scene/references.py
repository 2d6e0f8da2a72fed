"""Locals that went from frame to frame are stored once; here every frame gets them back."""

from __future__ import annotations

from typing import Final

from relive_base.values import ValueNode

from relive_capture.model import ExceptionView, every_exception

__all__ = ["MAX_EXPANDED", "expand_references"]

MAX_EXPANDED: Final = 200_000
"""Nodes that expansion may add to what a view walks; 64 characters of text count as one, too. Trees are
shared until a scene is written out as JSON."""


def expand_references(views: list[ExceptionView], left: int = MAX_EXPANDED) -> int:
    """Replace each local, and attribute of an exception, that is only a reference by the tree that another
    frame has under its id. Gives what is left of the `left` nodes that it may add."""
    frames = [frame for view, _ in every_exception(views) for frame in view.frames]
    trees: dict[int, ValueNode] = {}
    sizes: dict[int, int] = {}
    for frame in frames:
        for _, node in frame.locals:
            if node.id and not node.ref:
                # outer frames keep less of a value, so the largest tree of it is the one to show
                size = _size(node)
                if size > sizes.get(node.id, 0):
                    trees[node.id], sizes[node.id] = node, size
    named = [frame.locals for frame in frames] + [view.attributes for view, _ in every_exception(views)]
    for values in named:
        left = _expand(values, trees, sizes, left)
        if left <= 0:
            break
    return left


def _expand(
    values: list[tuple[str, ValueNode]], trees: dict[int, ValueNode], sizes: dict[int, int], left: int
) -> int:
    for index, (name, node) in enumerate(values):
        tree = trees.get(node.id) if node.ref else None
        if tree is None:
            continue
        left -= sizes[node.id]
        if left <= 0:
            return left
        values[index] = (name, tree)
    return left


def _size(tree: ValueNode) -> int:
    pending, count = [tree], 0
    while pending:
        node = pending.pop()
        count += 1 + len(node.text) // 64
        pending.extend(child for _, child in node.children)
    return count
