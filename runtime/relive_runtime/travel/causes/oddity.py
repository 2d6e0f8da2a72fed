"""How likely it is that a line is where a value went wrong, by what it does and what it makes of what."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, Final

from relive_runtime.travel.causes.badness import is_empty
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.places import Made
from relive_runtime.travel.causes.values import MISSING, exactly

__all__ = ["oddity"]

Value = Callable[[ast.expr], Any]
"""Of an expression that the line has read; MISSING: not known."""
_KINDS: Final = {
    "literal": 1.5, "default": 3.0, "absent": 5.0, "merged": 3.5, "changed": 2.0, "ended": 5.0, "before": 0.0,
    "passed": 1.0, "removed": 4.0, "used up": 4.0, "outside": 0.5, "ignored": 6.0,
}  # fmt: skip
_THOUGHT_OF: Final = 2.2
"""A default that somebody has given to a lookup."""
_CALLS: Final = {
    "int": 1.5, "round": 3.0, "bool": 2.5, "float": 1.8, "abs": 2.5, "range": 2.8, "len": 1.2, "sum": 1.0,
    "sorted": 2.0, "max": 2.0, "min": 2.0, "zip": 2.8, "fromkeys": 4.0, "find": 2.5, "rfind": 2.5,
    "join": 1.5,
    "index": 2.0, "strip": 2.5, "lstrip": 3.0, "rstrip": 3.0, "replace": 2.8, "lower": 2.5, "upper": 2.5,
    "title": 2.8, "split": 1.8, "partition": 1.8, "removeprefix": 2.0, "removesuffix": 2.0, "decode": 3.3,
    "encode": 3.0, "strptime": 2.8, "date": 2.8, "datetime": 2.5, "timedelta": 2.5, "fromtimestamp": 3.0,
    "utcnow": 4.0, "now": 2.5, "Decimal": 1.5, "copy": 2.5, "enumerate": 2.5, "filter": 2.5, "count": 2.0,
    "total_seconds": 2.0, "timestamp": 2.0, "get": 2.2, "setdefault": 3.0, "pop": 2.2,
}  # fmt: skip
_UNITS: Final = frozenset((7, 10, 12, 24, 30, 60, 100, 365, 1000, 1024, 3600, 86400, 1e-3, 0.01, 1e6, 1e9))
_OPERATORS: Final = {ast.FloorDiv: 3.0, ast.Mod: 2.5, ast.Div: 2.0, ast.Mult: 1.8, ast.Sub: 1.8, ast.Add: 1.6}
_FALSE: Final = frozenset(("false", "no", "off", "0", "none", "null", "n", "f"))
_DIGITS: Final = re.compile(r"\d")


def oddity(made: Made, value: Value) -> float:
    """From 0 for what came in from outside to 6 for what is hardly ever right."""
    if made.kind == "absent" and made.value is not None:
        return _THOUGHT_OF
    nothing = exactly(made.value, bool, int, float, str, bytes) and not made.value
    if made.kind == "literal" and (nothing or is_empty(made.value)):
        return 0.8  # what a sum or a list begins with
    if made.kind in _KINDS:
        return _KINDS[made.kind]
    if made.node is None:
        return 1.5
    if isinstance(made.node, ast.Call) and _is_fixed(made.node):
        return 1.5
    points = max((_of(node, value) for node in ast.walk(made.node)), default=1.5)
    return max(points, _turned(made, value))


def _is_fixed(call: ast.Call) -> bool:
    """Made of constants: as good as one."""
    return bool(call.args) and all(isinstance(argument, ast.Constant) for argument in call.args)


def _turned(made: Made, value: Value) -> float:
    """By what has become of it here."""
    node, result = made.node, made.value
    if isinstance(node, ast.BinOp):
        left, right = value(node.left), value(node.right)
        numbers = exactly(result, int, float) and exactly(left, int, float) and exactly(right, int, float)
        if numbers and isinstance(node.op, ast.Sub) and result < 0 <= min(left, right):
            return 3.2
        if numbers and isinstance(node.op, ast.FloorDiv | ast.Mod) and result == 0 and left != 0:
            return 4.5
    if (
        isinstance(node, ast.Call)
        and name_of(node) in ("find", "rfind")
        and type(result) is int
        and result == -1
    ):
        return 4.5
    if is_empty(result) and not isinstance(node, ast.List | ast.Dict | ast.Constant | ast.Set | ast.Tuple):
        return 3.5
    return 0.0


def _of(node: ast.AST, value: Value) -> float:
    if isinstance(node, ast.Call):
        return max(_CALLS.get(name_of(node), 1.5), _of_call(node, value))
    if isinstance(node, ast.BinOp):
        return _of_operator(node, value)
    if isinstance(node, ast.JoinedStr):
        return 2.0
    if isinstance(node, ast.FormattedValue):
        return 3.0 if node.format_spec is not None else 1.0
    if isinstance(node, ast.Slice):
        return 3.2
    if isinstance(node, ast.BoolOp | ast.IfExp):
        return 2.6
    return 2.0 if isinstance(node, ast.Compare) else 1.0


def _of_call(call: ast.Call, value: Value) -> float:
    """What a call does to just these arguments."""
    name = name_of(call)
    known = [value(argument) for argument in call.args]
    first = known[0] if known else MISSING
    if name == "int" and (type(first) is float or _computes_float(call)):
        return 4.5  # cut off
    if name == "Decimal" and type(first) is float:
        return 5.0
    if name == "bool" and type(first) is str and first.casefold() in _FALSE:
        return 5.5
    if name == "enumerate" and len(call.args) + len(call.keywords) > 1:
        return 4.0
    if name in ("sorted", "max", "min", "sort") and not any(one.arg == "key" for one in call.keywords):
        return _of_order(call, first)
    if isinstance(call.func, ast.Attribute) and known and type(first) is str:
        held = value(call.func.value)
        if type(held) is str and first not in held and name in ("find", "split", "partition", "rfind"):
            return 4.5
    return 0.0


def _computes_float(call: ast.Call) -> bool:
    return any(
        isinstance(node, ast.BinOp) or (isinstance(node, ast.Call) and name_of(node) == "float")
        for argument in call.args
        for node in ast.walk(argument)
    )


def _of_order(call: ast.Call, held: Any) -> float:
    """Texts with numbers in them are not in the order of the numbers."""
    items = call.args[0] if call.args else None
    if isinstance(items, ast.Call) and name_of(items) == "items":
        return 4.0
    several = exactly(held, list, tuple, set) and len(held) > 1
    return 4.8 if several and all(type(item) is str and _DIGITS.search(item) for item in held) else 0.0


def _of_operator(node: ast.BinOp, value: Value) -> float:
    points = _OPERATORS.get(type(node.op), 1.5)
    for side in (node.left, node.right):
        if isinstance(side, ast.Constant) and exactly(side.value, int, float):
            if isinstance(node.op, ast.Mult | ast.Div) and side.value in _UNITS:
                points = max(points, 2.8)
            if isinstance(node.op, ast.Add | ast.Sub) and side.value == 1 and side is node.right:
                points = max(points, 2.9)
    if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.List):
        inner = [
            item for item in node.left.elts if isinstance(item, ast.List | ast.Dict | ast.Set | ast.Call)
        ]
        points = max(points, 4.5 if inner else 0.0)
    if isinstance(node.op, ast.Mult) and type(value(node.left)) is not type(value(node.right)):
        points = max(points, 3.0 if type(value(node.left)) is str or type(value(node.right)) is str else 0.0)
    return points
