"""Heap snapshots for tests: from a few lines, from random graphs, from this very process."""

from __future__ import annotations

import gc
import sys
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import FrameType, ModuleType

import msgspec
import zstandard
from relive_capture.heap_format import (
    COLUMNS,
    INDEX,
    INTERNAL,
    ITEM,
    KEY,
    LABEL_SHIFT,
    LOCAL,
    HeapMeta,
    HeapRoot,
    HeapType,
)

__all__ = ["HeapBuilder", "frame_root", "heap_of_process", "pack_column"]


def pack_column(name: str, values: Iterable[int], *, differences: bool = False) -> bytes:
    """A column as an archive has it."""
    listed = list(values)
    if differences:
        listed = [right - left for left, right in pairwise([0, *listed])]
    return zstandard.ZstdCompressor(level=3).compress(array(COLUMNS[name], listed).tobytes())


@dataclass
class HeapBuilder:
    """Objects in the order of `add`; their addresses ascend."""

    types: list[HeapType] = field(default_factory=list)
    strings: list[str] = field(default_factory=lambda: [""])
    roots: list[HeapRoot] = field(default_factory=list)
    meta: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.address: list[int] = []
        self.type: list[int] = []
        self.size: list[int] = []
        self.value: list[int] = []
        self.references: list[Sequence[tuple[int, int]]] = []  # (label, object)
        self._types: dict[tuple[str, str], int] = {}
        self._strings: dict[str, int] = {"": 0}

    def string(self, text: str) -> int:
        """Index of a text."""
        if text not in self._strings:
            self._strings[text] = len(self.strings)
            self.strings.append(text)
        return self._strings[text]

    def label(self, kind: int, value: str | int) -> int:
        """A label of a text or a position."""
        return kind << LABEL_SHIFT | (value if isinstance(value, int) else self.string(value))

    def add(
        self,
        kind: str = "object",
        size: int = 16,
        references: Sequence[tuple[int, int]] = (),
        value: str = "",
        address: int = 0,
    ) -> int:
        """A new object, by number."""
        module, _, name = kind.rpartition(".")
        key = (module or "builtins", name)
        if key not in self._types:
            self._types[key] = len(self.types)
            self.types.append(HeapType(*key))
        self.address.append(address or 4096 + 16 * len(self.address))
        self.type.append(self._types[key])
        self.size.append(size)
        self.value.append(1 + self.string(value) if value else 0)
        self.references.append(references)
        return len(self.address) - 1

    def refer(self, source: int, target: int, label: int | None = None) -> None:
        """One more edge."""
        edges = list(self.references[source])
        edges.append((label if label is not None else self.label(INDEX, len(edges)), target))
        self.references[source] = edges

    def columns(self) -> dict[str, list[int]]:
        """The columns with absolute addresses."""
        first = [0]
        for edges in self.references:
            first.append(first[-1] + len(edges))
        pairs = [pair for edges in self.references for pair in edges]
        return {
            "address": self.address,
            "type": self.type,
            "size": self.size,
            "value": self.value,
            "first_edge": first,
            "edge": [pair[1] for pair in pairs],
            "label": [pair[0] for pair in pairs],
        }

    def members(self) -> dict[str, bytes]:
        """`heap/...` members of an archive."""
        columns = self.columns()
        given: dict[str, object] = {"taken_ns": time.time_ns(), **self.meta}
        meta = HeapMeta(
            objects=len(self.address),
            edges=len(columns["edge"]),
            bytes=sum(self.size),
            **given,  # type: ignore[arg-type]
        )
        files: dict[str, object] = {
            "meta": meta,
            "types": self.types,
            "strings": self.strings,
            "roots": self.roots,
        }
        packed = {
            f"heap/{name}.{'u64' if COLUMNS[name] == 'Q' else 'u32'}": pack_column(
                name, values, differences=name == "address"
            )
            for name, values in columns.items()
        }
        return {
            **packed,
            **{f"heap/{name}.json": msgspec.json.encode(value) for name, value in files.items()},
        }


def frame_root(
    builder: HeapBuilder,
    where: str,
    variables: Mapping[str, int],
    *,
    kind: str = "frame",
    in_app: bool = True,
    name: str = "",
) -> HeapRoot:
    """A frame at `cart.py:88 handler`; it is added to the builder's roots."""
    place, _, function = where.partition(" ")
    file, _, line = place.rpartition(":")
    root = HeapRoot(
        kind=kind,
        name=name or function,
        targets=[(builder.label(LOCAL, name), target) for name, target in variables.items()],
        file=file,
        line=int(line),
        function=function,
        in_app=in_app,
    )
    builder.roots.append(root)
    return root


def heap_of_process(variables: Mapping[str, object], limit: int = 5_000_000) -> HeapBuilder:
    """This process: `variables` as locals of a frame, and all modules. Labels are those of dicts, lists and
    tuples."""
    builder = HeapBuilder()
    found = _reachable([*variables.values(), *sys.modules.values()], id(variables), limit)
    order = sorted(found)
    number = {address: place for place, address in enumerate(order)}
    for address in order:
        value = found[address]
        kind = type(value)
        builder.add(f"{kind.__module__}.{kind.__qualname__}", sys.getsizeof(value, 0), address=address)
    for place, address in enumerate(order):
        builder.references[place] = [
            (label, number[target]) for label, target in _edges(builder, found[address]) if target in number
        ]
    frame_root(builder, "cart.py:88 handler", {name: number[id(value)] for name, value in variables.items()})
    builder.roots += [
        HeapRoot(kind="module", name=name, targets=[(builder.label(INTERNAL, ""), number[id(module)])])
        for name, module in sorted(sys.modules.items())
        if id(module) in number
    ]
    return builder


def _reachable(roots: list[object], omitted: int, limit: int) -> dict[int, object]:
    found = {id(value): value for value in roots}
    skipped = {id(found), id(roots), omitted}
    pending = list(found.values())
    skipped.add(id(pending))
    while pending and len(found) < limit:
        for value in gc.get_referents(pending.pop()):
            address = id(value)
            if address not in found and address not in skipped and not isinstance(value, FrameType):
                found[address] = value
                pending.append(value)
    return found


def _edges(builder: HeapBuilder, value: object) -> list[tuple[int, int]]:
    if type(value) is dict:
        edges = []
        for position, (key, item) in enumerate(value.items()):
            name = repr(key) if type(key) in (str, int) else "?"
            edges += [(builder.label(KEY, position), id(key)), (builder.label(ITEM, name), id(item))]
        return edges
    if type(value) in (list, tuple):
        return [(builder.label(INDEX, position), id(item)) for position, item in enumerate(value)]  # type: ignore[arg-type]
    internal, namespace = builder.label(INTERNAL, ""), builder.label(INTERNAL, "__dict__")
    has_namespace = type(value) is ModuleType
    return [
        (namespace if has_namespace and type(item) is dict else internal, id(item))
        for item in gc.get_referents(value)
    ]
