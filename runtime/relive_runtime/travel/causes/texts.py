"""What a line looks like: which kinds of work it does that are often got wrong. Pure."""

from __future__ import annotations

import ast
import math
from typing import Final

from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.statements import plain, within

__all__ = ["looks"]

_TEXT_CALLS: Final = frozenset(
    (
        *("strip", "lstrip", "rstrip", "lower", "upper", "title", "casefold", "replace", "split", "rsplit"),
        *("partition", "rpartition", "splitlines", "removeprefix", "removesuffix", "format", "join", "zfill"),
        *("sub", "findall", "match", "search", "fullmatch", "compile", "find", "index", "capitalize"),
    )
)
_TIMES: Final = frozenset(
    (
        *("datetime", "date", "timedelta", "strptime", "strftime", "fromtimestamp", "timestamp", "now"),
        *("utcnow", "fromisoformat", "isoformat", "total_seconds", "replace", "today", "astimezone"),
    )
)
_TIME_PARTS: Final = frozenset(
    ("days", "seconds", "microseconds", "hour", "minute", "month", "day", "weekday")
)
_WORK: Final = (
    ast.Call, ast.BinOp, ast.Slice, ast.Compare, ast.BoolOp, ast.IfExp, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
)  # fmt: skip


def looks(statement: ast.stmt) -> dict[str, float]:
    """Of the head of a statement: names of what stands out, each with 1, and how much there is of it."""
    found: dict[str, float] = {}
    nodes = [node for node in within(statement) if isinstance(node, ast.expr)]
    work = 0
    for node in nodes:
        names = _of(node)
        work += bool(names) or _does_work(node)
        for name in names:
            found[f"has {name}"] = 1.0
    found["work"] = math.log(1 + work)
    kind = _kind(statement)
    if kind:
        found[f"is {kind}"] = 1.0
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Assign | ast.Return | ast.AnnAssign) and value is not None and plain(value):
        name = {ast.Name: "name", ast.Constant: "constant"}.get(type(value), "part")
        found[f"only a {name}"] = 1.0
    if not work:
        found["does nothing"] = 1.0
    return found


def _does_work(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant)
    return isinstance(node, _WORK)


def _kind(statement: ast.stmt) -> str:
    if isinstance(statement, ast.If | ast.While):
        return "condition"
    if isinstance(statement, ast.For | ast.AsyncFor):
        return "loop"
    return "return" if isinstance(statement, ast.Return) else ""


def _of(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Call):
        name = name_of(node)
        found = ["text"] if name in _TEXT_CALLS else []
        if name in _TIMES:
            found.append("time")
        if name in ("get", "getattr") and len(node.args) > 1:
            found.append("default")
        elif name == "range":
            found.append("range")
        return found
    if isinstance(node, ast.BinOp):
        sides = [side.value for side in (node.left, node.right) if isinstance(side, ast.Constant)]
        numbers = [value for value in sides if type(value) in (int, float)]
        return ["one more or less"] if isinstance(node.op, ast.Add | ast.Sub) and 1 in numbers else []
    if isinstance(node, ast.Slice):
        return ["slice"]
    if isinstance(node, ast.Compare):
        orders = any(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
        return ["order"] if orders else []
    return ["time part"] if isinstance(node, ast.Attribute) and node.attr in _TIME_PARTS else []
