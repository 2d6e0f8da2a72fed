"""What is often wrong with a statement because of what stands around it in its function. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from relive_runtime.travel.causes.arms import head_of, statements_in
from relive_runtime.travel.causes.frames import name_of

__all__ = ["surroundings"]

_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_GENERATORS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CHANGES: Final = frozenset(("remove", "pop", "append", "insert", "add", "discard"))


def surroundings(statement: ast.stmt, around: ast.AST) -> set[str]:
    """Of a statement in the function `around` it."""
    body = getattr(around, "body", [])
    found = {
        *_of_handlers(statement, body),
        *_of_closures(statement, body),
        *_of_cache(statement, around),
        *_of_groups(statement, around),
    }
    if isinstance(statement, ast.For | ast.AsyncFor) and _changes_its_own(statement):
        found.add("goes over what it changes")
    return found


def _of_handlers(statement: ast.stmt, body: list[ast.stmt]) -> Iterator[str]:
    """What a handler does in the place of what failed; a line that only tells of it is none."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return
    for one in statements_in(body):
        for handler in one.handlers if isinstance(one, ast.Try) else ():
            if any(inner is statement for inner in statements_in(handler.body)):
                yield "in a handler of errors"


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


# ------------------------------------------------------------ functions that are made in a loop


def _of_closures(statement: ast.stmt, body: list[ast.stmt]) -> Iterator[str]:
    """It makes a function that reads what the loop around it goes on to change."""
    given = set[str]()
    for one in statements_in(body):
        if isinstance(one, _LOOPS) and any(inner is statement for inner in statements_in(one.body)):
            given |= _stored(one)
    for node in head_of(statement):
        if isinstance(node, _GENERATORS):
            given |= {name for part in node.generators for name in _stored(part.target)}
    made = [node for node in head_of(statement) if isinstance(node, ast.Lambda)]
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        made.append(ast.Lambda(statement.args, ast.Tuple([], ast.Load())))
        inner: list[ast.AST] = list(statement.body)
    else:
        inner = []
    for node in made:
        own = {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        if _loaded([node.body, *inner]) & given - own:
            yield "closure of a loop"


def _stored(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _loaded(nodes: list[ast.AST]) -> set[str]:
    walked = (one for node in nodes for one in ast.walk(node))
    return {one.id for one in walked if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


# ------------------------------------------------------------ results that are kept


def _of_cache(statement: ast.stmt, around: ast.AST) -> Iterator[str]:
    """By a key that is looked for, and filled in if it is not there."""
    keys = _cached(around)
    if not keys:
        return
    if isinstance(statement, ast.Assign):
        targets = {ast.unparse(target) for target in statement.targets}
        if any(key in targets for key, _ in keys):
            yield "key of a cache"
    if isinstance(statement, ast.If) and any(_pair(node) in keys for node in ast.walk(statement.test)):
        yield "looks in a cache"


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


# ------------------------------------------------------------ groups


def _of_groups(statement: ast.stmt, around: ast.AST) -> Iterator[str]:
    """What only groups neighbours has to be in order."""
    for node in head_of(statement):
        if isinstance(node, ast.Call) and name_of(node) == "groupby" and node.args:
            given = node.args[0]
            in_order = isinstance(given, ast.Call) and name_of(given) == "sorted"
            if not in_order and not _is_sorted(ast.unparse(given), around):
                yield "groups what is in no order"


def _is_sorted(text: str, around: ast.AST) -> bool:
    for node in ast.walk(around):
        if isinstance(node, ast.Assign):
            call, places = node.value, node.targets
            name = "sorted"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            call, places = node, [node.func.value]
            name = "sort"
        else:
            continue
        if isinstance(call, ast.Call) and name_of(call) == name and text in map(ast.unparse, places):
            return True
    return False
