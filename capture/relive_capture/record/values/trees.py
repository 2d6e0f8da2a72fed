"""One value as a tree of texts, with everything below it.

Most of a capture's time is spent here, so the loops over children treat the common types in place; and if it
was built, `_trees.c` does the same as `_one` and what that calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import add
from typing import TYPE_CHECKING, Any, Final

from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.names import VALUE_KEYS
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.values import ValueNode

from relive_capture.record.budget import Budget, Meter
from relive_capture.record.extensions import is_pure, native_trees
from relive_capture.record.values.hiding import CACHED_TEXT, FLAG, MAX_CACHE, Hiding, KnownTexts, hides
from relive_capture.record.values.plans import CONSTANT, CONTAINER, OBJECT, SEQUENCE, KnownTypes, Plan
from relive_capture.record.values.previews import preview
from relive_capture.record.values.shapes import Shape
from relive_capture.record.values.shapes.containers import (
    INDEXES,
    ONE_TUPLE_END,
    OWN_NAMES,
    index_label,
    indexes,
)

if TYPE_CHECKING:
    from relive_capture.record.values._trees import Trees

__all__ = ["NODE_BYTES", "ValueTrees"]

NODE_BYTES: Final = 56
"""Of JSON around the texts of a node: names of fields, label, address."""
_SMALL: Final = 10**9  # smaller numbers are no card's and no phone's
_LINE: Final = 76
_NAMED_ITSELF: Final = ("ndarray ", "DataFrame ", "Series ", "repeated [", "map {")
"""How shapes begin that say what they are of."""
_INDEXES: Final = len(INDEXES)
_VALUE_LABELS: Final = (  # by the form that _pairs is given
    frozenset[str](),
    frozenset[str](),
    frozenset(f"{name!r}: " for name in VALUE_KEYS),
    frozenset(f"{name}=" for name in VALUE_KEYS),
)
_HEAD: Final = 3  # children that the line of a value shows whose children are not walked


class ValueTrees(Hiding):
    """Makes value trees within the limits of one capture."""

    def __init__(
        self,
        budget: Budget,
        meter: Meter,
        redactor: Redactor,
        redactions: list[str],
        types: KnownTypes,
        memory: SecretMemory | None,
        texts: KnownTexts,
        pure: bool | None,
    ) -> None:
        super().__init__(budget, redactor, redactions, types, memory, texts)
        self._meter = meter
        self._strings = texts.strings
        self._ints = texts.ints
        self._seen: dict[int, ValueNode | None] = {}  # by address, in the current local; None: not finished
        self._known: dict[int, tuple[int, ValueNode]] = {}  # by address: depth and tree of a local
        self._left = 0  # nodes
        self._short = min(CACHED_TEXT, budget.text)
        self._ticks = 0
        self._breadth = budget.breadth
        native = None if (is_pure() if pure is None else pure) else native_trees()
        self._trees = None if native is None else self._in_c(native)

    def _in_c(self, native: type[Trees]) -> Trees:
        return native(
            self._strings,
            self._ints,
            self._names,
            self._plans.known,
            self._meter,
            ValueNode,
            INDEXES,
            hides,
            self._budget.total_bytes,
        )

    def _one(self, label: str, value: Any, depth: int) -> ValueNode:
        """The node of one value; whoever calls has counted it."""
        if self._trees is not None:
            return self._trees.one(self, label, value, depth)
        cls = type(value)
        plan = self._plans.known.get(id(cls))
        if plan is None:
            plan = self._plans.of(cls)
        path = self._path
        path.append(label)
        try:
            kind = plan.kind
            if kind == SEQUENCE:
                node = self._sequence(value, plan, depth)
            elif kind >= CONTAINER:
                node = self._compound(value, plan, depth)
            elif kind == CONSTANT:
                node = ValueNode(plan.name, plan.call(value))
            else:
                node = self._plain(value, plan)
        except Exception as error:  # a C accessor may refuse an object in an odd state; that is worth a text
            node = ValueNode(plan.name, f"<{plan.name}: not readable, {type(error).__name__}>")
        path.pop()
        return node

    def _plain(self, value: Any, plan: Plan) -> ValueNode:
        """A value without children. Nodes of short texts and small numbers are made once."""
        cls: Any = type(value)
        if cls is str and len(value) <= self._short and self._redactor.text(value) is value:
            node = ValueNode("str", repr(value), 0, len(value))
            if len(self._strings) < MAX_CACHE:
                self._strings[value] = node
            node.redacted = PLACEHOLDER in value
            return node
        text, length = self._leaf(value, plan)
        node = ValueNode(plan.name, text, length=length)
        if PLACEHOLDER in text:
            node.redacted = True
        elif cls is int and -_SMALL < value < _SMALL and len(self._ints) < MAX_CACHE:
            self._ints[value] = node
        return node

    # ------------------------------------------------------------ values with children

    def _sequence(self, obj: Any, plan: Plan, depth: int) -> ValueNode:
        """An exact list or tuple: `_compound` without its detours, because half of all values are one."""
        address, left = id(obj), self._left
        if address in self._seen or depth < 1 or left < 1 or self._meter.stop:
            return self._compound(obj, plan, depth)
        values = obj[: self._breadth if left >= self._breadth else left]
        count, length = len(values), len(obj)
        self._left = left - count
        self._seen[address] = None
        nodes, texts = self._values(values, depth - 1)
        text = ", ".join(texts)
        first: Any = type(values[0]) if length == 2 else None
        named = first is str or first is bytes  # one of a pair may be the other's name
        if (named or FLAG in text) and self._hide_named_items(values, nodes, texts, length):
            text = ", ".join(texts)
        self._charge(len(text), count)
        close = ONE_TUPLE_END if length == 1 and plan.close == ")" else plan.close
        if length > count or len(text) > _LINE:
            text = preview(plan.open, close, [], texts, length > count)
        else:
            text = f"{plan.open}{text}{close}"
        children = list(zip(INDEXES if count <= _INDEXES else indexes(count), nodes, strict=False))
        node = ValueNode(plan.name, text, address, length, children, length - count)
        self._seen[address] = node
        return node

    def _compound(self, obj: Any, plan: Plan, depth: int) -> ValueNode:
        """A value with children: a tree down to `depth`, below it one line that shows the first of them."""
        address, left = id(obj), self._left
        if address in self._seen:
            return _again(self._seen[address], plan, address)
        walked = depth > 0 and left > 0
        if self._meter.stop:
            walked, limit = False, 0
        elif walked:
            limit = self._breadth if left >= self._breadth else left
        else:
            limit = _HEAD if depth >= 0 else 0
        open_, close, style, length, items = self._shape(obj, plan, limit)
        total = length if length >= 0 else plan.total
        if style == "leaf":
            return ValueNode(plan.name, open_ + close, address, length)
        if walked:
            self._seen[address] = None
            self._left = left - len(items)
        below = depth - 1 if walked else -1
        shown: list[str] = []
        if style == "plain":
            nodes, texts = self._values(items, below)
            self._hide_named_items(items, nodes, texts, length)
            children = list(zip(indexes(len(nodes)), nodes, strict=False))
        else:
            children, shown, texts = self._pairs(items, below, 2 if style == "keyed" else 3)
        more = max(total - len(texts), 0)
        inner = ", ".join(map(add, shown, texts) if shown else texts)
        size = len(inner)
        if more or size > _LINE:
            text = preview(open_, close, shown, texts, more > 0)
        else:
            text = f"{open_}{inner}{close}"
        if not walked:
            return ValueNode(plan.name, text, address, length, more=max(total, 0))
        self._charge(size, len(texts))
        node = ValueNode(plan.name, text, address, length, children, more)
        self._seen[address] = node
        return node

    def _charge(self, size: int, count: int) -> None:
        """Count a container's children. The clock is read every 16th time."""
        meter = self._meter
        meter.bytes_used += size + NODE_BYTES * count
        self._ticks += 1
        if not self._ticks & 15 or meter.bytes_used > self._budget.total_bytes:
            meter.check()

    # ------------------------------------------------------------ children

    def _values(self, values: Iterable[Any], depth: int) -> tuple[list[ValueNode], list[str]]:
        """(nodes, their texts) of what has no names."""
        strings, ints = self._strings, self._ints
        nodes: list[ValueNode] = []
        texts: list[str] = []
        for value in values:
            cls: Any = type(value)
            if cls is str:
                node = strings.get(value)
            elif cls is int:
                node = ints.get(value)
            else:
                node = None
            if node is None:
                index = len(nodes)
                node = self._one(INDEXES[index] if index < _INDEXES else index_label(index), value, depth)
            nodes.append(node)
            texts.append(node.text)
        return nodes, texts

    def _pairs(
        self, items: list[tuple[Any, Any]], depth: int, form: int
    ) -> tuple[list[tuple[str, ValueNode]], list[str], list[str]]:
        """(children, labels as a line shows them, texts) of what has names. `form`: a part of _Name."""
        strings, ints, names = self._strings, self._ints, self._names
        children: list[tuple[str, ValueNode]] = []
        shown: list[str] = []
        texts: list[str] = []
        for key, value in items:
            name = names.get(key) if type(key) is str else None
            if name is None:
                name = self._name(key)
            cls: Any = type(value)
            node: ValueNode | None = None
            if name[1] and hides(name[1], value):
                node = self._hidden(name[0], value)
            elif cls is str:
                node = strings.get(value)
            elif cls is int:
                node = ints.get(value)
            if node is None:
                node = self._one(name[0], value, depth)
            children.append((name[0], node))
            shown.append(name[form])
            texts.append(node.text)
        if not _VALUE_LABELS[form].isdisjoint(shown):
            self._hide_named_value(items, children, texts)
        return children, shown, texts

    def _shape(self, obj: Any, plan: Plan, limit: int) -> Shape:
        """The shape of a container, or of an object, or of a container's subclass with the attributes that
        it has besides."""
        if plan.exact:
            shape: Shape = plan.call(obj, limit)
            return shape
        if plan.kind == OBJECT:
            return plan.object_shape(obj, limit)
        open_, close, style, length, items = plan.call(obj, limit)
        if open_.startswith(OWN_NAMES):
            open_ = plan.name + open_[open_.index("(") :]
        elif not open_.startswith(_NAMED_ITSELF):
            open_ = plan.name + open_
        if style == "leaf":
            return open_ + self._clean(items[0]), close, style, length, []
        more = plan.attributes(obj, limit - len(items)) if plan.open_to_users else []
        if more and style == "plain":
            items = list(zip(indexes(len(items)), items, strict=False))
            style = "fields"
        if style == "fields" and more:
            names = {name for name, _ in items if type(name) is str}
            more = [(name, value) for name, value in more if type(name) is not str or name not in names]
        return open_, close, style, length, items + more


def _again(known: ValueNode | None, plan: Plan, address: int) -> ValueNode:
    """A ref to what is in the same tree; None: it is still being walked, so it contains itself."""
    if known is None:
        return ValueNode(plan.name, f"<{plan.name}>", address, ref=True)
    return ValueNode(plan.name, known.text, address, known.length, ref=True)
