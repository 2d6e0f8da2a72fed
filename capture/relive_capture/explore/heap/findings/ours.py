"""What in a heap is Relive's own: its modules and objects of its classes, and what only these hold."""

from __future__ import annotations

from typing import Final

from relive_base.own_code import is_own_name

from relive_capture.explore.heap.heap import Heap

__all__ = ["is_ours", "marks_ours"]

_MODULE: Final = "module "  # how the text of a path begins at one
_OF_USERS: Final = ("frame", "local", "thread")


def marks_ours(heap: Heap, node: int) -> bool:
    """Whether the node itself is a module of Relive's, or an object of one of its classes."""
    if heap.is_object(node):
        return is_own_name(heap.snapshot.types[heap.snapshot.type[node]].module)
    holder = heap.holder(node)
    return holder.kind == "module" and is_own_name(holder.name)


def is_ours(heap: Heap, node: int) -> bool:
    """Whether the shortest path to the node begins at a module of Relive's, or leads through its objects
    while neither a frame nor a module of the user's holds them."""
    path = heap.path(node) if heap.is_object(node) else None
    if path is None or not path.steps:
        return marks_ours(heap, node)
    first = path.steps[0]
    if first.label.startswith(_MODULE):
        return is_own_name(first.label.removeprefix(_MODULE))
    if not heap.is_object(first.node) and heap.holder(first.node).kind in _OF_USERS:
        return False
    return any(marks_ours(heap, step.node) for step in path.steps)
