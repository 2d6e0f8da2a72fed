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
_NODE_BYTES = 56  # of JSON around the texts of a node: names of fields, label, address
_MAX_REDACTIONS = 1000
_KEY_TEXT = 80
_CACHED_TEXT = 80  # texts up to this length are judged once in a capture
_MAX_CACHE = 20_000
_SMALL = 10**9  # smaller numbers are no card's and no phone's

_STR, _BYTES, _INT, _LEAF, _CONTAINER, _OBJECT = range(6)


class _Plan:
    """How values of one type are shown. Holds the type, so that its id stays its own."""

    __slots__ = ("call", "cls", "exact", "kind", "name")

    def __init__(self, cls: type, kind: int, call: Any = None, exact: bool = True) -> None:
        self.cls = cls
        self.name = type_name(cls)
        self.kind = kind
        self.call = call
        self.exact = exact


class Walker:
    """Makes value trees for one capture. Redacted places are appended to `redactions`."""

    def __init__(self, budget: Budget, meter: Meter, redactor: Redactor, redactions: list[str]) -> None:
        self._budget = budget
        self._meter = meter
        self._redactor = redactor
        self._redactions = redactions
        self._leaves = Leaves()
        self._plans: dict[int, _Plan] = {}
        self._clean_texts: dict[str, str] = {}
        self._secrets: dict[str, str] = {}  # label -> how secret what goes under it is
        self._seen: dict[int, int] = {}  # address -> how many were seen before it, in this frame
        self._first = 0  # where in that order the current local began
        self._closed = True  # the current local has no ref to what lies outside it
        self._known: dict[int, ValueNode] = {}  # address -> tree of a local
        self._nodes_left = 0
        self._path: list[str] = []

    def frame_locals(self, items: Iterable[Child], path: str) -> tuple[list[tuple[str, ValueNode]], int]:
        """(trees of a frame's locals, how many the limits cut). `path` begins names of redacted places."""
        self._seen = {}
        self._nodes_left = self._budget.frame_nodes
        self._path = [path]
        nodes: list[tuple[str, ValueNode]] = []
        cut = 0
        limit = self._budget.breadth * 4
        for name, value in items:
            if len(nodes) >= limit or self._nodes_left <= 0 or self._meter.over:
                cut += 1
            else:
                nodes.append((name, self._local(name, value)))
        return nodes, cut

    def _local(self, name: str, value: object) -> ValueNode:
        """A frame's local. What is handed from frame to frame is walked once and then referred to: the frames
        live as long as the capture, so an address stands for one object. Reading the scene puts it back."""
        address = id(value)
        known = self._known.get(address)
        if known is not None and not self._redactor.secret_key(name):
            self._nodes_left -= 1
            self._seen.setdefault(address, len(self._seen))
            self._meter.spend(_NODE_BYTES + len(known.text))
            return ValueNode(known.type, known.text, id=address, length=known.length, ref=True)
        self._first, self._closed = len(self._seen), True
        node = self._child(name, value, self._budget.depth)
        if node.children and self._closed and not node.redacted and not node.ref and not self._meter.over:
            self._known[address] = node
        return node

    def value(self, value: object, path: str) -> ValueNode:
        """One tree of its own, with a frame's number of nodes."""
        self._seen = {}
        self._nodes_left = self._budget.frame_nodes
        self._path = [path]
        return self._node(value, self._budget.depth)

    # ------------------------------------------------------------ redaction

    def _clean(self, text: str) -> str:
        """`text` without secrets; a redaction is noted under the current path."""
        clean = self._clean_texts.get(text)
        if clean is None:
            clean = self._redactor.text(text)
            if len(text) <= _CACHED_TEXT and len(self._clean_texts) < _MAX_CACHE:
                self._clean_texts[text] = clean
        if clean is not text and clean != text:
            self._note_redaction()
        return clean

    def _note_redaction(self) -> None:
        if len(self._redactions) < _MAX_REDACTIONS:
            first, *rest = self._path
            labels = [label if label.startswith("[") else f".{label}" for label in rest]
            self._redactions.append(first + "".join(labels))

    # ------------------------------------------------------------ one node

    def _plan(self, cls: type) -> _Plan:
        plan = self._plans.get(id(cls))
        if plan is None:
            plan = self._plans[id(cls)] = self._make_plan(cls)
        return plan

    def _make_plan(self, cls: type) -> _Plan:
        finder = self._leaves.finder(cls)
        if finder is not None:
            return _Plan(cls, _LEAF, finder)
        for base in mro(cls):
            kind = _SIMPLE.get(id(base))
            if kind is not None:
                return _Plan(cls, kind)
            container = CONTAINERS.get(id(base))
            if container is not None:
                return _Plan(cls, _CONTAINER, container, exact=cls is base)
        return _Plan(cls, _OBJECT)

    def _child(self, label: str, value: object, depth: int) -> ValueNode:
        path = self._path
        path.append(label)
        # Indexes are no names; everything else is judged by what it is called.
        secret = self._secrets.get(label)
        if secret is None:
            secret = "" if label.startswith("[") else self._redactor.secret_key(label)
            if len(self._secrets) < _MAX_CACHE:
                self._secrets[label] = secret
        if secret and _hides(secret, value):
            self._note_redaction()
            self._nodes_left -= 1
            node = ValueNode(self._plan(type(value)).name, PLACEHOLDER, redacted=True)
        else:
            node = self._node(value, depth)
        path.pop()
        return node

    def _node(self, obj: Any, depth: int) -> ValueNode:
        self._nodes_left -= 1
        plan = self._plan(type(obj))
        path_length = len(self._path)
        try:
            if plan.kind >= _CONTAINER:
                node = self._compound(obj, plan, depth)
            else:
                text, length = self._leaf(obj, plan)
                node = ValueNode(plan.name, text, length=length)
                if PLACEHOLDER in text:
                    node.redacted = True
        except Exception as error:  # a C accessor may refuse an object in an odd state; that is worth a text
            del self._path[path_length:]
            node = ValueNode(plan.name, f"<{plan.name}: not readable, {type(error).__name__}>")
        self._meter.spend(_NODE_BYTES + len(node.text) + len(plan.name))
        return node

    def _quick(self, label: str, value: Any) -> ValueNode | None:
        """The node of a small number or a known short text under a harmless label: most values are one."""
        cls: Any = type(value)
        if cls is int:
            if not -_SMALL < value < _SMALL or self._secrets.get(label) != "":
                return None
            node = ValueNode("int", int.__repr__(value))
        elif cls is str:
            if len(value) > _CACHED_TEXT or self._secrets.get(label) != "":
                return None
            if self._clean_texts.get(value) != value:
                return None
            node = ValueNode("str", repr(value), length=len(value))
        else:
            return None
        self._nodes_left -= 1
        self._meter.bytes_used += _NODE_BYTES
        return node

    def _leaf(self, obj: Any, plan: _Plan) -> tuple[str, int]:
        """(text, length or -1) of a value without children."""
        kind = plan.kind
        if kind == _STR:
            return str_text(obj, self._budget.text, self._clean)
        if kind == _INT:
            text = int_text(obj)
            return (text if len(text) < _CARD_DIGITS else self._clean(text)), -1
        if kind == _BYTES:
            return bytes_text(obj, self._budget.text, self._clean)
        return self._clean(plan.call(obj)[: self._budget.text * 2]), -1

    def _compound(self, obj: object, plan: _Plan, depth: int) -> ValueNode:
        address = id(obj)
        name = plan.name
        order = self._seen.get(address)
        if order is not None:
            self._closed = self._closed and order >= self._first
            return ValueNode(name, f"<{name}>", id=address, ref=True)
        self._seen[address] = len(self._seen)
        found = self._children(obj, plan, depth)
        length = found.length
        if depth <= 0:
            shown = found.open + ("…" if length else "") + found.close
            return ValueNode(name, shown, id=address, length=length, more=max(length, 0))
        nodes: list[tuple[str, ValueNode]] = []
        for label, value in found.items[: self._budget.breadth]:
            if self._nodes_left <= 0 or self._meter.over:
                break
            node = self._quick(label, value)
            nodes.append((label, node if node is not None else self._child(label, value, depth - 1)))
        total = length if length >= 0 else len(found.items)
        more = max(total - len(nodes), 0)
        return ValueNode(
            name, _preview(nodes, more, found), id=address, length=length, children=nodes, more=more
        )

    # ------------------------------------------------------------ children

    def _children(self, obj: Any, plan: _Plan, depth: int) -> Children:
        limit = self._budget.breadth + 1 if depth > 0 else 0
        if plan.kind == _OBJECT:
            return Children(f"{plan.name}(", ")", "fields", -1, self._attributes(obj, limit * 4))
        found: Children = plan.call(obj, limit, self._key_text)
        if not plan.exact:
            found.open = plan.name + found.open
            found.items += self._attributes(obj, limit - len(found.items))
        return found

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
        """A dict key as a label. Strings as they are (redacted), others by their type's own text."""
        cls = type(key)
        if cls is str:
            return self._clean(key[:_KEY_TEXT])
        plan = self._plan(cls)
        if plan.kind == _STR:
            return self._clean(str.__getitem__(key, slice(0, _KEY_TEXT)))
        if issubclass(cls, tuple):
            parts = [self._key_text(part) for part in tuple.__getitem__(key, slice(0, 4))]
            return f"({', '.join(parts)})"[:_KEY_TEXT]
        return (f"<{plan.name}>" if plan.kind >= _CONTAINER else self._leaf(key, plan)[0])[:_KEY_TEXT]


# ---------------------------------------------------------------- texts

_CARD_DIGITS = 13
_SIMPLE = {id(str): _STR, id(bytes): _BYTES, id(bytearray): _BYTES, id(int): _INT}


def _hides(secret: str, value: object) -> bool:
    cls = type(value)
    if value is None or cls is bool:
        return False
    if secret == "weak":
        return issubclass(cls, str | bytes)
    return not issubclass(cls, type)


def _preview(nodes: list[tuple[str, ValueNode]], more: int, shape: Children) -> str:
    """`{'a': 1, 'b': […]}`: a line of at most about 80 characters from the children's texts."""
    parts: list[str] = []
    used = len(shape.open)
    style = shape.style
    for label, child in nodes:
        text = child.text
        if style == "fields":
            text = f"{label}={text}"
        elif style == "keyed":
            text = f"{label!r}: {text}"
        used += len(text) + 2
        if used > _PREVIEW:
            parts.append("…")
            break
        parts.append(text)
    else:
        if more:
            parts.append("…")
    return f"{shape.open}{', '.join(parts)}{shape.close}"
