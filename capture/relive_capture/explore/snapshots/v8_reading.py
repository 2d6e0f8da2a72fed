"""Reading `.heapsnapshot`, V8's format: what Node and Chrome write.

The file is mapped, not loaded; its two long arrays become columns chunk by chunk. It may come from anywhere,
so counts are bounded and indexes checked before they are used.

Weak edges hold nothing, and shortcuts (but the root's own, which lead to the user's globals) repeat what
other edges say: both are left out, as Chrome does when it computes retained sizes.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import msgspec

from relive_capture.explore.errors import SceneError
from relive_capture.explore.snapshots.checks import check_snapshot
from relive_capture.explore.snapshots.snapshot import HeapLimits, HeapSnapshot
from relive_capture.heap_format import (
    ATTRIBUTE,
    INDEX,
    INTERNAL,
    LABEL_MASK,
    LABEL_SHIFT,
    HeapMeta,
    HeapRoot,
    HeapType,
)

__all__ = ["read_v8"]

_CHUNK: Final = 1 << 20
_HEAD_BYTES: Final = 1 << 20  # where the description must end
_TEXT_CHARS: Final = 200
_NUMBER_CHARS: Final = 20
_HINT: Final = "write it with `v8.writeHeapSnapshot()` of Node, or with Chrome"
_NODE_FIELDS: Final = ("type", "name", "id", "self_size", "edge_count")
_EDGE_FIELDS: Final = ("type", "name_or_index", "to_node")
_NAMED_BY_CLASS: Final = ("object", "native")
_KINDS: Final = {"context": ATTRIBUTE, "property": ATTRIBUTE, "element": INDEX}


class _Meta(msgspec.Struct):
    node_fields: list[str]
    node_types: list[Any]
    edge_fields: list[str]
    edge_types: list[Any]


class _Counts(msgspec.Struct):
    meta: _Meta
    node_count: int
    edge_count: int


class _Head(msgspec.Struct):
    snapshot: _Counts


class _Tail(msgspec.Struct):
    strings: list[str]


@dataclass(slots=True)
class _File:
    """The parts of a file: nodes by field, edges by field."""

    node_types: list[str]
    edge_types: list[str]
    nodes: dict[str, array[int]]
    edges: dict[str, array[int]]
    node_width: int
    strings: list[str]


def read_v8(path: str | os.PathLike[str], limits: HeapLimits | None = None) -> HeapSnapshot:
    """The snapshot in a `.heapsnapshot` file: addresses are V8's ids. Raises SceneError."""
    limits = limits or HeapLimits()
    where = os.fspath(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 < size <= limits.file_bytes:
                raise SceneError(f"{size} bytes; up to {limits.file_bytes} are read", where=where)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                snapshot = _snapshot(_parse(data, where, limits), where)
    except OSError as error:
        raise SceneError(f"it cannot be opened: {error.strerror}", where=where) from error
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, LookupError, TypeError) as error:
        raise SceneError(f"it is not a heap snapshot of V8: {error}", where=where, hint=_HINT) from error
    check_snapshot(snapshot, where, limits)
    return snapshot


def _parse(data: mmap.mmap, where: str, limits: HeapLimits) -> _File:
    begin, end = _array(data, "nodes", 0)
    head = data[:begin].rpartition(b'"nodes"')[0].strip().rstrip(b",") + b"}"
    counts = msgspec.json.decode(head, type=_Head).snapshot
    for what, count, limit in (
        ("objects", counts.node_count, limits.objects),
        ("edges", counts.edge_count, limits.edges),
    ):
        if not 0 <= count <= limit:
            raise SceneError(f"the heap has {count} {what}, the limit is {limit}", where=where)
    meta = counts.meta
    nodes = _columns(data, begin, end, meta.node_fields, counts.node_count, _NODE_FIELDS)
    begin, end = _array(data, "edges", end)
    edges = _columns(data, begin, end, meta.edge_fields, counts.edge_count, _EDGE_FIELDS)
    if len(data) - end > limits.text_bytes:
        raise SceneError(f"{len(data) - end} bytes of texts, the limit is {limits.text_bytes}", where=where)
    return _File(
        node_types=_names(meta.node_types),
        edge_types=_names(meta.edge_types),
        nodes=nodes,
        edges=edges,
        node_width=len(meta.node_fields),
        strings=_strings(b"{" + data[end + 1 :].lstrip(b", \r\n\t")),
    )


def _array(data: mmap.mmap, name: str, begin: int) -> tuple[int, int]:
    """Where the numbers of `"name": [...]` are."""
    found = re.compile(rb'"%s"\s*:\s*\[' % name.encode()).search(data, begin, begin + _HEAD_BYTES)
    end = data.find(b"]", found.end()) if found else -1
    if found is None or end < 0:
        raise ValueError(f"there are no {name}")
    return found.end(), end


def _columns(
    data: mmap.mmap, begin: int, end: int, fields: list[str], count: int, wanted: tuple[str, ...]
) -> dict[str, array[int]]:
    width = len(fields)
    missing = [name for name in wanted if name not in fields]
    if missing or width > 32:
        raise ValueError(f"there is no field {', '.join(missing)}")
    if (end - begin) > count * width * _NUMBER_CHARS:
        raise ValueError("there are more numbers than it says")
    numbers = array("Q")
    for chunk in _chunks(data, begin, end):
        numbers.extend(msgspec.json.decode(b"[" + chunk + b"]", type=list[int]))
    if len(numbers) != count * width:
        raise ValueError(f"{len(numbers)} numbers instead of {count * width}")
    return {name: numbers[fields.index(name) :: width] for name in wanted}


