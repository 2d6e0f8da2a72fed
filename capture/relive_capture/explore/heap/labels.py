"""Labels, types and holders as people read them; everything that comes from a file is escaped and on one
line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relive_base.terminal import one_line

from relive_capture.heap_format import (
    ATTRIBUTE,
    INDEX,
    INTERNAL,
    ITEM,
    KEY,
    LABEL_MASK,
    LABEL_SHIFT,
    LOCAL,
    HeapRoot,
    HeapType,
)

__all__ = ["SEPARATOR", "edge_text", "joined", "place_text", "type_text"]

SEPARATOR: Final = " › "
_NAME_CHARS: Final = 120
_UNKNOWN: Final = "?"
_FORMS: Final = {
    INTERNAL: "({})",
    ATTRIBUTE: ".{}",
    INDEX: "[{}]",
    ITEM: "[{}]",
    KEY: "(key {})",
    LOCAL: "{}",
}


def edge_text(label: int, strings: Sequence[str]) -> str:
    """`.name`, `[3]`, `['sku']`, `basket`; `(reference)` for one of the interpreter's own without a name."""
    kind = label >> LABEL_SHIFT
    form = _FORMS.get(kind)
    if form is None:
        return _UNKNOWN
    if kind in (INDEX, KEY):
        return form.format(label & LABEL_MASK)
    text = _string(label, strings)
    if kind == INTERNAL:
        return f".{text}" if text.startswith("__") else form.format(text or "reference")
    if kind == ATTRIBUTE and text.startswith("["):
        return text  # an item, in what was written as V8's
    return form.format(text)


def joined(texts: Sequence[str]) -> str:
    """Steps as one line; the dict of an object's attributes is not a step of its own."""
    shown: list[str] = []
    for text in texts:
        name = text[2:-2] if text.startswith("['") else text[1:] if text.startswith(".") else ""
        if shown and shown[-1] == ".__dict__" and name.isidentifier():
            shown[-1] = f".{name}"
        else:
            shown.append(text)
    return SEPARATOR.join(shown)


def type_text(kind: HeapType) -> str:
    """`dict`, `cart.Order`."""
    name = kind.name if kind.module in ("", "builtins") else f"{kind.module}.{kind.name}"
    return one_line(name, _NAME_CHARS)


def place_text(root: HeapRoot) -> str:
    """`cart.py:88 handler` for a frame, the name for what is none."""
    if not root.file:
        return one_line(root.name or root.kind, _NAME_CHARS)
    file = root.file if root.in_app else root.file.rpartition("/")[2]
    return one_line(f"{file}:{root.line} {root.function or root.name}", _NAME_CHARS)


def _string(label: int, strings: Sequence[str]) -> str:
    index = label & LABEL_MASK
    return one_line(strings[index], _NAME_CHARS) if index < len(strings) else _UNKNOWN
