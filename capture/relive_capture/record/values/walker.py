"""The bounded walker: a Python value becomes a tree of texts, within limits and without calling its code.

Most of a capture's time is spent here, so the loops over children treat the common types in place; and if
it was built, `_trees.c` does the same as `_one` and what that calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from typing import TYPE_CHECKING, Any

import msgspec
from relive_base.redaction.assignments import is_harmless
from relive_base.redaction.cards import names_a_number
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.names import NAME_KEYS, VALUE_KEYS, split_words
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.redaction.values import is_mysql
from relive_base.values import ValueNode

from relive_capture.record.budget import Budget, Meter
from relive_capture.record.extensions import is_pure, native_trees
from relive_capture.record.values.leaves import bytes_text, int_text, str_text
from relive_capture.record.values.plans import (
    BYTES,
    CONSTANT,
    CONTAINER,
    INT,
    OBJECT,
    SEQUENCE,
    STR,
    KnownTypes,
    Plan,
    Plans,
)
from relive_capture.record.values.previews import preview
from relive_capture.record.values.shapes import Shape
from relive_capture.record.values.shapes.containers import (
    INDEXES,
    ONE_TUPLE_END,
    OWN_NAMES,
    index_label,
    indexes,
)
from relive_capture.record.values.unseen import UnseenSecrets

if TYPE_CHECKING:
    from relive_capture.record.values._trees import Trees

__all__ = ["Begun", "KnownTexts", "Walker"]

_NODE_BYTES = 56  # of JSON around the texts of a node: names of fields, label, address
_MAX_REDACTIONS = 1000
_KEY_TEXT = 80
_CACHED_TEXT = 80  # texts up to this length are judged once in a capture
_MAX_CACHE = 20_000
_SMALL = 10**9  # smaller numbers are no card's and no phone's
_CARD_DIGITS = 13
_MOST_CARD_DIGITS = 19
_LINE = 76
_BEGINNING = 24
_LITTLE = 1_500  # bytes: what values of fewer cost is not worth a look at the clock
_NAMED_ITSELF = ("ndarray ", "DataFrame ", "Series ", "repeated [", "map {")
"""How shapes begin that say what they are of."""
_INDEXES = len(INDEXES)
_FLAG = "'-"  # how the text of a command line's option begins
_VALUE_LABELS = (  # by the form that _pairs is given
    frozenset[str](),
    frozenset[str](),
    frozenset(f"{name!r}: " for name in VALUE_KEYS),
    frozenset(f"{name}=" for name in VALUE_KEYS),
)
_HEAD = 3  # children that the line of a value shows whose children are not walked

_LONG_SECRET = 1024
_SECRETS = 20  # of one list

_MOST_SHARED = 2_000  # texts, numbers and names each that one capture leaves to the next

_Name = tuple[str, str, str, str]  # label; how secret what is under it is; as a key, as a field in a line


class KnownTexts:
    """Nodes of short texts without a secret and of small numbers, and names that are judged."""

    __slots__ = ("ints", "names", "strings")

    def __init__(self) -> None:
        self.strings: dict[str, ValueNode] = {}
        self.ints: dict[int, ValueNode] = {}
        self.names: dict[str, _Name] = {}

    def current(self) -> KnownTexts:
        """This one, if it is no larger than one capture may leave it to the next: what is full is begun
        again."""
        if len(self.strings) > _MOST_SHARED:
            self.strings = {}
        if len(self.ints) > _MOST_SHARED:
            self.ints = {}
        if len(self.names) > _MOST_SHARED:
            self.names = {}
        return self


class Begun:
    """A frame's locals while they are walked. `waiting`: numbers of those that have something inside.
    `cut`: how many of these the limits left without all that would have been shown."""

    __slots__ = ("cut", "items", "left", "near", "nodes", "path", "unnamed", "waiting")

    def __init__(
        self,
        path: str,
        near: bool,
        items: list[tuple[str, Any]],
        nodes: list[ValueNode | None],
        waiting: list[int],
        left: int,
        unnamed: int,
        cut: int = 0,
    ) -> None:
        self.path = path
        self.near = near
        self.items = items
        self.nodes = nodes
        self.waiting = waiting
        self.left = left
        self.unnamed = unnamed
        self.cut = cut


class Walker:
    """Makes value trees for one capture. Redacted places are appended to `redactions`."""

    def __init__(
        self,
        budget: Budget,
        meter: Meter,
        redactor: Redactor,
        redactions: list[str],
        types: KnownTypes | None = None,
        memory: SecretMemory | None = None,
        *,
        texts: KnownTexts | None = None,
        pure: bool | None = None,
    ) -> None:
        """`texts`: what captures of a process share of names and plain values, judged by the same names.
        `pure`: whether trees are made in Python alone; None: as RELIVE_PURE_PYTHON says, if they can be
        made in C."""
        self._memory = memory
        self._budget = budget
        self._meter = meter
        self._redactor = redactor
        self._redactions = redactions
        self._plans = Plans(types or KnownTypes())
        self._clean_texts: dict[str, str] = {}
        texts = KnownTexts() if texts is None or budget.text < _CACHED_TEXT else texts.current()
        self._strings = texts.strings
        self._ints = texts.ints
        self._clean_names = texts.names
        self._names = dict(texts.names)
        self._seen: dict[int, ValueNode | None] = {}  # by address, in the current local; None: not finished
        self._known: dict[int, tuple[int, ValueNode]] = {}  # by address: depth and tree of a local
        self._left = 0  # nodes
        self._named = 0  # locals
        self._short = min(_CACHED_TEXT, budget.text)
        self._ticks = 0
        self._breadth = budget.breadth
        self._path: list[str] = []
        native = None if (is_pure() if pure is None else pure) else native_trees()
        self._trees = None if native is None else self._in_c(native)
        self._unseen = UnseenSecrets(self._names_hidden, self._remember, budget)

    def _in_c(self, native: type[Trees]) -> Trees:
        return native(
            self._strings,
            self._ints,
            self._names,
            self._plans.known,
            self._meter,
            ValueNode,
            INDEXES,
            _hides,
            self._budget.total_bytes,
        )

    # ------------------------------------------------------------ roots

    def frame_locals(
        self, items: Iterable[tuple[str, Any]], path: str, *, near: bool = True
    ) -> tuple[list[tuple[str, ValueNode]], int]:
        """(trees of a frame's locals, how many are not named). `path` begins names of redacted places;
        frames that are not `near` get the budget's smaller trees."""
        begun = self.begin(items, path, near=near)
        self.look_into(begun)
        return self.finish(begun)

    def begin(self, items: Iterable[tuple[str, Any]], path: str, *, near: bool = True) -> Begun:
        """Name every local and show those that have nothing inside. The others wait for `look_into`."""
        budget = self._budget
        known = list(items)
        shown = known[: max(min(budget.names, budget.all_names - self._named), 0)]
        self._named += len(shown)
        self._meter.names()
        self._path = [path]
        nodes: list[ValueNode | None]
        if self._trees is None:
            nodes = [self._plainly(name, value) for name, value in shown]
        else:
            nodes = self._trees.plainly(self, shown)
        waiting = [index for index, node in enumerate(nodes) if node is None]
        # every local has a node of its own before the first one is looked into
        left = (budget.frame_nodes if near else budget.outer_nodes) - len(shown)
        return Begun(path, near, shown, nodes, waiting, left, len(known) - len(shown))

    def look_into(self, begun: Begun, part: float = 1) -> None:
        """Walk what waits as far as `part` of what is left of the time goes: one local takes at most half of
        that, as long as another waits."""
        budget, meter = self._budget, self._meter
        depth = self._take_up(begun)
        waiting = begun.waiting
        looked = -_LITTLE - 1
        for number, index in enumerate(waiting):
            last = number == len(waiting) - 1
            if last or meter.bytes_used > looked + _LITTLE:  # else the last share is as good as a new one
                looked = meter.bytes_used
                meter.share(part if last else part / 2)
            if meter.over:
                break
            name, value = begun.items[index]
            node = begun.nodes[index] = self._local(name, value, depth)
            begun.cut += bool(meter.stop and node.more and len(node.children) < budget.breadth)
        begun.left = self._left

    def finish(self, begun: Begun) -> tuple[list[tuple[str, ValueNode]], int]:
        """(trees of the locals, how many are not named): what nobody came to look into gets one line."""
        unseen = [index for index in begun.waiting if begun.nodes[index] is None]
        if unseen:
            self._take_up(begun)
            self._meter.names()
            self._seen = {}
        for index in unseen:
            name, value = begun.items[index]
            begun.nodes[index] = self._local(name, value, 0)
            begun.cut += 1
        if self._memory is not None:
            for (_, value), one in zip(begun.items, begun.nodes, strict=True):
                if one is not None and not one.redacted and _is_cut(one):
                    self._unseen.search(value)
        named = zip(begun.items, begun.nodes, strict=True)
        return [(item[0], node) for item, node in named if node is not None], begun.unnamed

    def search(self, items: Iterable[tuple[str, Any]]) -> None:
        """Learn the secrets of locals that nobody came to show."""
        if self._memory is None:
            return
        for name, value in items:
            if self._names_hidden(name, value):
                self._remember(name, value)
            else:
                self._unseen.search(value)

    def _take_up(self, begun: Begun) -> int:
        """Go on with a frame; how deep."""
        budget = self._budget
        self._breadth = budget.breadth if begun.near else budget.outer_breadth
        self._left = begun.left
        self._path = [begun.path]
        return budget.depth if begun.near else budget.outer_depth

    def _plainly(self, name: str, value: Any) -> ValueNode | None:
        """The node of a local that has nothing inside, or that must not be shown."""
        secret = (self._names.get(name) or self._name(name))[1]
        cls: Any = type(value)
        if secret and _hides(secret, value):
            node = self._hidden(name, value)
        elif cls is int or cls is str:
            quick: Any = self._ints if cls is int else self._strings
            node = quick.get(value) or self._one(name, value, 0)
        elif self._plans.of(cls).kind >= CONTAINER:
            return None
        else:
            node = self._one(name, value, 0)
        return self._counted(node)

    def _counted(self, node: ValueNode) -> ValueNode:
        """A local's node; if even what is there for names is used up, with the beginning of its text."""
        if self._meter.stop:
            node = self._cut(node)
        self._meter.spend(_NODE_BYTES + len(node.text))
        return node

    def _cut(self, node: ValueNode) -> ValueNode:
        if node.children or len(node.text) <= _BEGINNING:
            return node
        return msgspec.structs.replace(node, text=f"{node.text[:_BEGINNING]}…")

    def value(self, value: object, path: str) -> ValueNode:
        """One tree of its own, with a frame's number of nodes."""
        self._seen = {}
        self._left = self._budget.frame_nodes - 1
        self._breadth = self._budget.breadth
        self._path = []
        return self._one(path, value, self._budget.depth)

    def _local(self, name: str, value: object, depth: int) -> ValueNode:
        """A frame's local, with everything below it. What is handed from frame to frame is walked once and
        then referred to: the frames live as long as the capture, so an address stands for one object.
        Reading the scene puts it back."""
        if self._trees is not None:
            return self._trees.local(self, name, value, depth)
        address = id(value)
        known = self._known.get(address)
        if known is not None and known[0] >= depth:
            tree = known[1]
            node = ValueNode(tree.type, tree.text, address, tree.length, ref=True)
        else:
            self._seen = {}
            node = self._one(name, value, depth)
            if node.children and self._left > 0 and not self._meter.stop:
                self._known[address] = depth, node
        return self._counted(node)

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

    def _hidden(self, label: str, value: object) -> ValueNode:
        """The node of a value whose name says that it is a secret."""
        self._path.append(label)
        self._note_redaction()
        self._path.pop()
        if self._memory is not None:
            self._remember(label, value)
        return ValueNode(self._plans.of(type(value)).name, PLACEHOLDER, redacted=True)

    def _names_hidden(self, name: str, value: Any) -> bool:
        """Whether a value is one to hide by its name."""
        secret = self._redactor.secret_key(name[:_KEY_TEXT])
        return bool(secret) and _hides(secret, value)

    def _remember(self, name: str, value: Any) -> None:
        """A secret text is one wherever else it stands."""
        memory: Any = self._memory
        if type(value) is str:
            memory.add(value)
        elif type(value) is bytes and len(value) <= _LONG_SECRET:
            memory.add(value.decode("latin-1"))
        elif type(value) is list or type(value) is tuple:
            # of two, the first is a user's name, but for `tokens`
            pair = len(value) == 2 and self._redactor.secret_key(name[:_KEY_TEXT]) != "plural"
            for item in value[-1:] if pair else value[:_SECRETS]:
                if type(item) is str:
                    memory.add(item)
        elif type(value) is dict:
            for key, item in list(value.items())[:_SECRETS]:  # not hosts, users and paths beside them
                if type(item) is str and type(key) is str and self._redactor.secret_key(key[:_KEY_TEXT]):
                    memory.add(item)

    def _name(self, key: Any) -> _Name:
        """A dict key or the name of an attribute. Strings as they are (redacted), others by their type's own
        text. Indexes are no names; everything else is judged by what it is called."""
        known = self._names.get(key) if type(key) is str else None
        if known is None:
            label = self._key_text(key)
            secret = "" if label.startswith("[") else self._redactor.secret_key(label)
            as_key = repr(label) if issubclass(type(key), str) else label
            known = label, secret, f"{as_key}: ", f"{label}="
            if type(key) is str and len(self._names) < _MAX_CACHE and len(key) <= _KEY_TEXT:
                self._names[key] = known
                if label == key:  # another one is noted as redacted in each capture
                    self._clean_names[key] = known
        return known

    def _key_text(self, key: Any) -> str:
        cls = type(key)
        if cls is str:
            return self._clean(key[:_KEY_TEXT])
        plan = self._plans.of(cls)
        if plan.kind == STR:
            return self._clean(str.__getitem__(key, slice(0, _KEY_TEXT)))
        if issubclass(cls, tuple):
            parts = [
                repr(self._clean(part[:_KEY_TEXT])) if type(part) is str else self._key_text(part)
                for part in tuple.__getitem__(key, slice(0, 4))
            ]
            end = ONE_TUPLE_END if tuple.__len__(key) == 1 else ")"
            more = ["…"] if tuple.__len__(key) > len(parts) else []
            return f"({', '.join(parts + more)}{end}"[:_KEY_TEXT]
        return (f"<{plan.name}>" if plan.kind >= CONTAINER else self._leaf(key, plan)[0])[:_KEY_TEXT]

    # ------------------------------------------------------------ one value

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
            if len(self._strings) < _MAX_CACHE:
                self._strings[value] = node
            node.redacted = PLACEHOLDER in value
            return node
        text, length = self._leaf(value, plan)
        node = ValueNode(plan.name, text, length=length)
        if PLACEHOLDER in text:
            node.redacted = True
        elif cls is int and -_SMALL < value < _SMALL and len(self._ints) < _MAX_CACHE:
            self._ints[value] = node
        return node

    def _leaf(self, value: Any, plan: Plan) -> tuple[str, int]:
        """(text, length or -1) of a value without children."""
        kind = plan.kind
        if kind == STR:
            clean = _same if _may_be_card(value) and self._is_other_number() else self._clean
            return str_text(value, self._budget.text, clean)
        if kind == INT:
            text = int_text(value)
            keep = len(text) < _CARD_DIGITS or self._is_other_number()
            return (text if keep else self._clean(text)), -1
        if kind == BYTES:
            return bytes_text(value, self._budget.text, self._clean)
        return self._clean(plan.call(value)[: self._budget.text * 2]), -1

    def _is_other_number(self) -> bool:
        """Whether the value's own name says that it is a number that no card has."""
        return names_a_number(split_words(self._path[-1][:_KEY_TEXT]))

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
        if (named or _FLAG in text) and self._hide_named_items(values, nodes, texts, length):
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
        meter.bytes_used += size + _NODE_BYTES * count
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
            if name[1] and _hides(name[1], value):
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

    # ------------------------------------------------------------ names that are values themselves

    def _hide_named_items(
        self, values: Sequence[Any], nodes: list[ValueNode], texts: list[str], length: int
    ) -> bool:
        """Hide the second of a pair like ("x-api-key", "...") and what follows "--password"; whether any."""
        found = False
        if values and type(values[0]) is str and is_mysql(values[0][:_KEY_TEXT]):
            found = self._hide_glued(values, nodes, texts)
        for index in range(len(values) - 1):
            is_name = (index == 0 and length == 2) or texts[index].startswith(_FLAG)
            if is_name and self._names_secret(values[index], values[index + 1]):
                nodes[index + 1] = self._hidden(index_label(index + 1), values[index + 1])
                texts[index + 1] = PLACEHOLDER
                found = True
        return found

    def _hide_glued(self, values: Sequence[Any], nodes: list[ValueNode], texts: list[str]) -> bool:
        """Hide `-pPASSWORD` of a command line; whether there is one."""
        found = False
        for index, value in enumerate(values):
            if type(value) is str and value[:2] == "-p" and value[2:]:
                nodes[index] = self._hidden(index_label(index), value[2:])
                texts[index] = PLACEHOLDER
                found = True
        return found

    def _hide_named_value(
        self, items: list[tuple[Any, Any]], children: list[tuple[str, ValueNode]], texts: list[str]
    ) -> None:
        """Hide the value of {"name": "x-api-key", "value": "..."}: so lists of headers have it."""
        labels = [label for label, _ in children]
        for key in NAME_KEYS:
            if key not in labels:
                continue
            name = items[labels.index(key)][1]
            for at, label in enumerate(labels):
                if label in VALUE_KEYS and self._names_secret(name, items[at][1]):
                    children[at] = label, self._hidden(label, items[at][1])
                    texts[at] = PLACEHOLDER

    def _names_secret(self, name: Any, value: Any) -> bool:
        """Whether the text `name` says that the text `value` is a secret."""
        if type(value) is not str and type(value) is not bytes:
            return False
        if type(name) is bytes:
            name = name[:_KEY_TEXT].decode("latin-1")
        return type(name) is str and self._redactor.secret_key(name[:_KEY_TEXT]) == "strong"

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


def _is_cut(node: ValueNode) -> bool:
    """Whether something in the upper two levels of a tree is not shown."""
    return node.more > 0 or any(child.more > 0 for _, child in node.children)


def _same(text: str) -> str:
    return text


def _may_be_card(value: Any) -> bool:
    return type(value) is str and _CARD_DIGITS <= len(value) <= _MOST_CARD_DIGITS and value.isdigit()


def _hides(secret: str, value: Any) -> bool:
    cls = type(value)
    if value is None or cls is bool:
        return False
    if secret == "plural":
        if cls is list or cls is tuple:
            return bool(value) and issubclass(type(value[0]), str | bytes)
        return issubclass(cls, str | bytes)
    if secret == "weak" and (cls is tuple or cls is list):  # user and password
        return len(value) == 2 and type(value[0]) is str and type(value[1]) is str
    if secret == "weak":
        return issubclass(cls, str | bytes) and not (cls is str and is_harmless("", value[:_KEY_TEXT]))
    return not issubclass(cls, type)
