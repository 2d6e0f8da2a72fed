"""The frame objects of the stack that the roots speak of.

A traceback holds the frames of the failure, and each frame its locals: as far as that goes, a local is held
by the exception as well as by its frame, and no frame would retain anything. So such an object is a part of
its frame: only the frame holds it, and the locals are not its own. A frame that is no root (of an exception
that somebody has kept) stays what it is.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from relive_capture.explore.snapshots import HeapSnapshot
from relive_capture.heap_format import LABEL_SHIFT, LOCAL

__all__ = ["Stack", "find_stack"]

_MAX_FRAMES = 20_000


class Stack(msgspec.Struct, frozen=True):
    """`frames`: number of a HeapRoot to its frame object. `cut`: the edges that count as none, each with the
    object that it comes from: those that lead to the frame objects, and from these to the locals."""

    frames: dict[int, int] = {}
    cut: dict[int, int] = {}


def find_stack(snapshot: HeapSnapshot) -> Stack:
    """The frame objects that hold all locals of a frame among the roots."""
    locals_of = _locals_of_roots(snapshot)
    frames: dict[int, int] = {}
    first, edge = snapshot.first_edge, snapshot.edge
    for number in _frame_objects(snapshot) if locals_of else ():
        held = frozenset(edge[first[number] : first[number + 1]])
        pairs = [pair for target in held for pair in locals_of.get(target, ()) if pair[0] not in frames]
        # A frame that was called with them has some of the same locals: the one with most is it.
        fitting = [pair for pair in pairs if pair[1] <= held]
        if fitting:
            frames[max(fitting, key=lambda pair: len(pair[1]))[0]] = number
    cut = _cut(snapshot, frames) if frames else []
    return Stack(frames, {number: bisect_right(first, number) - 1 for number in cut})


def _cut(snapshot: HeapSnapshot, frames: dict[int, int]) -> list[int]:
    """Edges to the frame objects, and from them to the locals of their frames; so from the dict that a frame
    object has made of its locals when somebody asked for them (`f_locals`), which nothing else holds."""
    first, edge = snapshot.first_edge, snapshot.edge
    dicts = _dicts(snapshot, frames)
    objects = set(frames.values())
    leading: dict[int, list[int]] = {number: [] for number in (*objects, *dicts)}
    for place, target in enumerate(edge):
        if target in leading:
            leading[target].append(place)
    sources = [
        *frames.items(),
        *((root, number) for number, root in dicts.items() if len(leading[number]) == 1),
    ]
    cut = [place for number in objects for place in leading[number]]
    for root, number in sources:
        own = {target for label, target in snapshot.roots[root].targets if label >> LABEL_SHIFT == LOCAL}
        cut += [place for place in range(first[number], first[number + 1]) if edge[place] in own]
    return cut


def _dicts(snapshot: HeapSnapshot, frames: dict[int, int]) -> dict[int, int]:
    """The dicts that frame objects hold, each with the number of its root."""
    first, edge, kinds = snapshot.first_edge, snapshot.edge, snapshot.types
    return {
        target: root
        for root, number in frames.items()
        for target in edge[first[number] : first[number + 1]]
        if kinds[snapshot.type[target]].name == "dict"
    }


def _locals_of_roots(snapshot: HeapSnapshot) -> dict[int, list[tuple[int, frozenset[int]]]]:
    """(number of the root, its locals), found by one of them."""
    stack: dict[int, list[tuple[int, frozenset[int]]]] = {}
    for number, root in enumerate(snapshot.roots):
        if root.kind in ("frame", "thread"):
            targets = frozenset(target for label, target in root.targets if label >> LABEL_SHIFT == LOCAL)
            if targets:
                stack.setdefault(min(targets), []).append((number, targets))
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
