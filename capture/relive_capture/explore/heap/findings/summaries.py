"""What fills a heap: by type, by local, by thread and frame, by module; the largest objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from relive_capture.explore.heap.analysis import NONE, UNKNOWN
from relive_capture.explore.heap.findings.ours import is_ours, marks_ours
from relive_capture.explore.heap.heap import Heap
from relive_capture.explore.heap.labels import place_text, type_text

__all__ = [
    "LocalRow",
    "ModuleRow",
    "ThreadRow",
    "TypeRow",
    "biggest",
    "locals_of",
    "modules",
    "threads",
    "types",
]

_OURS_SEEN: Final = 200
"""So many of Relive's own objects are looked past below a holder."""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """All objects of a type. `retained` counts what several of them hold within each other once."""

    number: int
    name: str
    count: int
    shallow: int
    retained: int


@dataclass(frozen=True, slots=True)
class LocalRow:
    """A local variable: its object retains `retained` bytes, `exclusive` of them are held by this local
    alone. It `reaches` so many that only its thread holds: more, if it shares them with other locals."""

    frame: str
    name: str
    node: int
    holder: int
    kind: str
    retained: int
    exclusive: int
    reaches: int
    in_app: bool
    root: int


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread or a frame with the bytes that only it holds."""

    node: int
    kind: str
    name: str
    retained: int


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """A module: `retained` is held by the module and its namespace, `exclusive` by its entry in sys.modules
    alone."""

    node: int
    name: str
    retained: int
    exclusive: int


def types(heap: Heap) -> list[TypeRow]:
    """All types that have objects, those that retain most first."""
    columns = heap.analysis.types
    rows = [
        TypeRow(number, type_text(kind), *numbers)
        for number, (kind, *numbers) in enumerate(
            zip(heap.snapshot.types, columns.count, columns.shallow, columns.retained, strict=True)
        )
        if numbers[0]
    ]
    return sorted(rows, key=lambda row: (-row.retained, row.name))


def locals_of(heap: Heap) -> list[LocalRow]:
    """Locals of all frames, those that reach most first."""
    rows = []
    for number, holder in enumerate(heap.graph.holders):
        if holder.kind == "local" and holder.targets:
            node = holder.targets[0][1]
            root = heap.snapshot.roots[holder.root]
            local = heap.objects + number
            rows.append(
                LocalRow(
                    frame=place_text(root),
                    name=heap.name(local).removeprefix("local "),
                    node=node,
                    holder=local,
                    kind=heap.kind(node),
                    retained=heap.retained(node),
                    exclusive=heap.retained(local),
                    reaches=_reaches(heap, number, node),
                    in_app=root.in_app,
                    root=holder.root,
                )
            )
    return sorted(rows, key=lambda row: (-row.reaches, -row.retained))


def _reaches(heap: Heap, number: int, node: int) -> int:
    """If the budget of the walks has ended: what it retains at least."""
    found = heap.analysis.reach[number]
    return heap.retained(node) if found == UNKNOWN else found


def threads(heap: Heap) -> list[ThreadRow]:
    """Threads and frames, those that retain most first."""
    rows = [
        ThreadRow(node, heap.kind(node), heap.name(node), heap.retained(node))
        for node in _holders(heap, "thread", "frame")
    ]
    return sorted(rows, key=lambda row: -row.retained)


def modules(heap: Heap) -> list[ModuleRow]:
    """Modules, those that retain most first."""
    rows = [
        ModuleRow(node, heap.holder(node).name, _module_bytes(heap, node), heap.retained(node))
        for node in _holders(heap, "module")
    ]
    return sorted(rows, key=lambda row: -row.retained)


def _holders(heap: Heap, *kinds: str) -> Iterator[int]:
    return (heap.objects + number for number, holder in enumerate(heap.graph.holders) if holder.kind in kinds)


def _module_bytes(heap: Heap, node: int) -> int:
    """What the module object and its dict retain: functions elsewhere may hold the dict, too."""
    targets = [target for _, target in heap.holder(node).targets]
    for target in list(targets):
        targets += [edge.node for edge in heap.referents(target, 0, 64) if edge.label == ".__dict__"]
    apart = set(targets)
    return sum(heap.retained(target) for target in apart if not _is_below(heap, target, apart))


def _is_below(heap: Heap, node: int, others: set[int]) -> bool:
    tree = heap.analysis.tree
    place = tree.position[node]
    return any(
        tree.position[other] < place < tree.position[other] + tree.count[other]
        for other in others
        if other != node and tree.position[other] != NONE
    )


def biggest(heap: Heap, limit: int = 50) -> list[int]:
    """The objects that retain most among those that no other object holds alone; without Relive's own."""
    found: list[int] = []
    waiting = [heap.root]
    while waiting:
        for child in heap.children(waiting.pop(), 0, max(limit + _OURS_SEEN, len(heap.graph.holders))):
            if heap.is_object(child):
                found.append(child)
            elif not marks_ours(heap, child):
                waiting.append(child)
    largest = sorted(found, key=lambda node: -heap.retained(node))
    return list(islice((node for node in largest if not is_ours(heap, node)), limit))
