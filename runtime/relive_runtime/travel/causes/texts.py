"""What a line looks like: how much it does, and with what. Pure."""

from __future__ import annotations

import ast
import math
from typing import Final

from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.statements import within

__all__ = ["looks"]

_TIMES: Final = frozenset(
    (
        *("datetime", "date", "timedelta", "strptime", "strftime", "fromtimestamp", "timestamp", "now"),
        *("utcnow", "fromisoformat", "isoformat", "total_seconds", "today", "astimezone"),
    )
)
_TIME_PARTS: Final = frozenset(
    ("days", "seconds", "microseconds", "hour", "minute", "month", "day", "weekday")
)
_OF_TIMES: Final = frozenset(("tzinfo", "year", "month", "day", "hour", "minute", "second", "microsecond"))
_WORK: Final = (
    ast.Call, ast.BinOp, ast.Slice, ast.Compare, ast.BoolOp, ast.IfExp, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
)  # fmt: skip


def looks(statement: ast.stmt) -> dict[str, float]:
    """Of the head of a statement: names of what stands out, each with 1, and how much there is of it."""
    found: dict[str, float] = {}
    work = 0
    for node in within(statement):
        if isinstance(node, ast.expr):
            name = _of(node)
            work += bool(name) or _does_work(node)
            if name:
                found[f"has {name}"] = 1.0
    found["work"] = math.log(1 + work)
    if isinstance(statement, ast.If | ast.While):
        found["is condition"] = 1.0
    if isinstance(statement, ast.For | ast.AsyncFor):
        found["is loop"] = 1.0
    if not work:
        found["does nothing"] = 1.0
    return found


def _does_work(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant)
    return isinstance(node, _WORK)


def _of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return "time part" if node.attr in _TIME_PARTS else ""
    if not isinstance(node, ast.Call):
        return ""
    name = name_of(node)
    if name in _TIMES or (name == "replace" and {one.arg for one in node.keywords} & _OF_TIMES):
        return "time"
    return "default" if name in ("get", "getattr") and len(node.args) > 1 else ""
