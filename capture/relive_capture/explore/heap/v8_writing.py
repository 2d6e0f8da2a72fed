"""Writing `.heapsnapshot`, V8's format: opens in Chrome DevTools (Memory > Load profile) and in memlab.

Objects have a constructor's name if V8 has one (`dict`, `cart.Order`), a text if it has that. Threads,
frames, locals and modules are synthetic nodes below `(GC roots)`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from relive_capture.explore.heap.heap import Heap
from relive_capture.heap_format import (
    ATTRIBUTE,
    INDEX,
    ITEM,
    LABEL_MASK,
    LABEL_SHIFT,
    LOCAL,
)

__all__ = ["write_v8"]

_NODE_TYPES: Final = (
    "hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
    "concatenated string", "sliced string", "symbol", "bigint", "object shape",
)  # fmt: skip
_EDGE_TYPES: Final = ("context", "element", "property", "internal", "hidden", "shortcut", "weak")
_EDGE_KINDS: Final = {LOCAL: "context", ATTRIBUTE: "property", ITEM: "property", INDEX: "element"}
_WITH_TEXT: Final = {
    "str": "string",
    "int": "number",
    "float": "number",
    "function": "closure",
    "builtin_function_or_method": "closure",
    "method": "closure",
    "code": "code",
}
_EDGE_FIELDS: Final = ("type", "name_or_index", "to_node")
_FIRST_NODES: Final = 2  # the root and (GC roots)
_WIDTH: Final = 7
_BLOCK: Final = 8_192


def write_v8(heap: Heap, path: str | os.PathLike[str]) -> int:
    """Write `heap`; gives the file's bytes. A file that is there is replaced when all is written. Raises
    OSError."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            for part in _Writer(heap).parts():
                file.write(part)
            size = file.tell()
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return size


class _Writer:
    """Nodes: the root, (GC roots), the holders without our root, then the objects; ids are odd and ascend."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._strings: dict[str, int] = {"<dummy>": 0}
        self._holders = len(heap.graph.holders) - 1
        self._types = [heap.type_name(number) for number in range(len(heap.snapshot.types))]
        self._labels: dict[int, tuple[int, int]] = {}

    def parts(self) -> Iterator[str]:
        heap = self._heap
        edges = 1 + heap.graph.edges + len(heap.graph.holder_edge)
        meta = {
            "node_fields": [
                "type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness",
            ],
            "node_types": [list(_NODE_TYPES), "string", *["number"] * 5],
            "edge_fields": list(_EDGE_FIELDS),
            "edge_types": [list(_EDGE_TYPES), "string_or_number", "node"],
            "trace_function_info_fields": [
                "function_id", "name", "script_name", "script_id", "line", "column",
            ],
            "trace_node_fields": ["id", "function_info_index", "count", "size", "children"],
            "sample_fields": ["timestamp_us", "last_assigned_id"],
            "location_fields": ["object_index", "script_id", "line", "column"],
        }  # fmt: skip
        counts = {
            "meta": meta,
            "node_count": _FIRST_NODES + self._holders + heap.objects,
            "edge_count": edges,
            "trace_function_count": 0,
        }
        yield f'{{"snapshot":{json.dumps(counts, separators=(",", ":"))},\n"nodes":['
        yield from _joined(self._nodes())
        yield '],\n"edges":['
        yield from _joined(self._edges())
        yield '],\n"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[],\n"strings":'
        yield msgspec.json.encode(list(self._strings)).decode()
        yield "}\n"

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    # ------------------------------------------------------------ nodes

    def _nodes(self) -> Iterator[str]:
        heap = self._heap
        synthetic = _NODE_TYPES.index("synthetic")
        top = len(heap.graph.holders[0].targets)
        yield f"{synthetic},{self._string('')},1,0,1,0,0"
        yield f"{synthetic},{self._string('(GC roots)')},3,0,{top},0,0"
        for number in range(1, len(heap.graph.holders)):
            node = heap.objects + number
            name = self._string(heap.name(node))
            yield f"{synthetic},{name},{2 * number + 3},0,{heap.referent_count(node)},0,0"
        first, size = heap.snapshot.first_edge, heap.snapshot.size
        base = 2 * (self._holders + _FIRST_NODES) + 1
        for node in range(heap.objects):
            kind, name = self._kind_of(node)
            yield f"{kind},{name},{base + 2 * node},{size[node]},{first[node + 1] - first[node]},0,0"

    def _kind_of(self, node: int) -> tuple[int, int]:
        text = self._types[self._heap.snapshot.type[node]]
        kind = _WITH_TEXT.get(text)
        if kind is None:
            return _NODE_TYPES.index("object"), self._string(text)
        return _NODE_TYPES.index(kind), self._string(self._heap.value(node, 200) or text)

    # ------------------------------------------------------------ edges

    def _edges(self) -> Iterator[str]:
        heap = self._heap
        yield f"{_EDGE_TYPES.index('element')},1,{_WIDTH}"
        place = self._place_of
        for holder in heap.graph.holders:
            for label, target in holder.targets:
                if target >= heap.objects:
                    yield f"{_EDGE_TYPES.index('internal')},{self._string(heap.name(target))},{place(target)}"
                else:
                    kind, name = self._label(label)
                    yield f"{kind},{name},{place(target)}"
        base = _WIDTH * (self._holders + _FIRST_NODES)
        labels = self._labels
        cut = heap.graph.stack.cut
        for number, (label, target) in enumerate(zip(heap.snapshot.label, heap.snapshot.edge, strict=True)):
            kind, name = labels.get(label) or self._label(label)
            target = cut.get(number, target) if cut else target
            yield f"{kind},{name},{base + _WIDTH * target}"

    def _place_of(self, node: int) -> int:
        objects = self._heap.objects
        if node >= objects:
            return _WIDTH * (node - objects + 1)
        return _WIDTH * (self._holders + _FIRST_NODES + node)

    def _label(self, label: int) -> tuple[int, int]:
        kind = _EDGE_KINDS.get(label >> LABEL_SHIFT, "internal")
        value = label & LABEL_MASK
        if kind != "element":
            text = self._heap.label_text(label)
            if kind == "internal":
                text = text.removeprefix("(").removesuffix(")")
            value = self._string(text.removeprefix("."))
        found = self._labels[label] = (_EDGE_TYPES.index(kind), value)
        return found


def _joined(rows: Iterable[str]) -> Iterator[str]:
    """Rows with commas between them, some thousand at a time."""
    separator = ""
    block: list[str] = []
    for row in rows:
        block.append(row)
        if len(block) >= _BLOCK:
            yield separator + "\n,".join(block)
            separator = "\n,"
            block.clear()
    if block:
        yield separator + "\n,".join(block)
