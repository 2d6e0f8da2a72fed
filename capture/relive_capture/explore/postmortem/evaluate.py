"""Expressions over captured values. Nothing is ever executed: a small interpreter of the syntax tree."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from relive_base.values import ValueNode

from relive_capture.explore.postmortem.trees import CannotEvaluate, CutAtCapture, Trees, scalar

__all__ = ["CannotEvaluate", "Evaluator", "Result"]

EXPRESSION_CHARS: Final = 2_000
DEPTH: Final = 50
Result = ValueNode | str | int | float | bool | bytes | complex | None
"""A captured value, or one that the expression made: a literal, a length, a comparison."""

_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_REFUSED: Final[dict[type[ast.AST], str]] = {
    ast.Call: "calls need the live process; here only len(...) is known",
    ast.Slice: "slices are not known here: name one index",
    ast.BinOp: "arithmetic is not known here: p the values themselves",
    ast.Lambda: "functions need the live process",
    ast.Await: "await needs the live process",
    ast.NamedExpr: "a scene is read-only: nothing can be assigned",
    ast.JoinedStr: "f-strings need the live process",
}


class Evaluator:
    """Evaluates names, attributes, subscripts, len(), literals, comparisons, and, or, not."""

    def __init__(self, names: Mapping[str, ValueNode], trees: Trees, names_cut: int = 0) -> None:
        self._names = names
        self._trees = trees
        self._names_cut = names_cut

    def evaluate(self, text: str) -> Result:
        """The value of an expression. Raises CannotEvaluate, whose message says why not; nothing else."""
        if len(text) > EXPRESSION_CHARS:
            raise CannotEvaluate(f"an expression has at most {EXPRESSION_CHARS} characters here")
        try:
            with warnings.catch_warnings(action="ignore"):  # "invalid decimal literal"
                tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as error:
            raise CannotEvaluate(_syntax(text, error)) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise CannotEvaluate(f"the expression cannot be read: {type(error).__name__}") from None
        return self._value(tree.body, 0)

    def _value(self, node: ast.expr, depth: int) -> Result:
        if depth > DEPTH:
            raise CannotEvaluate(f"the expression is nested deeper than {DEPTH}")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            refused = _REFUSED.get(type(node), f"{type(node).__name__} is not known in a read-only session")
            raise CannotEvaluate(refused)
        found: Result = method(node, depth + 1)
        return found

    def _constant(self, node: ast.Constant, _depth: int) -> Result:
        if node.value is Ellipsis:
            raise CannotEvaluate("... is not known here")
        return node.value

    def _name(self, node: ast.Name, _depth: int) -> Result:
        found = self._names.get(node.id)
        if found is not None:
            return found
        cut = f"; {self._names_cut} locals were cut at capture" if self._names_cut else ""
        kind = CutAtCapture if cut else CannotEvaluate
        raise kind(f"NameError: {node.id!r} is not among the captured locals of this frame{cut}")

    def _attribute(self, node: ast.Attribute, depth: int) -> Result:
        owner = self._value(node.value, depth)
        if not isinstance(owner, ValueNode):
            raise CannotEvaluate(f"attributes of a {type(owner).__name__} need the live process")
        return self._trees.attribute(owner, node.attr)

    def _subscript(self, node: ast.Subscript, depth: int) -> Result:
        owner = self._value(node.value, depth)
        key = self._plain(node.slice, depth)
        if not isinstance(owner, ValueNode):
            raise CannotEvaluate("only captured values can be subscripted here")
        if isinstance(key, complex):
            raise CannotEvaluate("a complex number cannot be a key here")
        return self._trees.item(owner, key)

    def _call(self, node: ast.Call, depth: int) -> Result:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name != "len" or "len" in self._names or len(node.args) != 1 or node.keywords:
            raise CannotEvaluate(_REFUSED[ast.Call])
        value = self._value(node.args[0], depth)
        if isinstance(value, ValueNode):
            return self._trees.length(value)
        if isinstance(value, str | bytes):
            return len(value)
        raise CannotEvaluate(f"TypeError: object of type {type(value).__name__!r} has no len()")

    def _compare(self, node: ast.Compare, depth: int) -> Result:
        left = self._value(node.left, depth)
        for sign, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._value(right_node, depth)
            if not self._holds(left, sign, right):
                return False
            left = right
        return True

    def _holds(self, left: Result, sign: ast.cmpop, right: Result) -> bool:
        if isinstance(sign, ast.Is | ast.IsNot):
            return _same(left, right) == isinstance(sign, ast.Is)
        if isinstance(sign, ast.In | ast.NotIn):
            return self._contains(right, left) == isinstance(sign, ast.In)
        try:
            return _COMPARE[type(sign)](_scalar(left), _scalar(right))
        except TypeError as error:
            raise CannotEvaluate(f"TypeError: {error}") from None

    def _contains(self, owner: Result, item: Result) -> bool:
        key = _scalar(item)
        if isinstance(owner, ValueNode):
            if isinstance(key, complex):
                raise CannotEvaluate("a complex number cannot be a key here")
            return self._trees.contains(owner, key)
        if isinstance(owner, str) and isinstance(key, str):
            return key in owner
        raise CannotEvaluate("`in` is known for captured values and texts")

    def _boolop(self, node: ast.BoolOp, depth: int) -> Result:
        wanted = isinstance(node.op, ast.Or)
        value: Result = None
        for part in node.values:
            value = self._value(part, depth)
            if self._truth(value) == wanted:
                break
        return value

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Result:
        value = self._value(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return not self._truth(value)
        plain = _scalar(value)
        if isinstance(node.op, ast.USub) and isinstance(plain, int | float | complex):
            return -plain
        raise CannotEvaluate("of the signs only `not` and `-` are known here")

    def _truth(self, value: Result) -> bool:
        if not isinstance(value, ValueNode):
            return bool(value)
        if value.length >= 0:
            return value.length > 0
        return bool(scalar(value))

    def _plain(self, node: ast.expr, depth: int) -> Any:
        return _scalar(self._value(node, depth))


def _scalar(value: Result) -> Any:
    return scalar(value) if isinstance(value, ValueNode) else value


def _same(left: Result, right: Result) -> bool:
    if isinstance(left, ValueNode) and isinstance(right, ValueNode) and (left.id or right.id):
        return left.id == right.id
    left, right = _scalar(left), _scalar(right)
    return left is right or (type(left) is type(right) and left == right)


def _syntax(text: str, error: SyntaxError) -> str:
    try:
        ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"SyntaxError: {error.msg}"
    return "a scene is read-only: statements need the live process"
