"""The frame objects of the stack that the roots speak of.

A traceback holds the frames of the failure, and each frame its locals: as far as that goes, a local is held
by the exception as well as by its frame, and no frame would retain anything. What such an object holds is
its frame's. A frame that is no root (of an exception that somebody has kept) stays what it is.
"""

from __future__ import annotations

from relive_capture.explore.heap.snapshot import HeapSnapshot
from relive_capture.heap_format import LABEL_SHIFT, LOCAL

__all__ = ["frames_on_stack"]

_MAX_FRAMES = 20_000


def frames_on_stack(snapshot: HeapSnapshot) -> list[int]:
    """Numbers of the frame objects that hold all locals of a frame among the roots."""
    stack = _locals_of_roots(snapshot)
    found = []
    first, edge = snapshot.first_edge, snapshot.edge
    for number in _frame_objects(snapshot):
        held = frozenset(edge[first[number] : first[number + 1]])
        candidates = (targets for target in held for targets in stack.get(target, ()))
        if any(targets <= held for targets in candidates):
            found.append(number)
    return found


def _locals_of_roots(snapshot: HeapSnapshot) -> dict[int, list[frozenset[int]]]:
    """The locals of each frame, found by one of them."""
    stack: dict[int, list[frozenset[int]]] = {}
    for root in snapshot.roots:
        if root.kind in ("frame", "thread"):
            targets = frozenset(target for label, target in root.targets if label >> LABEL_SHIFT == LOCAL)
            if targets:
                stack.setdefault(min(targets), []).append(targets)
    return stack


def _frame_objects(snapshot: HeapSnapshot) -> list[int]:
    kinds = {
        number
        for number, kind in enumerate(snapshot.types)
        if kind.name == "frame" and kind.module == "builtins"
    }
    found: list[int] = []
    if kinds:
        found = [number for number, kind in enumerate(snapshot.type) if kind in kinds]
    return found[:_MAX_FRAMES]
