"""The bounded walker: locals of frames become trees of texts, within limits, and none of their code runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor
from relive_base.values import ValueNode

from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values.hiding import CACHED_TEXT, KnownTexts, hides
from relive_capture.record.values.plans import CONTAINER, KnownTypes
from relive_capture.record.values.trees import NODE_BYTES, ValueTrees
from relive_capture.record.values.unseen import UnseenSecrets

__all__ = ["Begun", "KnownTexts", "Walker"]

_BEGINNING: Final = 24
_LITTLE: Final = 1_500  # bytes: what values of fewer cost is not worth a look at the clock


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


class Walker(ValueTrees):
    """Makes the trees of one capture. Redacted places are appended to `redactions`."""

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
        shared = KnownTexts() if texts is None or budget.text < CACHED_TEXT else texts.current()
        super().__init__(budget, meter, redactor, redactions, types or KnownTypes(), memory, shared, pure)
        self._named = 0  # locals
        self._unseen = UnseenSecrets(self._names_hidden, self._remember, budget)

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
        if secret and hides(secret, value):
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
        self._meter.spend(NODE_BYTES + len(node.text))
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


def _is_cut(node: ValueNode) -> bool:
    """Whether something in the upper two levels of a tree is not shown."""
    return node.more > 0 or any(child.more > 0 for _, child in node.children)
