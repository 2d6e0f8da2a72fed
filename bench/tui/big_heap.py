"""A scene whose heap has a million objects: a cache of pictures that only grows, as its own arrays."""

from __future__ import annotations

import time
from array import array
from itertools import pairwise
from pathlib import Path

import msgspec
import zstandard
from relive_base.frames import ErrorInfo, PartState
from relive_base.records import InvocationRecord
from relive_capture.explore.archive import SceneInput, write_scene
from relive_capture.heap_format import (
    ATTRIBUTE,
    COLUMNS,
    INDEX,
    INTERNAL,
    ITEM,
    LABEL_SHIFT,
    LOCAL,
    HeapMeta,
    HeapRoot,
    HeapType,
)

__all__ = ["write_big_scene"]

ROWS = 40  # bytes objects of a picture
INVOCATION = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa0f"
TYPES = ("bytes", "list", "dict", "thumb.Picture", "module", "str")
BYTES, LIST, DICT, PICTURE, MODULE, STR = range(len(TYPES))


class _Columns:
    def __init__(self) -> None:
        self.type, self.size, self.value = array("I"), array("Q"), array("I")
        self.first, self.edge, self.label = array("I", [0]), array("I"), array("I")
        self.strings = [""]

    def add(self, kind: int, size: int, edges: list[tuple[int, int]], value: str = "") -> int:
        for label, target in edges:
            self.label.append(label)
            self.edge.append(target)
        self.first.append(len(self.edge))
        self.type.append(kind)
        self.size.append(size)
        self.value.append(1 + self.text(value) if value else 0)
        return len(self.type) - 1

    def text(self, value: str) -> int:
        self.strings.append(value)
        return len(self.strings) - 1

    def named(self, kind: int, value: str) -> int:
        return kind << LABEL_SHIFT | self.text(value)


def _columns(objects: int) -> tuple[_Columns, list[HeapRoot]]:
    columns = _Columns()
    rows_label, tags_label = columns.named(ATTRIBUTE, "rows"), columns.named(ATTRIBUTE, "tags")
    source_label = columns.named(ITEM, "'source'")
    cached = []
    while len(columns.type) < objects - 3:
        name = f"'/pictures/{len(cached)}.png'"
        rows = [columns.add(BYTES, 433, []) for _ in range(ROWS)]
        listed = columns.add(
            LIST, 376, [(INDEX << LABEL_SHIFT | place, row) for place, row in enumerate(rows)]
        )
        text = columns.add(STR, 70, [], name)
        tags = columns.add(DICT, 232, [(source_label, text)])
        picture = columns.add(PICTURE, 48, [(rows_label, listed), (tags_label, tags)])
        cached.append((columns.named(ITEM, name), picture))
    cache = columns.add(DICT, 104 * len(cached), cached)
    namespace = columns.add(DICT, 640, [(columns.named(ITEM, "'_cache'"), cache)])
    module = columns.add(MODULE, 72, [(columns.named(INTERNAL, "__dict__"), namespace)])
    frame = HeapRoot(
        kind="frame", name="load", file="thumb.py", line=41, function="load", in_app=True,
        targets=[(columns.named(LOCAL, "picture"), cached[0][1])],
    )  # fmt: skip
    holder = HeapRoot(kind="module", name="thumb", targets=[(columns.named(INTERNAL, ""), module)])
    return columns, [frame, holder]


def _members(objects: int) -> dict[str, bytes]:
    columns, roots = _columns(objects)
    address = array("Q", range(0x7F00_0000_0000, 0x7F00_0000_0000 + 64 * len(columns.type), 64))
    steps = array("Q", [right - left for left, right in pairwise([0, *address])])
    values = {
        "address": steps, "type": columns.type, "size": columns.size, "first_edge": columns.first,
        "edge": columns.edge, "label": columns.label, "value": columns.value,
    }  # fmt: skip
    packer = zstandard.ZstdCompressor(level=3)
    members = {
        f"heap/{name}.{'u64' if COLUMNS[name] == 'Q' else 'u32'}": packer.compress(column.tobytes())
        for name, column in values.items()
    }
    meta = HeapMeta(
        objects=len(columns.type), edges=len(columns.edge), bytes=sum(columns.size), taken_ns=time.time_ns(),
        walker="c", function="thumbnail", version=31,
    )  # fmt: skip
    types = [HeapType(*(name.split(".") if "." in name else ("builtins", name))) for name in TYPES]
    files = {"meta": meta, "types": types, "strings": columns.strings, "roots": roots}
    return {**members, **{f"heap/{name}.json": msgspec.json.encode(value) for name, value in files.items()}}


def write_big_scene(path: Path, objects: int) -> Path:
    """A scene file with about `objects` objects in its heap."""
    now = time.time_ns()
    record = InvocationRecord(
        invocation_id=INVOCATION, function="thumbnail", version=31,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7",
        trigger_span_id="00f067aa0ba902b8", started_ns=now, ended_ns=now,
        status="memory",
    )  # fmt: skip
    error = ErrorInfo(type="MemoryLimit", message="thumbnail used more than 512 MB", kind="memory")
    given = SceneInput(
        record=record,
        error=error,
        captured_ns=now,
        members=_members(objects),
        parts={"heap": PartState("ok")},
    )
    write_scene(path, given)
    return path
