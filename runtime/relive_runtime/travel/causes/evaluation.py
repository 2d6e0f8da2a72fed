"""What the expressions of a line gave while it ran, as far as a journal tells."""

from __future__ import annotations

import ast
from collections.abc import Callable
from operator import add, floordiv, mod, mul, sub, truediv
from typing import Any, Final

from relive_runtime.travel.causes.badness import is_empty
from relive_runtime.travel.causes.beginnings import Beginnings
from relive_runtime.travel.causes.frames import Frames, name_of
from relive_runtime.travel.causes.journal import Journal, is_inside
from relive_runtime.travel.causes.orders import Bound, Order, order_of
from relive_runtime.travel.causes.places import Read
from relive_runtime.travel.causes.statements import plain
from relive_runtime.travel.causes.values import MISSING, attribute, element, exactly, is_plain

__all__ = ["OF_ELEMENTS", "Evaluation"]

OF_ELEMENTS: Final = ("__getitem__", "__missing__")
_PLAIN: Final = (int, float, str, bool, type(None))
_CHARS: Final = 2_000
_ARGUMENTS: Final = 2
_METHODS: Final = frozenset(
    (
        *("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "title", "capitalize"),
        *("removeprefix", "removesuffix", "startswith", "endswith", "isdigit", "isalpha", "isalnum"),
        *("find", "rfind", "count", "replace"),
    )
)
_BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    "int": int, "float": float, "str": str, "bool": bool, "abs": abs, "round": round, "ord": ord,
}  # fmt: skip


