"""What the branches of statements would do if they ran, by their text. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relive_runtime.travel.causes.frames import name_of

__all__ = ["NOTHING", "Effects", "arms", "effects", "head_of", "lines_of", "statements_in"]

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LEAVES: Final = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_CHANGES: Final = frozenset(
    (
        "append",
        "add",
        "appendleft",
        "extend",
        "insert",
        "update",
        "setdefault",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "put",
        "put_nowait",
        "push",
        "sort",
        "reverse",
        "subtract",
        "__setitem__",
    )
)
"""Methods that change what they are called on."""


@dataclass(frozen=True, slots=True)
class Effects:
    """`names` get values, `attributes` are set, containers (`changed`, as source) get other contents.
    `leaves`: it returns, raises or goes on with the loop; `returns`: it returns or raises."""

    names: frozenset[str]
    attributes: frozenset[str]
    changed: frozenset[str]
    leaves: bool
    returns: bool


NOTHING: Final = Effects(frozenset(), frozenset(), frozenset(), False, False)


def statements_in(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All of a block, with the blocks inside; not those of definitions."""
    for statement in body:
        yield statement
        if isinstance(statement, _DEFINITIONS):
            continue
        for block in _blocks(statement):
            yield from statements_in(block)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def effects(body: list[ast.stmt]) -> Effects:
    """Of a block."""
    names, attributes, changed = set[str](), set[str](), set[str]()
    leaves = returns = False
    for statement in statements_in(body):
        leaves = leaves or isinstance(statement, _LEAVES)
        returns = returns or isinstance(statement, ast.Return | ast.Raise)
        if isinstance(statement, _DEFINITIONS):
            names.add(statement.name)
            continue
        for node in head_of(statement):
            _enter(node, isinstance(statement, ast.AugAssign), names, attributes, changed)
    return Effects(frozenset(names), frozenset(attributes), frozenset(changed), leaves, returns)


def _enter(
    node: ast.AST, adds: bool, names: set[str], attributes: set[str], changed: set[str]
) -> None:  # fmt: skip
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if name_of(node) in _CHANGES:
            changed.add(ast.unparse(node.func.value))
    elif not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    elif isinstance(node, ast.Name):
        names.add(node.id)
        if adds:
            changed.add(node.id)
    elif isinstance(node, ast.Attribute):
        attributes.add(node.attr)
    elif isinstance(node, ast.Subscript):
        changed.add(ast.unparse(node.value))


def head_of(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, without the statements in it."""
    for name, value in ast.iter_fields(statement):
        if name in ("body", "orelse", "finalbody", "handlers", "cases"):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                yield from ast.walk(item)


def arms(statement: ast.stmt | None) -> list[list[ast.stmt]]:
    """The blocks of which a statement runs one: first that of a condition that holds, then the other, which
    may be empty. [] of what does not choose."""
    if isinstance(statement, ast.If | ast.While | ast.For | ast.AsyncFor):
        return [statement.body, statement.orelse]
    if isinstance(statement, ast.Match):
        return [case.body for case in statement.cases]
    return []


def lines_of(body: list[ast.stmt]) -> range:
    """From the first to the last one."""
    if not body:
        return range(0)
    return range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1)
