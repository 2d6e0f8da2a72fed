"""The walk in Python: what runs if _heapwalk.c could not be built, and what its tests compare it with."""

from __future__ import annotations

import os
import sys
import time
from array import array
from collections.abc import Sequence
from typing import Any, Final

from relive_capture.heap_format import COLUMNS, INDEX, INTERNAL, ITEM, KEY, LABEL_MASK, LABEL_SHIFT
from relive_capture.record.heap.held import DICT_NAME, GLOBALS_NAME, Holder
from relive_capture.record.heap.sizes import Sizes

__all__ = ["PythonHeap", "walk"]

_OBJECT_BYTES: Final = 28
_EDGE_BYTES: Final = 8
_MAX_ITEM_NAMES: Final = 100_000
_MAX_ITEMS_NAMED: Final = 10_000
_MAX_NAMES: Final = 400_000
_CHECK_EVERY: Final = 2_048
_SECOND_NS: Final = 1_000_000_000
_PLAIN, _OF_ITEM = 0, 2
_NO_OBJECT: Final = -1
_NAMESPACES: Final = (DICT_NAME, GLOBALS_NAME)
_CHUNK: Final = 65_536


class PythonHeap:
    """What a walk found; the methods are those of the Heap in _heapwalk.c. It holds every object it found."""

    def __init__(
        self, skip: Sequence[Any], max_objects: int, max_bytes: int, cpu_s: float, held_bytes: int
    ) -> None:
        self.edges = 0
        self.bytes = 0
        self.truncated = ""
        self.cpu_ns = 0
        self._began_ns = time.thread_time_ns()
        self._end_ns = self._began_ns + int(cpu_s * _SECOND_NS)
        self._max_objects = min(max_objects, LABEL_MASK)
        self._max_bytes = max_bytes
        self._stopped = False
        self._skip = {id(item) for item in skip}
        self._sizes = Sizes(held_bytes)
        self._holder = Holder()
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._types: list[type] = []
        self._type_numbers: dict[int, int] = {}
        self._names: list[Any] = [""]
        self._kinds = bytearray([_PLAIN])
        self._name_numbers: dict[tuple[int, Any], int] = {(_PLAIN, ""): 0}
        self._item_names = 0
        self._type = array("I")
        self._size = array("Q")
        self._start = array("I")
        self._edge = array("I")
        self._label = array("I")
        self._value = array("I")
        self._namespaces: set[int] = set()
        self._held = bytearray()
        self._rest: list[int] = []
        self._order: list[int] = []
        self._rank = array("I")

    @property
    def objects(self) -> int:
        """How many there are."""
        return len(self._objects)

    # ------------------------------------------------------------ the walk

    def run(self, roots: list[Any], others: list[Any]) -> None:
        """Breadth first from `roots`; then from those of `others` that were not reached."""
        for value in roots:
            self._number(value)
        self._expand_from(0)
        first = len(self._objects)
        for value in others:
            if self._stopped:
                break
            self._number(value)
        self._expand_from(first)
        self._start.append(self.edges)
        self._find_rest(first)
        addresses = list(map(id, self._objects))
        self._order = sorted(range(len(addresses)), key=addresses.__getitem__)
        self._rank = array("I", bytes(4 * len(addresses)))
        self._value = array("I", bytes(4 * len(addresses)))
        for at, number in enumerate(self._order):
            self._rank[number] = at
        self.cpu_ns = time.thread_time_ns() - self._began_ns

    def _expand_from(self, number: int) -> None:
        while number < len(self._objects):
            self._start.append(self.edges)
            if not self._stopped:
                self._expand(number)
                if number % _CHECK_EVERY == 0 and time.thread_time_ns() > self._end_ns:
                    self._stop("cpu")
            number += 1

    def _expand(self, number: int) -> None:
        edges = self._holder.held(self._objects[number], names=number in self._namespaces)
        numbers = self._numbers
        for place, (kind, name, child) in enumerate(edges):
            found = numbers.get(id(child), _NO_OBJECT)
            if found == _NO_OBJECT:
                found = self._number(child)
                if found == _NO_OBJECT:
                    continue
            used = (self.edges + 1) * _EDGE_BYTES + len(self._objects) * _OBJECT_BYTES
            if used > self._max_bytes:
                self._stop("bytes")
                return
            self._edge.append(found)
            if kind in (INDEX, KEY):
                self._label.append(kind << LABEL_SHIFT | min(name, LABEL_MASK))
            else:
                self._label.append(self._tag(kind, name, place // 2))
                if kind == INTERNAL and name in _NAMESPACES and type(child) is dict:
                    self._namespaces.add(found)
            self.edges += 1
            if found != number:
                self._held[found] = 1

    def _number(self, value: Any) -> int:
        """Of an object that may be new; _NO_OBJECT if there is no more room, or it is left out."""
        address = id(value)
        number = self._numbers.get(address, _NO_OBJECT)
        if number != _NO_OBJECT:
            return number
        number = len(self._objects)
        if number >= self._max_objects:
            self.truncated = self.truncated or "objects"
            return _NO_OBJECT
        if address in self._skip:
            return _NO_OBJECT
        self._numbers[address] = number
        self._objects.append(value)
        size = self._sizes.of(value)
        self.bytes += size
        self._type.append(self._type_number(type(value)))
        self._size.append(size)
        self._held.append(0)
        return number

    def _type_number(self, cls: type) -> int:
        number = self._type_numbers.get(id(cls))
        if number is None:
            number = self._type_numbers[id(cls)] = len(self._types)
            self._types.append(cls)
        return number

    def _tag(self, kind: int, name: Any, place: int) -> int:
        if kind == ITEM:
            return kind << LABEL_SHIFT | self._item_name(name, place)
        value = self._name(name) if type(name) is str else 0
        return kind << LABEL_SHIFT | value

    def _name(self, name: str) -> int:
        known = self._name_numbers.get((_PLAIN, name))
        return known if known is not None else self._add_name(_PLAIN, name, name)

    def _item_name(self, key: Any, place: int) -> int:
        known = self._name_numbers.get((_OF_ITEM, id(key)))
        if known is not None:
            return known
        if place >= _MAX_ITEMS_NAMED or self._item_names >= _MAX_ITEM_NAMES:
            return 0
        self._item_names += 1
        return self._add_name(_OF_ITEM, id(key), key)

    def _add_name(self, kind: int, found_by: Any, name: Any) -> int:
        if len(self._names) >= _MAX_NAMES:
            return 0
        number = self._name_numbers[kind, found_by] = len(self._names)
        self._names.append(name)
        self._kinds.append(kind)
        return number

    def _stop(self, limit: str) -> None:
        self.truncated = limit
        self._stopped = True

    # ------------------------------------------------------------ what the roots do not reach

    def _find_rest(self, first: int) -> None:
        """What nothing holds, and one of each ring that holds itself."""
        seen = bytearray(b"\1" * first + bytes(len(self._objects) - first))
        later = []
        for number in range(first, len(self._objects)):
            if self._held[number]:
                later.append(number)
            else:
                self._rest.append(number)
                self._mark(number, seen)
        for number in later:
            if not seen[number]:
                self._rest.append(number)
                self._mark(number, seen)

    def _mark(self, number: int, seen: bytearray) -> None:
        seen[number] = 1
        queue = [number]
        while queue:
            number = queue.pop()
            for child in self._edge[self._start[number] : self._start[number + 1]]:
                if not seen[child]:
                    seen[child] = 1
                    queue.append(child)

    # ------------------------------------------------------------ what was found

    def index(self, value: Any) -> int:
        """The number of an object; -1 if it was not found."""
        number = self._numbers.get(id(value))
        return -1 if number is None else self._rank[number]

    def rest(self) -> list[int]:
        """Numbers of the objects that hold what the roots do not reach."""
        return [self._rank[number] for number in self._rest]

    def types(self) -> list[type]:
        """The types, by number."""
        return self._types

    def names(self) -> list[Any]:
        """What labels name, by number: text, or the key of a dict's entry."""
        return self._names

    def name_kinds(self) -> bytes:
        """For each name 2 if it is a dict's key, else 0."""
        return bytes(self._kinds)

    def set_value(self, index: int, value: int) -> None:
        """Give an object a text: 1 + index of a string."""
        self._value[self._order[index]] = value

    def write(self, column: str, descriptor: int) -> int:
        """Write a column; gives its bytes. Raises OSError."""
        written = 0
        for chunk in self._chunks(column):
            view = memoryview(array(COLUMNS[column], chunk)).cast("B")
            while view:
                done = os.write(descriptor, view)
                written += done
                view = view[done:]
        return written

    def _chunks(self, column: str) -> Any:
        if column in ("edge", "label"):
            return self._edge_chunks(column == "edge")
        values: Any = {
            "address": map(id, map(self._objects.__getitem__, self._order)),
            "type": map(self._type.__getitem__, self._order),
            "size": map(self._size.__getitem__, self._order),
            "value": map(self._value.__getitem__, self._order),
            "first_edge": self._first_edges(),
        }[column]
        return iter(lambda: array(COLUMNS[column], _take(values, _CHUNK)), array(COLUMNS[column]))

    def _first_edges(self) -> Any:
        first = 0
        for number in self._order:
            yield first
            first += self._start[number + 1] - self._start[number]
        yield first

    def _edge_chunks(self, targets: bool) -> Any:
        chunk: list[int] = []
        for number in self._order:
            part = slice(self._start[number], self._start[number + 1])
            chunk.extend(map(self._rank.__getitem__, self._edge[part]) if targets else self._label[part])
            if len(chunk) >= _CHUNK:
                yield chunk
                chunk = []
        yield chunk


def _take(values: Any, count: int) -> list[int]:
    found = []
    for value in values:
        found.append(value)
        if len(found) == count:
            break
    return found


def walk(
    roots: list[Any],
    others: list[Any],
    skip: tuple[Any, ...],
    _deque: type,
    max_objects: int,
    max_bytes: int,
    cpu_s: float,
    held_bytes: int = sys.maxsize,
) -> PythonHeap:
    """Everything that `roots` and `others` reach. Raises MemoryError."""
    heap = PythonHeap(skip, max_objects, max_bytes, cpu_s, held_bytes)
    heap.run(roots, others)
    return heap
