"""What looks like a leak: one object, or one frame or module, that holds a large part of the heap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relive_capture.explore.heap.heap import Heap, RetainerPath
from relive_capture.explore.heap.labels import type_text

__all__ = ["SUSPECT_SHARE", "Suspect", "suspects"]

SUSPECT_SHARE: Final = 0.1
_HANDS_ON: Final = 0.8  # a child with this share of its parent's bytes: the parent only leads to it
_MAX_SUSPECTS: Final = 9


@dataclass(frozen=True, slots=True)
class Suspect:
    """A node that retains much. Down from it nearly all is handed on to `point`, where it spreads over
    `children` nodes; most of the bytes are those of the type `holds`: `holds_count` objects, `holds_bytes`
    their own size.

    It is an object, or a holder whose objects share what they hold: two locals with the same rows, say.
    """

    node: int
    retained: int
    share: float
    path: RetainerPath | None
    point: int
    point_path: RetainerPath | None
    children: int
    holds: str
    holds_count: int
    holds_bytes: int


def suspects(heap: Heap, share: float = SUSPECT_SHARE) -> list[Suspect]:
    """Nodes that retain at least `share` of the heap and are held by no single object; the largest first."""
    least = max(share * heap.total, 1)
    found = sorted(_candidates(heap, least), key=lambda node: -heap.retained(node))
    return [_suspect(heap, node) for node in found[:_MAX_SUSPECTS]]


def _candidates(heap: Heap, least: float) -> Iterator[int]:
    """Objects below holders; and a holder where enough is left that none of its large children holds."""
    waiting = [heap.root]
    while waiting:
        holder = waiting.pop()
        rest = heap.retained(holder)
        for child in heap.children(holder):
            if heap.retained(child) < least:
                break
            rest -= heap.retained(child)
            if heap.is_object(child):
                yield child
            else:
                waiting.append(child)
        if rest >= least and holder != heap.root:
            yield holder


def _suspect(heap: Heap, node: int) -> Suspect:
    point = node
    while (child := next(iter(heap.children(point, 0, 1)), None)) is not None:
        if heap.retained(child) < _HANDS_ON * heap.retained(point):
            break
        point = child
    name, count, size = _holds_most(heap, point)
    return Suspect(
        node=node,
        retained=heap.retained(node),
        share=heap.share(node),
        path=heap.path(node),
        point=point,
        point_path=heap.path(point),
        children=heap.child_count(point),
        holds=name,
        holds_count=count,
        holds_bytes=size,
    )


def _holds_most(heap: Heap, node: int) -> tuple[str, int, int]:
    """(type, objects, bytes) of the type with most bytes of its own below `node`."""
    sizes: Counter[int] = Counter()
    counts: Counter[int] = Counter()
    kind, size = heap.snapshot.type, heap.snapshot.size
    for below in heap.analysis.tree.subtree(node)[1:]:
        if below < heap.objects:
            sizes[kind[below]] += size[below]
            counts[kind[below]] += 1
    if not sizes:
        return "", 0, 0
    number, most = max(sizes.items(), key=lambda pair: pair[1])
    return type_text(heap.snapshot.types[number]), counts[number], most
