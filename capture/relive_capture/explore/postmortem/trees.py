"""Values as a scene keeps them: looked up, measured and compared as far as they were captured."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from relive_base.values import ValueNode

__all__ = ["CannotEvaluate", "CutAtCapture", "Trees", "is_cut", "scalar"]

_SCALARS: Final = {"str", "int", "float", "bool", "NoneType", "bytes", "complex"}
_NO_ATTRIBUTES: Final = _SCALARS | {"dict", "list", "tuple", "set", "frozenset"}
_TEXT_CHARS: Final = 4_000
_NODES: Final = 500_000
Key = str | int | float | bool | bytes | None


class CannotEvaluate(Exception):
    """What an expression asks for is not there; the message says why."""


class CutAtCapture(CannotEvaluate):
    """It was there, but a limit of the capture left it out of the scene."""


class Trees:
    """The values of a scene by their object's id: what was walked once is found from wherever it is shown."""

    def __init__(self, roots: Iterable[ValueNode]) -> None:
        self._by_id: dict[int, ValueNode] = {}
        pending = list(roots)
        count = 0
        while pending and count < _NODES:
            node = pending.pop()
            count += 1
            if node.id and not node.ref:
                known = self._by_id.get(node.id)
                if known is None or len(node.children) > len(known.children):
                    self._by_id[node.id] = node
                elif known is node:
                    continue
            pending.extend(child for _, child in node.children)

    def whole(self, node: ValueNode) -> ValueNode:
        """The node itself; if it only refers to a value, or is cut, the fullest one of that value."""
        if node.id and not node.children:
            return self._by_id.get(node.id, node)
        return node

    def attribute(self, node: ValueNode, name: str) -> ValueNode:
        """`node.name`. Raises CannotEvaluate."""
        node = self.whole(node)
        if node.type not in _NO_ATTRIBUTES:
            for label, child in node.children:
                if label == name:
                    return child
        raise _missing(node, f".{name}", f"AttributeError: {node.type} has no stored attribute {name!r}")

    def item(self, node: ValueNode, key: Key) -> ValueNode:
        """`node[key]`. Raises CannotEvaluate."""
        node = self.whole(node)
        labels = [str(key)]
        if isinstance(key, int) and not isinstance(key, bool):
            index = key + node.length if key < 0 and node.length > 0 else key
            labels = [f"[{index}]", str(key)]
        elif not isinstance(key, str):
            labels = [repr(key)]
        if not _has_fields(node):
            for label, child in node.children:
                if label in labels:
                    return child
        kind = "IndexError: index out of range" if _is_sequence(node) else f"KeyError: {key!r}"
        raise _missing(node, f"[{key!r}]", kind)

    def contains(self, node: ValueNode, key: Key) -> bool:
        """`key in node`. Raises CannotEvaluate if what was cut could hold it."""
        node = self.whole(node)
        if node.type == "str" and isinstance(key, str):
            return key in str(scalar(node))
        if _is_keyed(node):
            found = any(label == str(key) for label, _ in node.children)
        else:
            found = any(_equals(child, key) for _, child in node.children)
        if not found and node.more:
            raise CutAtCapture(f"{node.more} of its values were cut at capture: it cannot be told")
        return found

    def length(self, node: ValueNode) -> int:
        """`len(node)`. Raises CannotEvaluate."""
        node = self.whole(node)
        if node.length >= 0:
            return node.length
        raise CannotEvaluate(f"the scene has no length of a {node.type}")


def scalar(node: ValueNode) -> Key:
    """The value of a number, a text, bytes, True, False or None. Raises CannotEvaluate for all others."""
    if node.redacted:
        raise CannotEvaluate("the value was redacted at capture")
    if node.type not in _SCALARS:
        raise CannotEvaluate(f"a {node.type} is not a simple value: name what is in it")
    if is_cut(node):
        raise CutAtCapture("the value was cut at capture: only its beginning is known")
    if node.text in ("nan", "inf", "-inf"):
        return float(node.text)
    try:
        value: Key = ast.literal_eval(node.text[:_TEXT_CHARS])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise CannotEvaluate(f"the scene has no readable value: {node.text[:60]}") from None
    return value


def is_cut(node: ValueNode) -> bool:
    """Whether only the beginning of its text was kept."""
    return node.text.endswith("…")


def _equals(node: ValueNode, key: Key) -> bool:
    try:
        return scalar(node) == key
    except CannotEvaluate:
        return False


def _missing(node: ValueNode, what: str, otherwise: str) -> CannotEvaluate:
    if node.redacted:
        return CannotEvaluate("the value was redacted at capture")
    if node.more:
        return CutAtCapture(f"{what} was cut at capture ({node.more} of its values are not in the scene)")
    return CannotEvaluate(otherwise)


def _body(node: ValueNode) -> str:
    """Its text after the name of its type: the bracket tells what it is."""
    short = node.type.rpartition(".")[2]
    for name in (node.type, short):
        if name and node.text.startswith(name):
            return node.text[len(name) :]
    return node.text


def _is_keyed(node: ValueNode) -> bool:
    first = node.children[0][0] if node.children else ""
    return _body(node).startswith("{") and not first.startswith("[")


def _is_sequence(node: ValueNode) -> bool:
    return node.type in ("list", "tuple") or _body(node).startswith(("[", "deque(["))


def _has_fields(node: ValueNode) -> bool:
    """Whether its children are attributes: it is an object, or has only fields with names."""
    return _body(node).startswith("(") and not any(label.startswith("[") for label, _ in node.children)
