"""A scene whose heap has a million objects: a cache of baskets that only grows, as its own arrays."""

from __future__ import annotations

import time
from array import array
from itertools import pairwise
from pathlib import Path

import msgspec
import zstandard
from relive_base.parts import ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo
from relive_capture.explore.parts import SceneInput, write_scene
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

__all__ = ["heap_members", "write_big_scene"]

LINES = 40  # bytes objects of a basket
INVOCATION = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa0f"
FIRST_ADDRESS = 0x7E00_0000_0000
TYPES = ("bytes", "list", "dict", "cart.Basket", "module", "str", "decimal.Decimal")
BYTES, LIST, DICT, BASKET, MODULE, STR, DECIMAL = range(len(TYPES))


class _Columns:
    def __init__(self) -> None:
        self.type, self.size, self.value = array("I"), array("Q"), array("I")
        self.first, self.edge, self.label = array("I", [0]), array("I"), array("I")
        self.strings = [""]
        self.last_address = 0

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


def _columns(objects: int, prices: int) -> tuple[_Columns, list[HeapRoot]]:
    """A cache of baskets that only grows, as a module's; a price list as a frame's local, at address `prices`
    where that is given."""
    columns = _Columns()
    lines_label, meta_label = columns.named(ATTRIBUTE, "lines"), columns.named(ATTRIBUTE, "meta")
    source_label = columns.named(ITEM, "'customer'")
    cached = []
    while len(columns.type) < objects - 1_000:
        name = f"'c-{10_000 + len(cached)}'"
        lines = [columns.add(BYTES, 433, []) for _ in range(LINES)]
        pairs = [(INDEX << LABEL_SHIFT | place, line) for place, line in enumerate(lines)]
        listed = columns.add(LIST, 376, pairs)
        text = columns.add(STR, 56, [], name)
        meta = columns.add(DICT, 232, [(source_label, text)])
        basket = columns.add(BASKET, 48, [(lines_label, listed), (meta_label, meta)])
        cached.append((columns.named(ITEM, name), basket))
    cache = columns.add(DICT, 104 * len(cached), cached)
    namespace = columns.add(DICT, 640, [(columns.named(ITEM, "'_baskets'"), cache)])
    module = columns.add(MODULE, 72, [(columns.named(INTERNAL, "__dict__"), namespace)])
    each = [columns.add(DECIMAL, 104, [], f"{n / 7:.4f}") for n in range(1, 900)]
    rows = [(columns.named(ITEM, f"'SKU-{n:04}'"), price) for n, price in enumerate(each, 1)]
    listed = columns.add(DICT, 36_960, rows)
    columns.last_address = prices
    frame = HeapRoot(
        kind="frame", name="price", file="cart.py", line=13, function="price", in_app=True,
        targets=[(columns.named(LOCAL, "prices"), listed)],
    )  # fmt: skip
    holder = HeapRoot(kind="module", name="cart", targets=[(columns.named(INTERNAL, ""), module)])
    return columns, [frame, holder]


def heap_members(objects: int, prices: int = 0) -> dict[str, bytes]:
    """The members of a scene's heap with about `objects` objects."""
    columns, roots = _columns(objects, prices)
    address = array("Q", range(FIRST_ADDRESS, FIRST_ADDRESS + 64 * len(columns.type), 64))
    address[-1] = max(columns.last_address, address[-1])
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
        walker="c", function="checkout", version=31,
    )  # fmt: skip
    types = [HeapType(*(name.split(".") if "." in name else ("builtins", name))) for name in TYPES]
    files = {"meta": meta, "types": types, "strings": columns.strings, "roots": roots}
    return {**members, **{f"heap/{name}.json": msgspec.json.encode(value) for name, value in files.items()}}


def write_big_scene(path: Path, objects: int) -> Path:
    """A scene file with about `objects` objects in its heap."""
    now = time.time_ns()
    record = InvocationRecord(
        invocation_id=INVOCATION, function="checkout", version=31,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7",
        trigger_span_id="00f067aa0ba902b8", started_ns=now, ended_ns=now,
        status="memory",
    )  # fmt: skip
    error = ErrorInfo(type="MemoryLimit", message="checkout used more than 512 MB", kind="memory")
    given = SceneInput(
        record=record,
        error=error,
        captured_ns=now,
        members=heap_members(objects),
        parts={"heap": ok()},
    )
    write_scene(path, given)
    return path
