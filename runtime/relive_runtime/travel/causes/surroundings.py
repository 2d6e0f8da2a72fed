"""What is often wrong with a statement because of what stands around it in its function. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from relive_runtime.travel.causes.arms import head_of, statements_in
from relive_runtime.travel.causes.frames import name_of

__all__ = ["Surroundings"]

_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_GENERATORS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CHANGES: Final = frozenset(("remove", "pop", "append", "insert", "add", "discard"))


class Surroundings:
    """Of the statements in a function, which is looked through once."""

    def __init__(self, around: ast.AST) -> None:
        self._in_handlers = set[int]()  # identities of statements
        self._loops: list[tuple[ast.stmt, set[int]]] = []
        for one in statements_in(getattr(around, "body", [])):
            for handler in one.handlers if isinstance(one, ast.Try) else ():
                self._in_handlers |= {id(inner) for inner in statements_in(handler.body)}
            if isinstance(one, _LOOPS):
                self._loops.append((one, {id(inner) for inner in statements_in(one.body)}))
        self._cached = _cached(around)
        self._sorted = set(_sorted(around))

    def of(self, statement: ast.stmt) -> set[str]:
        """Of one of them."""
        found = {*self._of_closures(statement), *self._of_cache(statement), *self._of_groups(statement)}
        tells = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        if id(statement) in self._in_handlers and not tells:  # it takes the place of what has failed
            found.add("in a handler of errors")
        if isinstance(statement, ast.For | ast.AsyncFor) and _changes_its_own(statement):
            found.add("goes over what it changes")
        return found

    def _of_closures(self, statement: ast.stmt) -> Iterator[str]:
        """It makes a function that reads what the loop around it goes on to change."""
        given = set[str]()
        for loop, inside in self._loops:
            if id(statement) in inside:
                given |= _stored(loop)
        made: list[tuple[ast.arguments, list[ast.AST]]] = []
        for node in head_of(statement):
            if isinstance(node, _GENERATORS):
                given |= {name for part in node.generators for name in _stored(part.target)}
            elif isinstance(node, ast.Lambda):
                made.append((node.args, [node.body]))
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            made.append((statement.args, list(statement.body)))
        for arguments, body in made:
            own = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
            if _loaded(body) & given - own:
                yield "closure of a loop"

    def _of_cache(self, statement: ast.stmt) -> Iterator[str]:
        """By a key that is looked for, and filled in if it is not there."""
        if not self._cached:
            return
        if isinstance(statement, ast.Assign):
            targets = {ast.unparse(target) for target in statement.targets}
            if any(key in targets for key, _ in self._cached):
                yield "key of a cache"
        tested = ast.walk(statement.test) if isinstance(statement, ast.If) else ()
        if any(_pair(node) in self._cached for node in tested):
            yield "looks in a cache"

    def _of_groups(self, statement: ast.stmt) -> Iterator[str]:
        """What only groups neighbours has to be in order."""
        for node in head_of(statement):
            if isinstance(node, ast.Call) and name_of(node) == "groupby" and node.args:
                given = node.args[0]
                in_order = isinstance(given, ast.Call) and name_of(given) == "sorted"
                if not in_order and ast.unparse(given) not in self._sorted:
                    yield "groups what is in no order"


def _changes_its_own(loop: ast.For | ast.AsyncFor) -> bool:
    over = ast.unparse(loop.iter)
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and name_of(node) in _CHANGES
        and ast.unparse(node.func.value) == over
        for one in loop.body
        for node in ast.walk(one)
    )


def _stored(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _loaded(nodes: list[ast.AST]) -> set[str]:
    walked = (one for node in nodes for one in ast.walk(node))
    return {one.id for one in walked if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _cached(around: ast.AST) -> set[tuple[str, str]]:
    """What a function fills if it finds nothing there: (key, container), as source."""
    looked, filled = set[tuple[str, str]](), set[tuple[str, str]]()
    for node in ast.walk(around):
        pair = _pair(node)
        if pair is not None:
            looked.add(pair)
        if not isinstance(node, ast.Assign):
            continue
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "get":
            for only in call.args if len(call.args) == 1 else ():
                looked.add((ast.unparse(only), ast.unparse(call.func.value)))
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                held = ast.unparse(target.value)
                if held not in ast.unparse(node.value):  # or it counts there
                    filled.add((ast.unparse(target.slice), held))
    return looked & filled


def _pair(node: ast.AST) -> tuple[str, str] | None:
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        return ast.unparse(node.left), ast.unparse(node.comparators[0])
    return None


def _sorted(around: ast.AST) -> Iterator[str]:
    """What a function has put in order, as source."""
    for node in ast.walk(around):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if name_of(node.value) == "sorted":
                yield from map(ast.unparse, node.targets)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sort":
            yield ast.unparse(node.func.value)
