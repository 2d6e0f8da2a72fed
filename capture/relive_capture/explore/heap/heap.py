"""A heap to look around in: objects and what holds them, by number."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from relive_base.terminal import one_line

from relive_capture.explore.heap.analysis import FRAME_OBJECT, NONE, Analysis, HeapGraph, Holder, SuspectNode
from relive_capture.explore.heap.labels import edge_text, joined, place_text, type_text
from relive_capture.explore.heap.paths import PathFinder
from relive_capture.explore.snapshots import HeapSnapshot
from relive_capture.heap_format import INTERNAL, LABEL_SHIFT, HeapMeta

_ON_THEIR_OWN: Final = ("root", "thread", "frame")  # holders that are no name of one object
_PATH_STEPS: Final = 50  # at either end of a path
_UNNAMED: Final = edge_text(INTERNAL << LABEL_SHIFT, [""])

__all__ = ["Heap", "Reference", "RetainerPath", "Step"]


@dataclass(frozen=True, slots=True)
class Reference:
    """An edge between two nodes, `node` is the other one: `label` is `.name`, `[3]`, `['sku']`, `basket`."""

    node: int
    label: str


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a path and the label of the edge that leads to it: of a holder its name."""

    node: int
    label: str
    kind: str
    retained: int


@dataclass(frozen=True, slots=True)
class RetainerPath:
    """From a thread, a module or the interpreter (the first step) to the object (the last one)."""

    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """`cart.py:88 handler › basket › ['items'] › [3]`."""
        shown = [step.label for step in self.steps if step.kind != "thread"]
        return joined(shown or [step.label for step in self.steps])