def _chunks(data: mmap.mmap, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        cut = min(begin + _CHUNK, end)
        if cut < end:
            cut = data.rfind(b",", begin, cut)
            if cut < 0:
                raise ValueError("a number is too long")
        yield data[begin:cut]
        begin = cut + 1


def _names(types: list[Any]) -> list[str]:
    """The names of the first field's values."""
    if not types or not isinstance(types[0], list):
        raise ValueError("the types have no names")
    return [str(name) for name in types[0]]


def _strings(tail: bytes) -> list[str]:
    try:
        return msgspec.json.decode(tail, type=_Tail).strings
    except msgspec.MsgspecError:
        content = json.loads(tail)  # takes half of a surrogate pair, which a text of V8's may have
        strings = content.get("strings") if isinstance(content, dict) else None
        if not isinstance(strings, list) or not all(isinstance(text, str) for text in strings):
            raise
        return [text.encode("utf-8", "backslashreplace").decode() for text in strings]


# ---------------------------------------------------------------- as a snapshot


def _snapshot(file: _File, where: str) -> HeapSnapshot:
    ids = file.nodes["id"]
    count = len(ids)
    if not count or sum(file.nodes["edge_count"]) != len(file.edges["to_node"]):
        raise ValueError("the edges of the nodes are not as many as there are")
    first = array("Q", [0, *accumulate(file.nodes["edge_count"])])
    # Node 0 is V8's root: it becomes the roots of ours, all others are objects in the order of their ids.
    order = sorted(range(1, count), key=ids.__getitem__)
    rank = array("I", [0]) * count
    for place, node in enumerate(order):
        rank[node] = place
    kinds = _Kinds(file)
    edges = _Edges(file, rank)
    first_edge = array("I", [0])
    for node in order:
        edges.add(first[node], first[node + 1])
        first_edge.append(len(edges.edge))
    type_column = array("I", (kinds.type_of(node) for node in order))
    value = array("I", (kinds.value_of(node) for node in order))
    size = array("Q", map(file.nodes["self_size"].__getitem__, order))
    return HeapSnapshot(
        meta=HeapMeta(
            objects=len(order), edges=len(edges.edge), bytes=sum(size), taken_ns=0, walker="v8", function=""
        ),
        types=kinds.types,
        strings=[text[:_TEXT_CHARS] for text in file.strings] + [""],
        roots=list(_roots(file, rank, first[1])),
        address=array("Q", map(ids.__getitem__, order)),
        type=type_column,
        size=size,
        first_edge=first_edge,
        edge=edges.edge,
        label=edges.label,
        value=value,
    )


class _Kinds:
    """Types: classes by their name, all else by what V8 calls it: `(closure)`, `(string)`."""

    def __init__(self, file: _File) -> None:
        self.types: list[HeapType] = []
        self._file = file
        self._numbers: dict[str, int] = {}

    def _name(self, node: int) -> tuple[str, int]:
        file = self._file
        return file.node_types[file.nodes["type"][node]], file.nodes["name"][node]

    def type_of(self, node: int) -> int:
        kind, name = self._name(node)
        text = self._file.strings[name][:_TEXT_CHARS] if kind in _NAMED_BY_CLASS else f"({kind})"
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.types)
            self.types.append(HeapType("", text))
        return number

    def value_of(self, node: int) -> int:
        kind, name = self._name(node)
        return 0 if kind in _NAMED_BY_CLASS or not self._file.strings[name] else 1 + name


class _Edges:
    """Edges that hold something, in our labels."""

    def __init__(self, file: _File, rank: array[int]) -> None:
        self.edge = array("I")
        self.label = array("I")
        self._file = file
        self._rank = rank
        self._unnamed = INTERNAL << LABEL_SHIFT | len(file.strings)
        self._kinds = [
            None if name in ("weak", "shortcut") else _KINDS.get(name, INTERNAL) for name in file.edge_types
        ]
        self._numbered = [name in ("element", "hidden") for name in file.edge_types]

    def add(self, begin: int, end: int) -> None:
        """The edges of one node."""
        edges = self._file.edges
        types, names, targets = edges["type"], edges["name_or_index"], edges["to_node"]
        width = self._file.node_width
        for number in range(begin, end):
            kind = self._kinds[types[number]]
            if kind is not None and targets[number]:  # nothing leads to the root
                self.edge.append(self._rank[_node(targets[number], width)])
                self.label.append(self._label(kind, self._numbered[types[number]], names[number]))

    def _label(self, kind: int, numbered: bool, name: int) -> int:
        if kind == INDEX:
            return INDEX << LABEL_SHIFT | min(name, LABEL_MASK)
        if numbered or name >= len(self._file.strings):
            return self._unnamed
        return kind << LABEL_SHIFT | name


def _roots(file: _File, rank: array[int], edges: int) -> Iterator[HeapRoot]:
    """What the root leads to: by its shortcuts the user's globals, by the rest what V8 itself holds."""
    unnamed = INTERNAL << LABEL_SHIFT | len(file.strings)
    for number in range(edges):
        kind = file.edge_types[file.edges["type"][number]]
        node = _node(file.edges["to_node"][number], file.node_width)
        if kind != "weak" and node:
            name = file.strings[file.nodes["name"][node]][:_TEXT_CHARS]
            yield HeapRoot(
                kind="module" if kind == "shortcut" else "interpreter",
                name=name,
                targets=[(unnamed, rank[node])],
            )


def _node(offset: int, width: int) -> int:
    node, rest = divmod(offset, width)
    if rest:
        raise ValueError(f"an edge leads to {offset}, which is not a node")
    return node
