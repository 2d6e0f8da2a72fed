"""The bounded walker: a Python value becomes a tree of texts, within limits and without calling its code."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from relive_base.redaction import PLACEHOLDER, Redactor
from relive_base.values import ValueNode

from relive_capture.record.budget import Budget, Meter
from relive_capture.record.containers import CONTAINERS, Child, Children
from relive_capture.record.inspection import dict_items, instance_dict, mro, slot_items, type_name
from relive_capture.record.leaves import Leaves, bytes_text, int_text, str_text

__all__ = ["Walker"]

_PREVIEW = 80
_NODE_BYTES = 40  # of JSON around the texts of a node
_MAX_REDACTIONS = 1000
_KEY_TEXT = 80


class Walker:
    """Makes value trees for one capture. Redacted places are appended to `redactions`."""

    def __init__(self, budget: Budget, meter: Meter, redactor: Redactor, redactions: list[str]) -> None:
        self._budget = budget
        self._meter = meter
        self._redactor = redactor
        self._redactions = redactions
        self._leaves = Leaves()
        self._names: dict[int, tuple[type, str]] = {}  # keeps the types alive, so that their ids stay theirs
        self._seen: set[int] = set()
        self._nodes_left = 0
        self._path: list[str] = []

    def frame_locals(self, items: Iterable[Child], path: str) -> tuple[list[tuple[str, ValueNode]], int]:
        """(trees of a frame's locals, how many the limits cut). `path` begins the names of redacted
        places."""
        self._seen = set()
        self._nodes_left = self._budget.frame_nodes
        self._path = [path]
        nodes: list[tuple[str, ValueNode]] = []
        cut = 0
        limit = self._budget.breadth * 4
        for name, value in items:
            if len(nodes) >= limit or self._nodes_left <= 0 or self._meter.over:
                cut += 1
            else:
                nodes.append((name, self._child(name, value, self._budget.depth)))
        return nodes, cut

    def value(self, value: object, path: str) -> ValueNode:
        """One tree of its own, with a frame's number of nodes."""
        self._seen = set()
        self._nodes_left = self._budget.frame_nodes
        self._path = [path]
        return self._node(value, self._budget.depth)

    # ------------------------------------------------------------ one node

    def _type_name(self, cls: type) -> str:
        known = self._names.get(id(cls))
        if known is None:
            known = self._names[id(cls)] = (cls, type_name(cls))
        return known[1]

    def _clean(self, text: str) -> str:
        clean = self._redactor.text(text)
        if clean is not text:
            self._note_redaction()
        return clean

    def _note_redaction(self) -> None:
        if len(self._redactions) < _MAX_REDACTIONS:
            self._redactions.append("".join(self._path))

    def _child(self, label: str, value: object, depth: int) -> ValueNode:
        self._path.append(label if label.startswith("[") else f".{label}")
        try:
            secret = self._redactor.secret_key(label)
            if secret and _hides(secret, value):
                self._note_redaction()
                self._nodes_left -= 1
                return ValueNode(self._type_name(type(value)), PLACEHOLDER, redacted=True)
            return self._node(value, depth)
        finally:
            self._path.pop()

    def _node(self, obj: object, depth: int) -> ValueNode:
        self._nodes_left -= 1
        cls = type(obj)
        name = self._type_name(cls)
        try:
            node = self._simple(obj, cls, name)
            if node is None:
                node = self._compound(obj, cls, name, depth)
        except (
            Exception
        ) as error:  # a C accessor may still refuse an object in an odd state; that is worth a text
            node = ValueNode(name, f"<{name}: not readable, {type(error).__name__}>")
        self._meter.spend(_NODE_BYTES + len(node.text) + len(name))
        return node

    def _simple(self, obj: Any, cls: type, name: str) -> ValueNode | None:
        if cls is str:
            text, length = str_text(obj, self._budget.text, self._clean)
            return ValueNode(name, text, length=length, redacted=PLACEHOLDER in text)
        if cls is int:
            return ValueNode(name, self._clean(int_text(obj)))
        text_or_none = self._leaves.text(obj, cls)
        if text_or_none is not None:
            return ValueNode(name, self._clean(text_or_none[: self._budget.text * 2]))
        for base in mro(cls):
            if base is str:
                text, length = str_text(obj, self._budget.text, self._clean)
                return ValueNode(name, text, length=length, redacted=PLACEHOLDER in text)
            if base is bytes or base is bytearray:
                text, length = bytes_text(obj, self._budget.text, self._clean)
                return ValueNode(name, text, length=length, redacted=PLACEHOLDER in text)
            if base is int:
                return ValueNode(name, int_text(obj))
        return None

    def _compound(self, obj: object, cls: type, name: str, depth: int) -> ValueNode:
        address = id(obj)
        if address in self._seen:
            return ValueNode(name, f"<{name}>", id=address, ref=True)
        self._seen.add(address)
        found = self._children(obj, cls)
        length = found.length
        if length >= 0 and depth <= 0:
            shown = f"{found.open}…{found.close}" if length else found.open + found.close
            return ValueNode(name, shown, id=address, length=length, more=length)
        nodes: list[tuple[str, ValueNode]] = []
        if depth > 0:
            for label, value in found.items[: self._budget.breadth]:
                if self._nodes_left <= 0 or self._meter.over:
                    break
                nodes.append((label, self._child(label, value, depth - 1)))
        total = length if length >= 0 else len(found.items)
        node = ValueNode(name, "", id=address, length=length, children=nodes, more=max(total - len(nodes), 0))
        node.text = _preview(node, found)
        return node

    # ------------------------------------------------------------ children

    def _children(self, obj: Any, cls: type) -> Children:
        limit = self._budget.breadth + 1
        for base in mro(cls):
            container = CONTAINERS.get(id(base))
            if container is not None:
                found = container(obj, limit, self._key_text)
                if cls is not base:
                    found.open = self._type_name(cls) + found.open
                    found.items += self._attributes(obj, limit - len(found.items))
                return found
        return Children(f"{self._type_name(cls)}(", ")", "fields", -1, self._attributes(obj, limit * 4))

    def _attributes(self, obj: object, limit: int) -> list[Child]:
        if limit <= 0:
            return []
        found: list[Child] = []
        attributes = instance_dict(obj)
        if attributes is not None:
            found = [(self._key_text(key), value) for key, value in dict_items(attributes, limit)]
        found.extend(islice(slot_items(obj), limit - len(found)))
        return found

    def _key_text(self, key: Any) -> str:
        """A dict key as a label. Exact strings as they are (redacted), others by their type's own text."""
        cls = type(key)
        if cls is str:
            return self._redactor.text(key[:_KEY_TEXT])
        if issubclass(cls, str):
            return self._redactor.text(str.__getitem__(key, slice(0, _KEY_TEXT)))
        if issubclass(cls, tuple):
            parts = [self._key_text(part) for part in tuple.__getitem__(key, slice(0, 4))]
            return f"({', '.join(parts)})"[:_KEY_TEXT]
        node = self._simple(key, cls, self._type_name(cls))
        return (node.text if node is not None else f"<{self._type_name(cls)}>")[:_KEY_TEXT]


def _hides(secret: str, value: object) -> bool:
    cls = type(value)
    if value is None or cls is bool:
        return False
    if secret == "weak":
        return issubclass(cls, str | bytes)
    return not issubclass(cls, type)


def _preview(node: ValueNode, shape: Children) -> str:
    """`{'a': 1, 'b': […]}`: a line of at most about 80 characters from the children's texts."""
    parts: list[str] = []
    used = len(shape.open)
    for label, child in node.children:
        text = child.text or child.type
        if shape.style == "fields":
            text = f"{label}={text}"
        elif shape.style == "keyed":
            text = f"{label!r}: {text}"
        if used + len(text) > _PREVIEW:
            parts.append("…")
            break
        used += len(text) + 2
        parts.append(text)
    else:
        if node.more:
            parts.append("…")
    return f"{shape.open}{', '.join(parts)}{shape.close}"