class Evaluation:
    """Over one journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.frames = Frames(journal)
        self.beginnings = Beginnings(journal)
        self._orders: dict[int, Order] = {}  # by identity of a plan

    def value_of(self, node: ast.expr, frame: int, step: int) -> Any:
        """What it gave while a step ran; MISSING: not known."""
        if isinstance(node, ast.Constant):
            return node.value
        if plain(node) and not self._is_inner(node, frame, step):
            bound = self.rebound(node, step)
            if bound is None:
                found = self.journal.read(step, ast.unparse(node))
                if found is not MISSING:
                    return found
            elif isinstance(node, ast.Name):
                return MISSING if bound.again else self.journal.bound(step, node.id)
        work = _BY_NODE.get(type(node))
        return MISSING if work is None else work(self, node, frame, step)

    def rebound(self, node: ast.expr, step: int) -> Bound | None:
        """What of its own line has given the name that an expression begins with its value before it was
        read; None: nothing, it had that before the line ran."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if not isinstance(node, ast.Name) or step < self.journal.start:
            return None
        plan = self.journal.plan(step)
        if node.id not in plan.binds:
            return None
        order = self._orders.get(id(plan))
        if order is None:
            order = self._orders[id(plan)] = order_of(plan.line)
        return order.before(node)

    def _is_inner(self, node: ast.expr, frame: int, step: int) -> bool:
        """It reads a comprehension's own name, and the line reads another thing of that name elsewhere."""
        journal = self.journal
        if step < journal.start or step in journal.rounds or is_inside(journal.frames[frame].code):
            return False
        plan = journal.plan(step)
        return id(node) in plan.inner and plan.inner[id(node)]

    def _of_call(self, node: ast.Call, frame: int, step: int) -> Any:
        number = self.frames.run_by(node, frame, step)
        if number is None:
            return self._of_builtin(node, frame, step)
        if self.journal.frames[number].code.co_name == "__init__" and name_of(node) != "__init__":
            return MISSING  # the call gives the object
        return self.journal.outcome(number)

    def _of_awaited(self, node: ast.Await, frame: int, step: int) -> Any:
        return self.value_of(node.value, frame, step)

    def _of_negative(self, node: ast.UnaryOp, frame: int, step: int) -> Any:
        inner = self.value_of(node.operand, frame, step)
        return -inner if isinstance(node.op, ast.USub) and exactly(inner, int, float) else MISSING

    def _of_attribute(self, node: ast.Attribute, frame: int, step: int) -> Any:
        base = self.value_of(node.value, frame, step)
        found = MISSING if base is MISSING else attribute(base, node.attr)
        return found if found is not MISSING else self._of_frame(frame, step, node.attr)

    def _of_subscript(self, node: ast.Subscript, frame: int, step: int) -> Any:
        base, key = self.value_of(node.value, frame, step), self.value_of(node.slice, frame, step)
        found = MISSING if base is MISSING or key is MISSING else element(base, key)
        if found is not MISSING or base is MISSING or is_plain(base):
            return found
        return self._of_frame(frame, step, *OF_ELEMENTS)

    def _of_walrus(self, node: ast.NamedExpr, frame: int, step: int) -> Any:
        return self.journal.bound(step, node.target.id)

    def _of_binary(self, node: ast.BinOp, frame: int, step: int) -> Any:
        left, right = self.value_of(node.left, frame, step), self.value_of(node.right, frame, step)
        return combined(node.op, left, right)

    def _of_builtin(self, node: ast.Call, frame: int, step: int) -> Any:
        """Of a few whose result the arguments tell."""
        if name_of(node) == "get" and isinstance(node.func, ast.Attribute) and node.args:
            return self._of_get(node, node.func.value, frame, step)
        if name_of(node) in ("sorted", "list", "filter", "reversed") and node.args:
            nothing = self.value_of(node.args[-1 if name_of(node) == "filter" else 0], frame, step)
            return [] if is_empty(nothing) else MISSING
        if name_of(node) == "len" and len(node.args) == 1:
            held = self.value_of(node.args[0], frame, step)
            return len(held) if exactly(held, list, dict, tuple, str, set, bytes) else MISSING
        return self._of_pure(node, frame, step)

    def _of_pure(self, node: ast.Call, frame: int, step: int) -> Any:
        """Of a builtin of plain values, or a method of a text, which run nobody's code."""
        if node.keywords or len(node.args) > _ARGUMENTS:
            return MISSING
        given = [self.value_of(one, frame, step) for one in node.args]
        if any(not exactly(one, *_PLAIN) or (type(one) is str and len(one) > _CHARS) for one in given):
            return MISSING
        work: Callable[..., Any] | None = None
        if isinstance(node.func, ast.Attribute):
            held = self.value_of(node.func.value, frame, step)
            if type(held) is str and len(held) <= _CHARS and node.func.attr in _METHODS:
                work = getattr(held, node.func.attr)
        elif isinstance(node.func, ast.Name) and self.journal.read(step, node.func.id) is MISSING:
            work = _BUILTINS.get(node.func.id)
        if work is None:
            return MISSING
        try:
            found = work(*given)
        except (ArithmeticError, ValueError, TypeError):
            return MISSING
        return found if exactly(found, *_PLAIN) else MISSING

    def _of_display(self, node: ast.List | ast.Set, frame: int, step: int) -> Any:
        items = [self.value_of(one, frame, step) for one in node.elts]
        if any(not exactly(one, *_PLAIN) for one in items):
            return MISSING
        return items if isinstance(node, ast.List) else set(items)

    def _of_get(self, node: ast.Call, holder: ast.expr, frame: int, step: int) -> Any:
        held, key = self.value_of(holder, frame, step), self.value_of(node.args[0], frame, step)
        if not issubclass(type(held), dict) or key is MISSING:
            return MISSING
        found = self.journal.part(held, key, step)
        if found is not MISSING:
            return found
        return self.value_of(node.args[1], frame, step) if len(node.args) > 1 else None

    def _of_frame(self, frame: int, step: int, *names: str) -> Any:
        for number in reversed(self.journal.called_in(frame, step)):
            if self.journal.frames[number].code.co_name in names:
                return self.journal.outcome(number)
        return MISSING

    def read(self, node: ast.expr, frame: int, step: int) -> Read:
        """With its value."""
        return Read(node, frame, step, self.value_of(node, frame, step))


_BY_NODE: Final[dict[type[ast.expr], Callable[[Evaluation, Any, int, int], Any]]] = {
    ast.Call: Evaluation._of_call,
    ast.Await: Evaluation._of_awaited,
    ast.UnaryOp: Evaluation._of_negative,
    ast.Attribute: Evaluation._of_attribute,
    ast.Subscript: Evaluation._of_subscript,
    ast.NamedExpr: Evaluation._of_walrus,
    ast.BinOp: Evaluation._of_binary,
    ast.List: Evaluation._of_display,
    ast.Set: Evaluation._of_display,
}


def combined(operator: ast.operator, left: Any, right: Any) -> Any:
    """Of plain numbers, or texts that are joined."""
    work = _ARITHMETIC.get(type(operator))
    numbers = exactly(left, int, float) and exactly(right, int, float)
    if work is None or not (numbers or (type(left) is str and type(right) is str and work is add)):
        return MISSING
    try:
        return work(left, right)
    except (ArithmeticError, ValueError):
        return MISSING


_ARITHMETIC: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.FloorDiv: floordiv, ast.Mod: mod, ast.Div: truediv,
}  # fmt: skip
