"""What a reader of the code would stop at: patterns that are rarely meant. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, Final

from relive_runtime.travel.causes.arms import head_of, statements_in
from relive_runtime.travel.causes.frames import name_of

__all__ = ["smells"]

_REMOVING: Final = frozenset(("remove", "pop", "popitem", "append", "insert", "discard", "add", "clear"))
_CUTTING: Final = frozenset(("strip", "lstrip", "rstrip"))
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)


def smells(statement: ast.stmt, around: ast.AST) -> set[str]:
    """Of a statement, in the function `around` it."""
    found = set[str]()
    for node in head_of(statement):
        found |= set(_of_node(node))
    body = getattr(around, "body", [])
    for loop in (one for one in statements_in(body) if isinstance(one, _LOOPS)):
        inside = list(statements_in(loop.body))
        if any(one is statement for one in inside):
            found |= set(_in_loop(statement, loop, body))
        elif isinstance(statement, ast.Assign):
            found |= set(_before_loop(statement, loop))
    return found


def _of_node(node: ast.AST) -> Iterator[str]:
    kind = _BY_NODE.get(type(node))
    return kind(node) if kind is not None else iter(())


def _of_call(node: ast.Call) -> Iterator[str]:
    first = node.args[0] if node.args else None
    text = first.value if isinstance(first, ast.Constant) else None
    if name_of(node) in _CUTTING and node.args and not (type(text) is str and len(set(text)) < 3):
        yield "cuts letters off"


def _of_product(node: ast.BinOp) -> Iterator[str]:
    items = node.left.elts if isinstance(node.left, ast.List) and isinstance(node.op, ast.Mult) else []
    if any(not isinstance(one, ast.Constant | ast.UnaryOp) for one in items):
        yield "repeats one object"


def _of_list(node: ast.ListComp) -> Iterator[str]:
    names = {
        part.id for one in node.generators for part in ast.walk(one.target) if isinstance(part, ast.Name)
    }
    if isinstance(node.elt, ast.Name) and node.elt.id not in names:
        yield "repeats one object"


def _of_choice(node: ast.BoolOp) -> Iterator[str]:
    if any(isinstance(one, ast.Constant) for one in node.values[:-1]):
        yield "fixed condition"


def _of_comparison(node: ast.Compare) -> Iterator[str]:
    constant = any(isinstance(one, ast.Constant) and one.value is not None for one in node.comparators)
    if constant and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
        yield "identity of a value"


_BY_NODE: Final[dict[type[ast.AST], Callable[[Any], Iterator[str]]]] = {
    ast.Call: _of_call,
    ast.BinOp: _of_product,
    ast.ListComp: _of_list,
    ast.BoolOp: _of_choice,
    ast.Compare: _of_comparison,
}


def _in_loop(
    statement: ast.stmt, loop: ast.For | ast.AsyncFor | ast.While, body: list[ast.stmt]
) -> Iterator[str]:
    if any(one is statement for one in loop.body) and isinstance(statement, ast.Return):
        yield "leaves in the first round"
    last = loop.body[-1]
    if isinstance(last, ast.Return) and last is not statement and isinstance(statement, ast.Return):
        yield "leaves in the first round"
    if not isinstance(loop, ast.While):
        over = ast.unparse(loop.iter)
        for node in head_of(statement):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if name_of(node) in _REMOVING and ast.unparse(node.func.value) == over:
                yield "changes what is gone through"
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name) and _is_overwritten(statement, target.id, loop, body):
            yield "overwrites what was added up"


def _is_overwritten(statement: ast.Assign, name: str, loop: ast.stmt, body: list[ast.stmt]) -> bool:
    """A name that has a value before the loop, that nothing in the loop reads, and that is read after it; or
    that is added to in another branch."""
    inside = [node for one in [loop] for node in ast.walk(one)]
    if any(isinstance(node, ast.If) and statement in node.body and not node.orelse for node in inside):
        return False
    reads = [
        node
        for node in inside
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    adds = [
        node for node in inside
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name
    ]  # fmt: skip
    before = [
        one for one in body
        if isinstance(one, ast.Assign) and one.lineno < loop.lineno
        and any(isinstance(target, ast.Name) and target.id == name for target in one.targets)
    ]  # fmt: skip
    if adds:
        return not any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(statement.value))
    return bool(before) and not reads


def _before_loop(statement: ast.Assign, loop: ast.stmt) -> Iterator[str]:
    """The number that a search for the least or the largest begins with."""
    if not isinstance(statement.value, ast.Constant) or type(statement.value.value) not in (int, float):
        return
    names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    for node in ast.walk(loop):
        if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
            continue
        test = node.test
        orders = [isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in test.ops]
        compared = {part.id for part in ast.walk(test) if isinstance(part, ast.Name)}
        given = {
            part.id
            for one in node.body
            for part in ast.walk(one)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        if all(orders) and names & compared & given:
            yield "begins a search"
