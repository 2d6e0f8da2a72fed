"""What an operator has called a method with: no call is written there. Pure."""

from __future__ import annotations

import ast
from typing import Final

__all__ = ["is_special", "operands"]

_BINARY: Final[dict[str, type[ast.operator]]] = {
    "add": ast.Add, "sub": ast.Sub, "mul": ast.Mult, "matmul": ast.MatMult, "truediv": ast.Div,
    "floordiv": ast.FloorDiv, "mod": ast.Mod, "pow": ast.Pow, "lshift": ast.LShift, "rshift": ast.RShift,
    "and": ast.BitAnd, "or": ast.BitOr, "xor": ast.BitXor,
}  # fmt: skip
_COMPARED: Final[dict[str, type[ast.cmpop]]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "lt": ast.Lt, "le": ast.LtE, "gt": ast.Gt, "ge": ast.GtE,
}  # fmt: skip
_MIRRORED: Final = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def is_special(name: str) -> bool:
    """Whether the language calls a method of that name by itself."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def operands(node: ast.AST, method: str) -> list[tuple[ast.expr, ...]]:
    """What an operation may call a method with, in the order of its parameters."""
    if not is_special(method):
        return []
    name = method[2:-2]
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return _of_binary(node, name)
    if isinstance(node, ast.Compare):
        return _of_comparison(node, name)
    if isinstance(node, ast.Subscript) and name in ("getitem", "delitem", "missing"):
        return [(node.value, node.slice)]
    if isinstance(node, ast.Assign) and name == "setitem":
        places = [one for one in node.targets if isinstance(one, ast.Subscript)]
        return [(one.value, one.slice, node.value) for one in places]
    return []


def _of_binary(node: ast.BinOp | ast.AugAssign, name: str) -> list[tuple[ast.expr, ...]]:
    pair = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    if type(node.op) is _BINARY.get(name):
        return [pair]
    if name[:1] == "i" and isinstance(node, ast.AugAssign) and type(node.op) is _BINARY.get(name[1:]):
        return [pair]
    if name[:1] == "r" and type(node.op) is _BINARY.get(name[1:]):
        return [pair[::-1]]
    return []


def _of_comparison(node: ast.Compare, name: str) -> list[tuple[ast.expr, ...]]:
    found: list[tuple[ast.expr, ...]] = []
    for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
        if name == "contains" and isinstance(op, ast.In | ast.NotIn):
            found.append((right, left))
        if type(op) is _COMPARED.get(name):
            found.append((left, right))
        if name in _MIRRORED and type(op) is _COMPARED[_MIRRORED[name]]:
            found.append((right, left))
    return found
