"""How near a condition was to going the other way. Pure."""

from __future__ import annotations

import ast
import datetime
from collections.abc import Callable
from typing import Any, Final

from relive_runtime.travel.causes.badness import alike, is_empty
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.values import MISSING, exactly, same

__all__ = ["near_misses"]

Value = Callable[[ast.expr], Any]
_NUMBERS: Final = (int, float)
_MOMENTS: Final = (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)
_ORDERS: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_PLAIN: Final = (int, float, str, bytes, bool, type(None))
_ITEMS: Final = 200
_TEXT_TESTS: Final = frozenset(("startswith", "endswith"))


def near_misses(test: ast.AST, value: Value) -> set[str]:
    """Of all comparisons in an expression. "fixed": nothing that it reads can turn it. "types": it compares
    what is never equal. "alike": two values that differ only in how they are written. "edge": an order, of
    equal numbers. "next": of numbers one apart. "falsy": a number or a text that counts as none."""
    found = set[str]()
    for node in ast.walk(test):
        if isinstance(node, ast.BoolOp):
            if any(isinstance(part, ast.Constant) for part in node.values):
                found.add("fixed")
            for part in node.values:
                found |= _of_truth(part, value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            found |= _of_truth(node.operand, value)
        elif isinstance(node, ast.IfExp):
            found |= _of_truth(node.test, value)
        elif isinstance(node, ast.Compare):
            left = node.left
            for op, right in zip(node.ops, node.comparators, strict=True):
                found |= _of_pair(op, value(left), value(right), left, right)
                left = right
        elif isinstance(node, ast.Call) and name_of(node) in _TEXT_TESTS and node.args:
            found |= _of_text_test(node, value)
    return found | _of_truth(test, value)


def _of_truth(node: ast.AST, value: Value) -> set[str]:
    """What counts as false, and is a value."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        return set()
    found = value(node)
    if exactly(found, *_NUMBERS) and found == 0:
        return {"falsy"}
    if type(found) is str and found.casefold() in ("false", "no", "0", "off"):
        return {"types"}
    return set()


def _of_text_test(call: ast.Call, value: Value) -> set[str]:
    if not isinstance(call.func, ast.Attribute):
        return set()
    held, part = value(call.func.value), value(call.args[0])
    if type(held) is not str or type(part) is not str or not part:
        return set()
    first, second = held.strip().casefold(), part.strip().casefold()
    starts = name_of(call) == "startswith"
    exact = held.startswith(part) if starts else held.endswith(part)
    loose = first.startswith(second) if starts else first.endswith(second)
    return {"alike"} if loose and not exact else set()


def _of_pair(op: ast.cmpop, left: Any, right: Any, one: ast.expr, other: ast.expr) -> set[str]:
    if left is MISSING or right is MISSING:
        return set()
    if isinstance(op, ast.In | ast.NotIn):
        return _of_membership(left, right)
    if isinstance(op, _ORDERS):
        return _of_order(left, right)
    if isinstance(op, ast.Is | ast.IsNot):
        return _of_identity(left, right, one, other)
    return _of_equality(left, right)


def _of_order(left: Any, right: Any) -> set[str]:
    kinds = type(left), type(right)
    if exactly(left, *_NUMBERS) and exactly(right, *_NUMBERS):
        if left == right:
            return {"edge"}
        return {"next"} if kinds == (int, int) and abs(left - right) == 1 else set()
    if kinds == (str, str):
        digits = any(letter.isdigit() for letter in left) and any(letter.isdigit() for letter in right)
        return {"types"} if digits and len(left) != len(right) and left[:1].isdigit() else set()
    if kinds[0] is kinds[1] and exactly(left, *_MOMENTS) and _is_ours(left) and _is_ours(right):
        return {"edge"} if left == right else set()
    return set()


def _is_ours(moment: Any) -> bool:
    """To compare it runs no time zone of somebody's own."""
    zone = getattr(moment, "tzinfo", None)
    return zone is None or type(zone) is datetime.timezone


def _of_identity(left: Any, right: Any, one: ast.expr, other: ast.expr) -> set[str]:
    if isinstance(other, ast.Constant) and other.value is None:
        return set()
    if exactly(left, *_PLAIN) and exactly(right, *_PLAIN):
        return {"types"} if type(left) is not type(right) or left is not right else set()
    return set()


def _of_equality(left: Any, right: Any) -> set[str]:
    if same(left, right):
        return set()
    first, second = type(left), type(right)
    if exactly(left, *_NUMBERS) and exactly(right, *_NUMBERS):
        if left == right:
            return set()
        if _is_close(left, right):
            return {"alike"}
        return {"next"} if first is int and second is int and abs(left - right) == 1 else set()
    if exactly(left, *_PLAIN) and exactly(right, *_PLAIN) and first is not second:
        return set() if None in (left, right) else {"types"}
    if first is str and second is str:
        return {"alike"} if alike(left, right) and _is_spelled(left, right) else set()
    return set()


def _is_close(left: float, right: float) -> bool:
    try:
        return abs(left - right) * 1_000_000 <= max(abs(left), abs(right))
    except OverflowError:  # an integer that no float can hold
        return False


def _is_spelled(one: str, other: str) -> bool:
    """They differ in blanks, case or punctuation only."""
    plain = ["".join(filter(str.isalnum, text)).casefold() for text in (one, other)]
    return plain[0] == plain[1]


def _of_membership(key: Any, held: Any) -> set[str]:
    kind = type(held)
    if kind is str and type(key) is str:
        return {"types"} if key in held and key != held and " " not in held and "," not in held else set()
    if not exactly(held, list, tuple, set, frozenset, dict) or is_empty(held):
        return set()
    if not exactly(key, *_PLAIN):
        return set()
    items = [item for item, _ in zip(held, range(_ITEMS), strict=False)]
    if any(same(item, key) for item in items):
        return set()
    if key is not None and all(exactly(item, *_PLAIN) and type(item) is not type(key) for item in items):
        return {"types"}
    return {"alike"} if any(alike(item, key) for item in items) else set()
