"""What looks like a leak: one object, or one frame or module, that holds a large part of the heap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relive_capture.explore.heap.analysis import SuspectNode
from relive_capture.explore.heap.findings.ours import is_ours
from relive_capture.explore.heap.findings.summaries import locals_of
from relive_capture.explore.heap.heap import Heap, RetainerPath
from relive_capture.explore.heap.labels import type_text

__all__ = ["SUSPECT_SHARE", "Suspect", "find_suspects", "suspects"]

SUSPECT_SHARE: Final = 0.1
_HANDS_ON: Final = 0.8  # a child with this share of its parent's bytes: the parent only leads to it
_CHAIN: Final = 16  # so many of one type, one below the other, are a linked list
_MAX_SUSPECTS: Final = 9


@dataclass(frozen=True, slots=True)
class Suspect:
    """A node that retains much. Down from it nearly all is handed on to `point`, if it spreads over
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
    shared_by: tuple[str, ...] = ()  # of a holder: the locals below it that lead to nearly all of that


def suspects(heap: Heap) -> list[Suspect]:
    """Nodes that retain at least a tenth of the heap and are held by no single object; the largest first."""
    return [_described(heap, found) for found in heap.suspects]


def find_suspects(heap: Heap, share: float = SUSPECT_SHARE) -> list[SuspectNode]:
    """The nodes behind `suspects`; for the analysis, which keeps them."""
    least = max(share * heap.total, 1)
    found = sorted(_candidates(heap, least), key=lambda node: -heap.retained(node))
    return [_suspect(heap, node) for node in found[:_MAX_SUSPECTS]]


def _candidates(heap: Heap, least: float) -> Iterator[int]:
    """Objects below holders; and a holder if enough is left that none of its large children holds."""
    waiting = [heap.root]
    while waiting:
        holder = waiting.pop()
        rest = heap.retained(holder)
        for child in heap.analysis.tree.children(holder):
            if heap.retained(child) < least:
                break
            rest -= heap.retained(child)
            if is_ours(heap, child):
                continue
            if heap.is_object(child):
                yield child
            else:
                waiting.append(child)
        if rest >= least and holder != heap.root:
            yield holder


def _point(heap: Heap, node: int) -> int:
    """Down from `node` as long as one child has nearly all; of a long chain of the same type its head."""
    tree, kinds = heap.analysis.tree, heap.snapshot.type
    heads: dict[int, int] = {}
    links: Counter[int] = Counter()
    while True:
        if heap.is_object(node):
            kind = kinds[node]
            links[kind] += 1
            if links[kind] > _CHAIN:
                return heads[kind]
            heads.setdefault(kind, node)
        child = next(tree.children(node), None)
        if child is None or heap.retained(child) < _HANDS_ON * heap.retained(node):
            return node
        node = child


def _suspect(heap: Heap, node: int) -> SuspectNode:
    point = _point(heap, node)
    tree = heap.analysis.tree
    below = [found for found in tree.subtree(point)[1:] if heap.is_object(found)]
    kind, size = heap.snapshot.type, heap.snapshot.size
    counts = Counter(kind[found] for found in below)
    sizes = [0] * len(heap.snapshot.types)
    for found in below:
        sizes[kind[found]] += size[found]
    holds = max(counts, key=sizes.__getitem__, default=-1)
    return SuspectNode(node, point, holds, counts[holds], sizes[holds] if below else 0)


def _described(heap: Heap, found: SuspectNode) -> Suspect:
    return Suspect(
        node=found.node,
        retained=heap.retained(found.node),
        share=heap.share(found.node),
        path=heap.path(found.node),
        point=found.point,
        point_path=heap.path(found.point),
        children=heap.child_count(found.point),
        holds=type_text(heap.snapshot.types[found.holds]) if found.holds >= 0 else "",
        holds_count=found.holds_count,
        holds_bytes=found.holds_bytes,
        shared_by=() if heap.is_object(found.node) else tuple(_sharing(heap, found.node)),
    )


def _sharing(heap: Heap, holder: int) -> Iterator[str]:
    """`orders of cart.py:88 handler`, for each local that reaches nearly all that `holder` retains; of those
    that are handed down, the innermost."""
    seen = set()
    least = _HANDS_ON * heap.retained(holder)
    for row in locals_of(heap):
        frame = heap.holder(row.holder).parent
        if row.node in seen:
            continue
        seen.add(row.node)
        if row.reaches >= least and holder in (frame, heap.holder(frame).parent):
            yield f"{row.name} of {row.frame}"
