"""Finding a place of one heap in another: by the names of its holders and the labels of its path."""

from __future__ import annotations

from collections.abc import Sequence

from relive_capture.explore.heap.heap import Heap
from relive_capture.heap_format import INDEX, KEY, LABEL_MASK, LABEL_SHIFT

__all__ = ["Locator", "Place"]

Place = Sequence[tuple[object, ...]]
"""A path that holds in any heap: names of holders, then kinds and texts of labels."""


class Locator:
    """Turns nodes of one heap into places, and places into its nodes."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._strings: dict[str, list[int]] = {}  # a snapshot may have a text more than once
        self._holders: dict[tuple[object, ...], int] = {}

    def path_of(self, node: int) -> Place:
        """The shortest path to a node."""
        heap = self._heap
        place: list[tuple[object, ...]] = []
        for number in heap.edges_to(node):
            target = heap.edge_target(number)
            if heap.is_object(target):
                place.append(self._label(heap.edge_label(number)))
            else:
                place.append(self._holder_key(target))
        return place

    def locate(self, place: Place) -> int | None:
        """The node to which the same path leads; None if there is none."""
        heap = self._heap
        node = heap.root
        for step in place:
            found = self._holder(node, step) if step[0] == "holder" else self._object(node, step)
            if found is None:
                return None
            node = found
        return node if place else None

    def _label(self, label: int) -> tuple[object, ...]:
        kind, value = label >> LABEL_SHIFT, label & LABEL_MASK
        if kind in (INDEX, KEY):
            return ("at", kind, value)
        strings = self._heap.snapshot.strings
        return ("label", kind, strings[value] if value < len(strings) else "")

    def _holder_key(self, node: int) -> tuple[object, ...]:
        holder = self._heap.holder(node)
        if holder.kind == "frame":
            root = self._heap.snapshot.roots[holder.root]
            return ("holder", "frame", root.file, root.function)
        if holder.kind == "local":
            return ("holder", "local", *self._label(holder.label))
        return ("holder", holder.kind, holder.name)

    def _holder(self, parent: int, step: tuple[object, ...]) -> int | None:
        if not self._holders:
            objects = self._heap.objects
            for number, holder in enumerate(self._heap.graph.holders):
                key = (holder.parent, *self._holder_key(objects + number))
                self._holders.setdefault(key, objects + number)
        return self._holders.get((parent, *step))

    def _object(self, parent: int, step: tuple[object, ...]) -> int | None:
        for label in self._own_labels(step):
            found = self._heap.referent(parent, label)
            if found is not None:
                return found
        return None

    def _own_labels(self, step: tuple[object, ...]) -> list[int]:
        """The label as this heap's strings have it."""
        what, kind, value = step
        if not isinstance(kind, int):
            return []
        if what == "at":
            return [kind << LABEL_SHIFT | value] if isinstance(value, int) else []
        if not self._strings:
            for number, text in enumerate(self._heap.snapshot.strings):
                self._strings.setdefault(text, []).append(number)
        return [kind << LABEL_SHIFT | number for number in self._strings.get(str(value), ())]
