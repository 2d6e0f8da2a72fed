"""In which order a line reads and binds names: what it has bound when it comes to an expression. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relive_runtime.travel.causes.statements import DEFINITIONS, children

__all__ = ["AFTER", "Bound", "Order", "order_of"]

AFTER: Final = 1 << 40
"""The line number of an expression that is asked about when the line is over."""
_LOOPS: Final = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Bound:
    """`statement`: which of the line binds the name, last before an expression is come to. `maybe`: only if a
    condition holds; `again`: the line binds it once more after that, so that its value then is not known."""

    statement: ast.stmt
    maybe: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """Of a line. `by_node`: by identity of the names that it reads after it has bound them; `by_name`: when
    it is over."""

    by_node: dict[int, Bound]
    by_name: dict[str, Bound]

    def before(self, node: ast.Name) -> Bound | None:
        """What has bound a name before it was read; None: nothing of this line."""
        if node.lineno >= AFTER:
            return self.by_name.get(node.id)
        return self.by_node.get(id(node))


def order_of(statements: Sequence[ast.stmt]) -> Order:
    """Of the statements of a line."""
    bound: dict[str, list[Bound]] = {}
    reads: list[tuple[ast.Name, int]] = []
    for statement in statements:
        for name, maybe in _events(statement, False, _NONE):
            known = bound.setdefault(name.id, [])
            if not isinstance(name.ctx, ast.Load):
                known.append(Bound(statement, maybe and all(one.maybe for one in known)))
            elif known:
                reads.append((name, len(known)))
    by_node = {
        id(name): replace(bound[name.id][count - 1], again=count < len(bound[name.id]))
        for name, count in reads
    }
    return Order(by_node, {name: known[-1] for name, known in bound.items() if known})


_Events = Iterator[tuple[ast.Name, bool]]


def _events(node: ast.AST, maybe: bool, own: frozenset[str]) -> _Events:
    """The names that it reads and binds, as it does, and whether it depends on a condition. `own`: those of
    the comprehensions that it is in."""
    if isinstance(node, ast.Name):
        if node.id not in own:
            yield node, maybe
    elif isinstance(node, (*DEFINITIONS, ast.Lambda)):
        return
    elif isinstance(node, _LOOPS):
        yield from _of_loop(node, maybe, own)
    else:
        for part, depends in _parts(node):
            yield from _events(part, maybe or depends, own)


def _parts(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Of anything else, in the order in which they are come to."""
    if isinstance(node, ast.NamedExpr):
        yield from ((node.value, False), (node.target, False))
    elif isinstance(node, ast.Assign):
        yield from ((part, False) for part in (node.value, *node.targets))
    elif isinstance(node, ast.AugAssign):
        yield from ((node.value, False), (node.target, False))
    elif isinstance(node, ast.AnnAssign):
        yield from ((part, False) for part in (node.value, node.target) if part is not None and node.value)
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield from ((node.iter, False), (node.target, True))
    elif isinstance(node, ast.IfExp):
        yield from ((node.test, False), (node.body, True), (node.orelse, True))
    elif isinstance(node, ast.BoolOp):
        yield from ((part, number > 0) for number, part in enumerate(node.values))
    elif isinstance(node, ast.Compare):
        yield node.left, False
        yield from ((part, number > 0) for number, part in enumerate(node.comparators))
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from ((part, False) for pair in pairs for part in pair if part is not None)
    else:
        yield from ((part, False) for part in children(node))


def _of_loop(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, maybe: bool, own: frozenset[str]
) -> _Events:
    inner = own
    for number, part in enumerate(node.generators):
        yield from _events(part.iter, maybe or number > 0, inner)
        inner |= {name.id for name in ast.walk(part.target) if isinstance(name, ast.Name)}
        for test in part.ifs:
            yield from _events(test, True, inner)
    for given in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
        yield from _events(given, True, inner)
