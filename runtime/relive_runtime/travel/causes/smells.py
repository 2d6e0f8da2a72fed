"""What a reader of the code would stop at: patterns that are rarely meant. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from relive_runtime.travel.causes.arms import head_of, statements_in
from relive_runtime.travel.causes.frames import name_of

__all__ = ["smells"]

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
    if not isinstance(node, ast.Call):
        return
    first = node.args[0] if node.args else None
    text = first.value if isinstance(first, ast.Constant) else None
    if name_of(node) in _CUTTING and node.args and not (type(text) is str and len(set(text)) < 3):
        yield "cuts letters off"


def _in_loop(
    statement: ast.stmt, loop: ast.For | ast.AsyncFor | ast.While, body: list[ast.stmt]
) -> Iterator[str]:
    if any(one is statement for one in loop.body) and isinstance(statement, ast.Return):
        yield "leaves in the first round"
    last = loop.body[-1]
    if isinstance(last, ast.Return) and last is not statement and isinstance(statement, ast.Return):
        yield "leaves in the first round"
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
