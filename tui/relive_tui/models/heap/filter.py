"""Which objects of a heap are looked for: `type:dict size:>1MB own:>64KB words of the value`."""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.layout.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from relive_views.heaps import Heap

__all__ = [
    "FIELDS",
    "HeapQuery",
    "HeapQueryProblem",
    "biggest_first",
    "complete_heap",
    "parse_heap",
    "search",
]

MAX_FOUND = 5_000
"""Rows of the list of objects; a filter brings the others in."""
FIELDS = ("type:", "size:", "own:")
_SIZE = re.compile(r"([<>]?)=?(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class HeapQueryProblem(ValueError):
    """The filter cannot be understood; the message says what can."""


@dataclass(frozen=True, slots=True)
class HeapQuery:
    """Bounds include their ends; a maximum of 0 is none. `type` is a part of the type's name, lower case."""

    type: str = ""
    least: int = 0
    most: int = 0
    least_own: int = 0
    most_own: int = 0
    text: str = ""

    def __bool__(self) -> bool:
        return self != HeapQuery()


def parse_heap(line: str) -> HeapQuery:
    """The query of a line. Raises HeapQueryProblem."""
    fields: dict[str, tuple[int, int]] = {"size": (0, 0), "own": (0, 0)}
    kind = ""
    words = []
    for word in line.split():
        name, colon, value = word.partition(":")
        if not colon or not name.isalpha():
            words.append(word)
        elif name == "type":
            kind = value.lower()
        elif name in fields:
            fields[name] = _bounds(name, value)
        else:
            raise HeapQueryProblem(f"there is no field {clean(name)!r}; fields: {' '.join(FIELDS)}")
    return HeapQuery(kind, *fields["size"], *fields["own"], text=" ".join(words).lower())


def _bounds(name: str, value: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise HeapQueryProblem(f"{name}: needs a size: >1MB, <64KB, 100")
    size = int(float(match[2]) * _UNITS[match[3].lower()])
    return (0, size) if match[1] == "<" else (size, 0)


def complete_heap(line: str) -> str:
    """The line with the field it ends in completed, if only one fits."""
    head, space, last = line.rpartition(" ")
    options = [name for name in FIELDS if last and name.startswith(last)]
    return head + space + options[0] if len(options) == 1 else line


def biggest_first(heap: Heap) -> Iterator[int]:
    """Objects by what they retain, the largest first; made as they are asked for."""
    tree = heap.analysis.tree
    waiting = [(-heap.retained(heap.root), heap.root)]
    while waiting:
        _, node = heapq.heappop(waiting)
        if heap.is_object(node):
            yield node
        for child in tree.children(node):
            heapq.heappush(waiting, (-tree.retained[child], child))


def search(heap: Heap, query: HeapQuery, wanted: Callable[[], bool] = lambda: True) -> list[int]:
    """The objects that match, those that retain most first, at most MAX_FOUND. A second for a million
    objects; nothing when they are not `wanted` any more."""
    from relive_views.heaps import type_text

    snapshot, tree = heap.snapshot, heap.analysis.tree
    types = _matching(query.type, [type_text(kind).lower() for kind in snapshot.types])
    values = _matching(query.text, [text.lower() for text in snapshot.strings])
    most, most_own = query.most or 1 << 62, query.most_own or 1 << 62
    retained, size, kind, value = tree.retained, snapshot.size, snapshot.type, snapshot.value
    found = []
    for node in range(heap.objects):
        if not node & 0xFFFF and not wanted():
            return []
        if (
            query.least <= retained[node] <= most
            and kind[node] in types
            and query.least_own <= size[node] <= most_own
            and (not query.text or value[node] - 1 in values)
        ):
            found.append(node)
    return heapq.nlargest(MAX_FOUND, found, key=retained.__getitem__)


def _matching(text: str, names: list[str]) -> set[int]:
    return {number for number, name in enumerate(names) if text in name}
