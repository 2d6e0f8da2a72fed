"""The objects of a snapshot as a graph with one root, above which nothing is held.

Below the root come threads, their frames, the frames' locals, modules and the interpreter; then the objects:

    root > thread > frame > local > object ...
    root > module > object ...

So one dominator tree answers for objects, locals, frames, threads and modules alike.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from relive_capture.explore.heap.analysis.frames import Stack, find_stack
from relive_capture.explore.snapshots import HeapSnapshot
from relive_capture.heap_format import INDEX, LABEL_SHIFT, LOCAL, HeapRoot

__all__ = ["FRAME_OBJECT", "NONE", "HeapGraph", "Holder", "build_graph"]

NONE: Final = 0xFFFF_FFFF
"""No node, no edge."""

FRAME_OBJECT: Final = INDEX << LABEL_SHIFT
"""The label of the edge from a frame to its own object: there is no string to name it by."""

_FRAME_KINDS: Final = ("frame", "thread")
_LAST: Final = "interpreter"


@dataclass(slots=True)
class Holder:
    """A node that is no object. `kind`: "root", "thread", "frame", "local", "module", "interpreter".

    `root` is the number of the HeapRoot that it stands for, -1 for the root and threads. `label` is that of
    the edge that leads to its object, for a local.
    """

    kind: str
    name: str
    root: int = -1
    label: int = 0
    parent: int = NONE
    targets: list[tuple[int, int]] = field(default_factory=list)  # (label, node)


@dataclass(frozen=True, slots=True)
class HeapGraph:
    """Nodes 0 .. objects - 1 are the objects, `root` is the number `objects`, its holders follow."""

    objects: int
    edges: int  # of the objects; those of the holders follow
    holders: list[Holder]
    holder_first: array[int]  # holders + 1 entries: edge numbers
    holder_edge: array[int]
    holder_label: array[int]
    stack: Stack

    @property
    def root(self) -> int:
        """The node that holds everything."""
        return self.objects

    @property
    def nodes(self) -> int:
        """Objects and holders."""
        return self.objects + len(self.holders)

    @property
    def late(self) -> list[int]:
        """Holders through which a path leads only if no other does."""
        return [self.objects + number for number, holder in enumerate(self.holders) if holder.kind == _LAST]

    def holder(self, node: int) -> Holder:
        """What a node that is no object stands for."""
        return self.holders[node - self.objects]


def build_graph(snapshot: HeapSnapshot, stack: Stack | None = None) -> HeapGraph:
    """The graph of `snapshot`, whose large columns stay there. `stack` is looked for if it is missing."""
    stack = stack if stack is not None else find_stack(snapshot)
    holders = _Holders(snapshot.objects, stack)
    for number in _in_order(snapshot.roots):
        root = snapshot.roots[number]
        if root.kind in _FRAME_KINDS:
            holders.add_frame(number, root)
        else:
            holders.add_root(number, root)
    first, edge, label = array("I", [snapshot.edges]), array("I"), array("I")
    for holder in holders.listed:
        label.extend(pair[0] for pair in holder.targets)
        edge.extend(pair[1] for pair in holder.targets)
        first.append(snapshot.edges + len(edge))
    return HeapGraph(snapshot.objects, snapshot.edges, holders.listed, first, edge, label, stack)


def _in_order(roots: list[HeapRoot]) -> Iterator[int]:
    """Frames of the failure, the innermost first; then modules, other threads, the interpreter."""
    kinds = ("frame", "module", "thread")
    groups: dict[str, list[int]] = {kind: [] for kind in (*kinds, _LAST)}
    for number, root in enumerate(roots):
        groups.get(root.kind, groups[_LAST]).append(number)
    yield from reversed(groups["frame"])
    yield from groups["module"]
    yield from reversed(groups["thread"])
    yield from groups[_LAST]


class _Holders:
    """Collects holders, each below the one that holds it; the first is the root."""

    def __init__(self, objects: int, stack: Stack) -> None:
        self._stack = stack
        self.listed = [Holder("root", "the process")]
        self._objects = objects
        self._threads: dict[str, int] = {}

    def add(self, kind: str, name: str, parent: int, root: int, label: int = 0) -> int:
        """The place of a new holder in the list."""
        place = len(self.listed)
        self.listed[parent].targets.append((label, self._objects + place))
        self.listed.append(Holder(kind, name, root, label, self._objects + parent))
        return place

    def add_frame(self, number: int, root: HeapRoot) -> None:
        """A frame below its thread, its locals below it."""
        thread = "" if root.kind == "frame" else root.name
        if thread not in self._threads:
            self._threads[thread] = self.add("thread", thread, 0, number)
        frame = self.add("frame", root.name, self._threads[thread], number)
        for label, target in root.targets:
            if label >> LABEL_SHIFT == LOCAL:
                local = self.add("local", "", frame, number, label)
                self.listed[local].targets.append((label, target))
            else:
                self.listed[frame].targets.append((label, target))
        if number in self._stack.frames:
            self.listed[frame].targets.append((FRAME_OBJECT, self._stack.frames[number]))

    def add_root(self, number: int, root: HeapRoot) -> None:
        """A module, or something else of the interpreter's."""
        kind = root.kind if root.kind == "module" else _LAST
        self.listed[self.add(kind, root.name, 0, number)].targets.extend(root.targets)
