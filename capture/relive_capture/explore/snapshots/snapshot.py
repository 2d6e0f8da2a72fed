"""A heap snapshot in memory: the columns of `heap_format`, checked."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TypeAlias

from relive_capture.heap_format import HeapMeta, HeapRoot, HeapType

__all__ = ["Column", "HeapLimits", "HeapSnapshot"]

Column: TypeAlias = "array[int] | memoryview[int]"
"""Unsigned numbers, one for each object, edge or node; a memoryview if they lie in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapLimits:
    """What a snapshot may hold before anything is decoded."""

    objects: int = 4_000_000
    edges: int = 32_000_000
    file_bytes: int = 1024 * 1024 * 1024  # of a .heapsnapshot
    text_bytes: int = 256 * 1024 * 1024  # of what follows its nodes and edges
    json_bytes: int = 64 * 1024 * 1024  # each of the JSON files
    types: int = 200_000
    strings: int = 4_000_000
    roots: int = 100_000
    targets: int = 1_000_000  # of all roots together
    name_chars: int = 4_000  # of a type, a module, a root


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapSnapshot:
    """Objects by number, edges as slices. Made by `reading.read_members` or an importer, both of which check
    it."""

    meta: HeapMeta
    types: list[HeapType]
    strings: list[str]
    roots: list[HeapRoot]
    address: Column
    type: Column
    size: Column
    first_edge: Column
    edge: Column
    label: Column
    value: Column

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(self.address)

    @property
    def edges(self) -> int:
        """How many edges there are."""
        return len(self.edge)
