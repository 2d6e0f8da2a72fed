"""Two heaps side by side: which types and which places have grown.

A place is found again in the other heap by the labels of its path (`module thumb › ._cache`), so heaps of
different processes compare as well. If both are of one process, an object whose path has changed is
found by its address.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from relive_base.own_code import is_own_name

from relive_capture.explore.heap.findings.locate import Locator
from relive_capture.explore.heap.findings.ours import is_ours
from relive_capture.explore.heap.findings.summaries import types
from relive_capture.explore.heap.heap import Heap

__all__ = ["Comparison", "PlaceGrowth", "TypeGrowth", "compare"]

_PLACES: Final = 1_000  # of each heap that are looked at, those that retain most
_HANDS_ON: Final = 0.8  # a child with this share of its parent's growth: the parent only leads to it
_PART: Final = 0.25  # a new child with less of its parent's growth is one of many
_SAME_PROCESS: Final = 0.5  # of the places that both have, so many are at the same address


@dataclass(frozen=True, slots=True)
class TypeGrowth:
    """A type in both heaps; 0 if it is not there."""

    name: str
    count_before: int
    count_after: int
    shallow_before: int
    shallow_after: int
    retained_before: int
    retained_after: int

    @property
    def growth(self) -> int:
        """Bytes that its objects take more, by themselves."""
        return self.shallow_after - self.shallow_before


@dataclass(frozen=True, slots=True)
class PlaceGrowth:
    """A place in both heaps. `node` and `node_before` are None if it is not there."""

    path: str
    kind: str
    node: int | None
    node_before: int | None
    before: int
    after: int
    objects_before: int
    objects_after: int

    @property
    def growth(self) -> int:
        """Bytes that it retains more."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """Growth from one heap to another, the largest first; what has shrunk is at the end."""

    total_before: int
    total_after: int
    objects_before: int
    objects_after: int
    one_process: bool
    types: Sequence[TypeGrowth]
    places: Sequence[PlaceGrowth]


def compare(before: Heap, after: Heap) -> Comparison:
    """What has changed from `before` to `after`; some hundred milliseconds."""
    here, there = Locator(after), Locator(before)
    nodes = _largest(after)
    found = {node: there.locate(here.path_of(node)) for node in nodes}
    one_process = _one_process(before, after, found)
    if one_process:
        for node, other in found.items():
            same = _by_address(before, after, node)
            # Two places may have one path, so the object that has it in both heaps is the one that is meant.
            if same is not None and (other is None or there.path_of(same) == here.path_of(node)):
                found[node] = same
    places = _grown(before, after, found)
    places += _gone(before, here, there, {other for other in found.values() if other is not None})
    return Comparison(
        total_before=before.total,
        total_after=after.total,
        objects_before=before.held,
        objects_after=after.held,
        one_process=one_process,
        types=_types(before, after),
        places=sorted((place for place in places if place.growth), key=lambda place: -place.growth),
    )


def _largest(heap: Heap) -> list[int]:
    """Objects that retain most, a parent before its children."""
    found: list[int] = []
    # Siblings come by size: of each row only the next one waits, so no more is looked at than is taken.
    waiting: list[tuple[int, int, int, Iterator[int]]] = []
    tree = heap.analysis.tree

    def push(row: Iterator[int]) -> None:
        node = next(row, None)
        if node is not None:
            heapq.heappush(waiting, (-tree.retained[node], tree.position[node], node, row))

    push(tree.children(heap.root))
    while waiting and len(found) < _PLACES:
        _, _, node, row = heapq.heappop(waiting)
        if node < heap.objects:
            found.append(node)
        push(row)
        push(tree.children(node))
    return found


def _one_process(before: Heap, after: Heap, found: dict[int, int | None]) -> bool:
    both = [(node, other) for node, other in found.items() if other is not None]
    same = sum(after.address(node) == before.address(other) for node, other in both)
    return bool(both) and same >= _SAME_PROCESS * len(both)


def _by_address(before: Heap, after: Heap, node: int) -> int | None:
    other = before.find(after.address(node))
    return other if other is not None and before.kind(other) == after.kind(node) else None


def _grown(before: Heap, after: Heap, found: dict[int, int | None]) -> list[PlaceGrowth]:
    growth = {
        node: after.retained(node) - (before.retained(other) if other is not None else 0)
        for node, other in found.items()
    }
    leads_on = set()
    for node in found:
        parent = after.dominator(node)
        if parent in growth and abs(growth[node]) >= _HANDS_ON * abs(growth[parent]):
            leads_on.add(parent)
    return [
        PlaceGrowth(
            path=_text(after, node),
            kind=after.kind(node),
            node=node,
            node_before=other,
            before=before.retained(other) if other is not None else 0,
            after=after.retained(node),
            objects_before=before.retained_objects(other) if other is not None else 0,
            objects_after=after.retained_objects(node),
        )
        for node, other in found.items()
        if node not in leads_on
        and not _is_one_of_many(after, node, found, growth)
        and not is_ours(after, node)
    ]


def _is_one_of_many(heap: Heap, node: int, found: dict[int, int | None], growth: dict[int, int]) -> bool:
    """New, and only a small part of what has come to its parent: the parent says it."""
    parent = heap.dominator(node)
    if found[node] is not None or parent is None or parent not in growth:
        return False
    return growth[node] < _PART * abs(growth[parent])


def _gone(before: Heap, here: Locator, there: Locator, seen: set[int]) -> list[PlaceGrowth]:
    """Large places of the heap before that are no longer there; of nested ones the outermost."""
    gone: dict[int, None] = {}
    for node in _largest(before):
        if node not in seen and here.locate(there.path_of(node)) is None:
            gone[node] = None
    return [
        PlaceGrowth(
            path=_text(before, node),
            kind=before.kind(node),
            node=None,
            node_before=node,
            before=before.retained(node),
            after=0,
            objects_before=before.retained_objects(node),
            objects_after=0,
        )
        for node in gone
        if before.dominator(node) not in gone and not is_ours(before, node)
    ]


def _types(before: Heap, after: Heap) -> list[TypeGrowth]:
    old = {row.name: row for row in types(before)}
    new = {row.name: row for row in types(after)}
    rows = []
    for name in {**new, **old}:
        if is_own_name(name):
            continue
        was, now = old.get(name), new.get(name)
        rows.append(
            TypeGrowth(
                name,
                was.count if was else 0,
                now.count if now else 0,
                was.shallow if was else 0,
                now.shallow if now else 0,
                was.retained if was else 0,
                now.retained if now else 0,
            )
        )
    return sorted((row for row in rows if row.growth), key=lambda row: (-row.growth, row.name))


def _text(heap: Heap, node: int) -> str:
    path = heap.path(node)
    return path.text if path is not None else heap.name(node)
