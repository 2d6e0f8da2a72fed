"""What a heap snapshot is: written by record/ as plain columns, kept in a scene's `heap/`, read by explore/.

An object is a number from 0 to objects - 1, in ascending order of its address. Its edges are the slice
`first_edge[i] : first_edge[i + 1]` of `edge` and `label`. All columns are little-endian and unsigned.

The worker writes each column as is (`heap/address.u64` ...), beside four JSON files. In an archive a column
is one zstd frame under the same name, and `address` holds the differences to the address before it.

A label is `kind << LABEL_SHIFT | value`:

| kind | value | as people read it |
| --- | --- | --- |
| INTERNAL | index into strings | the interpreter's own: `__class__`, `func_closure`; "" if not known |
| ATTRIBUTE | index into strings | `.name`: of an instance, its slots, a module or a class |
| INDEX | position | `[3]`: an item of a list, tuple or deque; of a set its place in the table |
| ITEM | index into strings | `['sku']`, `[17]`: the value of a dict's entry; the string is the key as code |
| KEY | position | the key of a dict's entry |
| LOCAL | index into strings | a local variable of a frame |
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "ATTRIBUTE",
    "COLUMNS",
    "INDEX",
    "INTERNAL",
    "ITEM",
    "JSON_FILES",
    "KEY",
    "LABEL_MASK",
    "LABEL_SHIFT",
    "LOCAL",
    "HeapMeta",
    "HeapRoot",
    "HeapType",
]

INTERNAL: Final = 0
ATTRIBUTE: Final = 1
INDEX: Final = 2
ITEM: Final = 3
KEY: Final = 4
LOCAL: Final = 5

LABEL_SHIFT: Final = 28
LABEL_MASK: Final = (1 << LABEL_SHIFT) - 1
"""A position over this is given as this."""

COLUMNS: Final = {
    "address": "Q",  # of the object: its id()
    "type": "I",  # index into types
    "size": "Q",  # shallow, bytes, the collector's header included
    "first_edge": "I",  # objects + 1 entries
    "edge": "I",  # the object that an edge leads to
    "label": "I",
    "value": "I",  # 0, or 1 + index into strings: a short text of the object's value
}
"""Name of each column and its `array` typecode; the file is NAME.u64 for Q, NAME.u32 for I."""

JSON_FILES: Final = ("meta", "types", "strings", "roots")
"""meta.json is a HeapMeta, types.json a list of HeapType, strings.json of str, roots.json of HeapRoot."""


class HeapMeta(msgspec.Struct, omit_defaults=True, kw_only=True):
    """How a snapshot came about. `truncated` names the limit that ended the walk; empty if it is whole."""

    schema: int = 1
    objects: int
    edges: int
    bytes: int  # sum of the sizes
    taken_ns: int
    python: str = ""
    walker: str = ""  # "c", "python" or the program that wrote an imported snapshot: "v8"
    truncated: str = ""
    cpu_ns: int = 0
    wall_ns: int = 0
    rss_bytes: int = 0
    invocation_id: str = ""
    function: str = ""
    version: int = 0


class HeapType(msgspec.Struct, array_like=True):
    """A type: `module` is "builtins" for Python's own."""

    module: str
    name: str


class HeapRoot(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Where reachability begins. `kind`: "frame" (of the failure, innermost last), "thread" (frames of the
    other threads), "module" (an entry of sys.modules), "interpreter" (all else that the runtime holds).

    A root is no object of the snapshot; `targets` are (label, object) pairs. `file`, `line` and `function`
    say which frame it is; `name` is then the function's, of a frame of another thread the thread's.
    """

    kind: str
    name: str
    targets: list[tuple[int, int]] = []
    file: str = ""
    line: int = 0
    function: str = ""
    in_app: bool = False