class Heap:
    """A snapshot and its analysis.

    A node is an object (0 to `objects` - 1) or a holder: `root`, which holds everything, and below it
    threads, frames, locals, modules and what else the interpreter holds. Sizes are bytes. Texts are escaped
    for a terminal. Pages are given by `offset` and `limit`. An unknown node is an IndexError.
    """

    def __init__(self, snapshot: HeapSnapshot, graph: HeapGraph, analysis: Analysis) -> None:
        self.snapshot = snapshot
        self.graph = graph
        self.analysis = analysis
        self.suspects: list[SuspectNode] = []  # `suspects.suspects` describes them
        self._tree = analysis.tree
        self._paths = PathFinder(snapshot, graph, analysis)
        self._children: dict[int, list[int]] = {}

    # ------------------------------------------------------------ the whole

    @property
    def meta(self) -> HeapMeta:
        """How the snapshot came about; `truncated` names the limit if it is not whole."""
        return self.snapshot.meta

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return self.graph.objects

    @property
    def root(self) -> int:
        """The node that holds everything."""
        return self.graph.root

    @property
    def total(self) -> int:
        """Bytes of all objects that something holds."""
        return self._tree.retained[self.root]

    @property
    def held(self) -> int:
        """How many objects something holds."""
        return len(self._tree.order) - len(self.graph.holders)

    # ------------------------------------------------------------ one node

    def is_object(self, node: int) -> bool:
        """Whether it is an object, not a holder."""
        return node < self.graph.objects

    def holder(self, node: int) -> Holder:
        """What a node that is no object stands for."""
        return self.graph.holder(node)

    def find(self, address: int) -> int | None:
        """The object at an address."""
        number = bisect_left(self.snapshot.address, address)
        if number < self.objects and self.snapshot.address[number] == address:
            return number
        return None

    def address(self, node: int) -> int:
        """The object's id() in its process; 0 for a holder."""
        return self.snapshot.address[node] if self.is_object(node) else 0

    def size(self, node: int) -> int:
        """The object's own bytes."""
        return self.snapshot.size[node] if self.is_object(node) else 0

    def retained(self, node: int) -> int:
        """Bytes that would be free if the node was gone."""
        return self._tree.retained[node]

    def retained_objects(self, node: int) -> int:
        """How many objects that would be, itself included."""
        return self._tree.count[node]

    def share(self, node: int) -> float:
        """`retained` as a part of `total`, 0 to 1."""
        return self.retained(node) / self.total if self.total else 0.0

    def is_held(self, node: int) -> bool:
        """Whether a path leads to it."""
        return self._tree.position[node] != NONE

    def dominator(self, node: int) -> int | None:
        """The nearest node without which it would be free; None for the root and for what nothing holds."""
        found = self._tree.dominator[node]
        return None if found == NONE else found

    def kind(self, node: int) -> str:
        """The object's type, `dict` or `cart.Order`; of a holder "frame", "local", "module", ..."""
        if not self.is_object(node):
            return self.holder(node).kind
        return self.type_name(self.snapshot.type[node])

    def type_name(self, number: int) -> str:
        """The name of a type, by its number in the snapshot."""
        return type_text(self.snapshot.types[number])

    def label_text(self, label: int) -> str:
        """`.name`, `[3]`, `['sku']`, `basket`."""
        return edge_text(label, self.snapshot.strings)

    def value(self, node: int, width: int = 80) -> str:
        """A short text of the object's value; "" if there is none."""
        index = self.snapshot.value[node] if self.is_object(node) else 0
        return one_line(self.snapshot.strings[index - 1], width) if index else ""

    def name(self, node: int, width: int = 80) -> str:
        """`dict`, `str 'abc'`, `frame cart.py:88 handler`, `local basket`."""
        if self.is_object(node):
            return one_line(f"{self.kind(node)} {self.value(node, width)}".rstrip(), width)
        text = self._holder_text(node)
        whole = self.kind(node) in ("module", "thread")
        return one_line(text if whole else f"{self.kind(node)} {text}", width)

    # ------------------------------------------------------------ neighbours

    def child_count(self, node: int) -> int:
        """How many nodes it dominates immediately."""
        return len(self._child_list(node))

    def children(self, node: int, offset: int = 0, limit: int = 500) -> Sequence[int]:
        """Nodes that it dominates immediately, those that retain most first."""
        return self._child_list(node)[offset : offset + limit]

    def referent_count(self, node: int) -> int:
        """How many edges lead away from it."""
        begin, end = self._edges(node)
        return end - begin

    def referents(self, node: int, offset: int = 0, limit: int = 500) -> list[Reference]:
        """What it refers to, in its own order."""
        begin, end = self._edges(node)
        numbers = range(begin, end)[offset : offset + limit]
        return [Reference(self._paths.target(number), self._edge_text(number)) for number in numbers]

    def referrer_count(self, node: int) -> int:
        """How many edges lead to it."""
        return len(self._paths.referrers(node))

    def referrers(self, node: int, offset: int = 0, limit: int = 500) -> list[Reference]:
        """What refers to it."""
        numbers = self._paths.referrers(node)[offset : offset + limit]
        return [Reference(self._paths.source(number), self._edge_text(number)) for number in numbers]

    def reached_by(self, node: int) -> Reference | None:
        """The last edge of the shortest path to it: the node it comes from, and its label. None for the root
        and for what nothing holds."""
        number = self.analysis.via[node]
        return None if number == NONE else Reference(self._paths.source(number), self._edge_text(number))

    def path(self, node: int, number: int = 0) -> RetainerPath | None:
        """The shortest path from a root to it, or the `number`-th next one; None if there is none."""
        return next(iter(self.paths(node, number, 1)), None)

    def paths(self, node: int, offset: int = 0, limit: int = 10) -> list[RetainerPath]:
        """Different paths from a root to it, the shortest first."""
        if offset == 0 and limit == 1:
            edges = self._paths.shortest(node)
            return [self._path(edges)] if edges else []
        return [self._path(edges) for edges in islice(self._paths.paths(node), offset, offset + limit)]

    # ------------------------------------------------------------ edges by number

    def edges_to(self, node: int) -> list[int]:
        """The edges of the shortest path to a node."""
        return self._paths.shortest(node)

    def edge_target(self, number: int) -> int:
        """The node that an edge leads to."""
        return self._paths.target(number)

    def edge_label(self, number: int) -> int:
        """The label of an edge, as `heap_format` says."""
        return self._paths.label(number)

    def referent(self, node: int, label: int) -> int | None:
        """The node to which the edge with that label leads from `node`."""
        begin, end = self._edges(node)
        if not self.is_object(node):
            pairs = self.holder(node).targets
            return next((target for found, target in pairs if found == label), None)
        labels = self.snapshot.label[begin:end].tolist()
        return self.snapshot.edge[begin + labels.index(label)] if label in labels else None

    # ------------------------------------------------------------ within

    def _child_list(self, node: int) -> list[int]:
        if node not in self._children:
            if len(self._children) > 64:
                self._children.clear()
            self._children[node] = list(self._tree.children(node))
        return self._children[node]

    def _edges(self, node: int) -> tuple[int, int]:
        if self.is_object(node):
            return self.snapshot.first_edge[node], self.snapshot.first_edge[node + 1]
        first = self.graph.holder_first
        return first[node - self.objects], first[node - self.objects + 1]

    def _path(self, edges: list[int]) -> RetainerPath:
        """Of a path through a long list, say, the beginning and the end."""
        if len(edges) <= 2 * _PATH_STEPS:
            return RetainerPath(tuple(self._steps(edges)))
        left_out = len(edges) - 2 * _PATH_STEPS
        middle = self._paths.target(edges[_PATH_STEPS])
        return RetainerPath(
            (
                *self._steps(edges[:_PATH_STEPS]),
                self._step(middle, f"… {left_out:,} more …"),
                *self._steps(edges[-_PATH_STEPS:]),
            )
        )

    def _steps(self, edges: list[int]) -> list[Step]:
        """A local or a module and the object that it is are one step; so is what else holds one object."""
        steps: list[Step] = []
        before: int | None = None
        for number in edges:
            node = self._paths.target(number)
            if before is not None:
                label = self._edge_text(number)
                if self._is_named(number) and self.holder(before).kind != "local":
                    steps.append(self._step(before, self._holder_text(before)))
                else:
                    label = self._holder_text(before)
                steps.append(self._step(node, label))
                before = None
            elif not self.is_object(node) and self.holder(node).kind not in _ON_THEIR_OWN:
                before = node
            else:
                steps.append(self._step(node, self._edge_text(number)))
        if before is not None:
            steps.append(self._step(before, self._holder_text(before)))
        return steps

    def _step(self, node: int, label: str) -> Step:
        return Step(node, label, self.kind(node), self.retained(node))

    def _is_named(self, number: int) -> bool:
        label = self._paths.label(number)
        return label >> LABEL_SHIFT != INTERNAL or self.label_text(label) != _UNNAMED

    def _edge_text(self, number: int) -> str:
        """Of an edge between objects its label, of one to a holder the holder's name."""
        target = self._paths.target(number)
        if not self.is_object(target):
            return self._holder_text(target)
        label = self._paths.label(number)
        if number >= self.graph.edges and label == FRAME_OBJECT:
            return "(frame object)"
        return self.label_text(label)

    def _holder_text(self, node: int) -> str:
        holder = self.holder(node)
        if holder.kind == "local":
            return edge_text(holder.label, self.snapshot.strings)
        if holder.kind == "frame":
            return place_text(self.snapshot.roots[holder.root])
        if holder.kind == "thread":
            return one_line(f"thread {holder.name}", 80) if holder.name else "the thread that failed"
        if holder.kind == "module":
            return one_line(f"module {holder.name}", 80)
        return one_line(holder.name, 80)
