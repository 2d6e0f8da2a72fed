"""Locals that went from frame to frame are stored once; here every frame gets them back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relive_base.values import ValueNode

from relive_capture.model import ExceptionView, FrameView

__all__ = ["expand_references"]

MAX_EXPANDED: Final = 200_000
"""Nodes that expansion may add to what a view walks. Trees are shared, so this bounds time, not memory."""


def expand_references(views: list[ExceptionView]) -> None:
    """Replace each local that is only a reference by the tree that another frame has under its id."""
    frames = [frame for view in _all(views) for frame in view.frames]
    trees = {node.id: node for frame in frames for _, node in frame.locals if node.id and not node.ref}
    sizes: dict[int, int] = {}
    left = MAX_EXPANDED
    for frame in frames:
        left = _expand(frame, trees, sizes, left)
        if left <= 0:
            return


def _expand(frame: FrameView, trees: dict[int, ValueNode], sizes: dict[int, int], left: int) -> int:
    own = {node.id for _, node in frame.locals if not node.ref}
    for index, (name, node) in enumerate(frame.locals):
        tree = trees.get(node.id) if node.ref and node.id not in own else None
        if tree is None:
            continue
        if node.id not in sizes:
            sizes[node.id] = _size(tree)
        left -= sizes[node.id]
        if left <= 0:
            return left
        frame.locals[index] = (name, tree)
        own.add(node.id)
    return left


def _all(views: list[ExceptionView]) -> Iterator[ExceptionView]:
    pending = list(reversed(views))
    while pending:
        view = pending.pop()
        yield view
        pending.extend(reversed(view.group))


def _size(tree: ValueNode) -> int:
    pending, count = [tree], 0
    while pending:
        node = pending.pop()
        count += 1
        pending.extend(child for _, child in node.children)
    return count
