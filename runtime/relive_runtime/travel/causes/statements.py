"""A file's statements by line, and what the head of each reads and binds. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "DEFINITIONS",
    "Plan",
    "Statements",
    "bound_names",
    "children",
    "conditions",
    "plain",
    "reads",
    "within",
]

_BODIES: Final = frozenset(("body", "orelse", "finalbody", "handlers", "cases"))
DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """What to look at when a line runs. `statement`: None if the source has none."""

    statement: ast.stmt | None
    reads: tuple[tuple[str, ast.expr], ...]
    binds: frozenset[str]
    stores: frozenset[str] = frozenset()
    """Names of attributes that it sets; "[]" for elements."""
    is_long: bool = False
    """Its head has several lines."""
    inlined: frozenset[int] = frozenset()
    """The lines of its comprehensions that are no frames of their own since Python 3.12."""
    inner: dict[int, bool] = field(default_factory=dict)
    """By identity of its expressions that read names which comprehensions and lambdas have for themselves:
    whether it reads the same text outside of them."""
    line: tuple[ast.stmt, ...] = ()
    """The statements of the line, in their order: several if it has simple ones with a ";" between them."""

    def giver(self, name: str) -> ast.stmt | None:
        """Of the line's statements, the last one that gives a name a value."""
        if len(self.line) > 1:
            return next((one for one in self.line[::-1] if name in bound_names(one)), self.statement)
        return self.statement


class Statements:
    """Of one file."""

    def __init__(self, text: str) -> None:
        """Text that is no Python has no statements."""
        try:
            self.tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.tree = ast.Module([], [])
        self._by_line: dict[int, ast.stmt] = {}
        self._beside: dict[int, list[ast.stmt]] = {}
        self._plans: dict[int, Plan] = {}
        self._all = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]
        for node in self._all:
            self._enter(node)

    def _enter(self, node: ast.stmt) -> None:
        for line in range(_first_line(node), (_head_end(node) or node.lineno) + 1):
            known = self._by_line.get(line)
            if known is None or (node.lineno, node.col_offset) >= (known.lineno, known.col_offset):
                self._by_line[line] = node
        if not hasattr(node, "body") and not isinstance(node, ast.Match):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                self._beside.setdefault(line, []).append(node)

    def statement(self, line: int) -> ast.stmt | None:
        """The innermost one at a line: of a compound one, its head."""
        return self._by_line.get(line)

    def plan(self, line: int) -> Plan:
        """For the statement at a line."""
        found = self._plans.get(line)
        if found is None:
            statement = self._by_line.get(line)
            all_of_it = self._of_line(line)
            found = Plan(
                statement,
                tuple({text: node for one in all_of_it[::-1] for text, node in reads(one).items()}.items())[
                    :_MOST
                ],
                frozenset[str]().union(*map(bound_names, all_of_it)),
                frozenset[str]().union(*map(_stores, all_of_it)),
                statement is not None and (_head_end(statement) or 0) > _first_line(statement),
                _inlined(statement) if statement is not None else frozenset(),
                {number: outside for one in all_of_it for number, outside in _inner(one).items()},
                all_of_it,
            )
            self._plans[line] = found
        return found

    def _of_line(self, line: int) -> tuple[ast.stmt, ...]:
        """The statements that run when it does, as far as no condition is before them."""
        last = self._by_line.get(line)
        if last is None:
            return ()
        beside = self._beside.get(line, ())
        if last not in beside:
            return (last,)
        return tuple(sorted(beside, key=lambda one: (one.lineno, one.col_offset)))

    def expression(self, line: int, end_line: int, column: int, end_column: int) -> ast.expr | None:
        """The expression at a place, columns in bytes as code objects have them."""
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.expr)
                and (node.lineno, node.end_lineno) == (line, end_line)
                and (node.col_offset, node.end_col_offset) == (column, end_column)
            ):
                return node
        return None

    def function(self, first_line: int, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The definition that a code object comes from; decorators may stand above it."""
        for node in self._all:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name != name:
                continue
            if _first_line(node) <= first_line <= node.lineno:
                return node
        return None

    def lambda_at(self, first_line: int) -> ast.Lambda | None:
        """The only one that begins at a line."""
        found = [
            one for one in ast.walk(self.tree) if isinstance(one, ast.Lambda) and one.lineno == first_line
        ]
        return found[0] if len(found) == 1 else None

    def definitions(self) -> dict[str, ast.stmt]:
        """By name: what gives names of the module and attributes of its classes their values."""
        found: dict[str, ast.stmt] = {}
        bodies = [self.tree.body]
        while bodies:
            for statement in bodies.pop():
                if isinstance(statement, ast.ClassDef | ast.If | ast.Try):
                    bodies.append(statement.body)
                elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    for target in targets:
                        found.update(
                            {one.id: statement for one in ast.walk(target) if isinstance(one, ast.Name)}
                        )
        return found

    def enclosing(self, line: int, kinds: type[ast.stmt] | tuple[type[ast.stmt], ...]) -> list[ast.stmt]:
        """The statements of a kind that a line is in, the innermost first."""
        found = [
            node
            for node in self._all
            if isinstance(node, kinds) and node.lineno <= line <= (node.end_lineno or 0)
        ]
        return sorted(found, key=lambda node: -node.lineno)

    def finals(self, line: int) -> list[range]:
        """The lines of each `finally` that a line is in."""
        found = list[range]()
        for node in self.enclosing(line, (ast.Try, ast.TryStar)):
            if isinstance(node, ast.Try | ast.TryStar) and node.finalbody:
                last = node.finalbody[-1]
                lines = range(node.finalbody[0].lineno, (last.end_lineno or last.lineno) + 1)
                found += [lines] * (line in lines)
        return found

    def exits(self, statement: ast.stmt) -> list[range]:
        """The lines that run after a `return` has its value: each `finally`, and the head of each `with` that
        it leaves."""
        found: list[range] = []
        for node in self.enclosing(statement.lineno, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)):
            if isinstance(node, ast.With | ast.AsyncWith):
                found.append(range(node.lineno, node.body[0].lineno))
            elif isinstance(node, ast.Try | ast.TryStar) and node.finalbody:
                last = node.finalbody[-1]
                lines = range(node.finalbody[0].lineno, (last.end_lineno or last.lineno) + 1)
                if statement.lineno not in lines:
                    found.append(lines)
        return found


def _first_line(node: ast.AST) -> int:
    lines: list[int] = [item.lineno for item in getattr(node, "decorator_list", ())]
    return min([*lines, getattr(node, "lineno", 0)])


def _head_end(node: ast.stmt) -> int | None:
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not isinstance(body, list) or not body:
        return node.end_lineno
    first = body[0]
    at = first.pattern.lineno if isinstance(first, ast.match_case) else _first_line(first)
    return max(node.lineno, at - 1)


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Of an expression, all; of the head of a statement, not those of its body."""
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.stmt) and name in _BODIES:
            continue
        items = value if isinstance(value, list) else [value]
        yield from (child for child in items if isinstance(child, ast.AST))


def within(node: ast.AST) -> Iterator[ast.AST]:
    """It and what is in it, without the bodies of statements and of definitions."""
    yield node
    if isinstance(node, DEFINITIONS):
        return
    for child in children(node):
        yield from within(child)


def plain(node: ast.AST) -> bool:
    """Whether it can be looked at again without a call."""
    if isinstance(node, ast.Name | ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and plain(node.operand)
    if isinstance(node, ast.Attribute):
        return plain(node.value)
    if isinstance(node, ast.Subscript):
        return plain(node.value) and not isinstance(node.slice, ast.Slice) and plain(node.slice)
    if isinstance(node, ast.Tuple):
        return all(map(plain, node.elts))
    return False


def reads(node: ast.AST) -> dict[str, ast.expr]:
    """The names, attributes and elements that it reads or changes, by their text."""
    found: dict[str, ast.expr] = {}
    for part in within(node):
        if isinstance(part, ast.Name | ast.Attribute | ast.Subscript) and plain(part):
            found.setdefault(ast.unparse(part), part)
    return found


def bound_names(statement: ast.stmt) -> frozenset[str]:
    """The names that it gives a value."""
    found: set[str] = set()
    if isinstance(statement, DEFINITIONS):
        return frozenset((statement.name,))
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return frozenset((alias.asname or alias.name).split(".")[0] for alias in statement.names)
    if isinstance(statement, ast.Try):
        return frozenset(handler.name for handler in statement.handlers if handler.name)
    if isinstance(statement, ast.Match):
        for case in statement.cases:
            found |= {
                name
                for part in ast.walk(case.pattern)
                if (name := getattr(part, "name", None) or getattr(part, "rest", None))
            }
    inner = _of_comprehensions(statement)
    for part in within(statement):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del) and part not in inner:
            found.add(part.id)
    return frozenset(found)


def _stores(statement: ast.stmt) -> frozenset[str]:
    return frozenset(
        node.attr if isinstance(node, ast.Attribute) else "[]"
        for node in within(statement)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store)
    )


def _inlined(statement: ast.stmt) -> frozenset[int]:
    parts = list(within(statement))
    frames = [part for part in parts if isinstance(part, ast.Lambda | ast.GeneratorExp)]
    inner = {node for part in frames for node in ast.walk(part)}
    return frozenset(
        line
        for part in parts
        if isinstance(part, ast.ListComp | ast.SetComp | ast.DictComp) and part not in inner
        for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)
    )


def _inner(statement: ast.stmt) -> dict[int, bool]:
    found = dict[int, str]()
    outside = set[str]()
    for part in within(statement):
        for name, inside in _scopes(part):
            for node in inside:
                if isinstance(node, ast.expr) and plain(node) and name in _names(node):
                    found[id(node)] = ast.unparse(node)
    for part in within(statement) if found else ():
        stores = isinstance(getattr(part, "ctx", None), ast.Store)
        if isinstance(part, ast.expr) and plain(part) and id(part) not in found and not stores:
            outside.add(ast.unparse(part))
    return {number: text in outside for number, text in found.items()}


def _scopes(node: ast.AST) -> Iterator[tuple[str, list[ast.AST]]]:
    """The names that it has for itself, each with what reads them."""
    if isinstance(node, ast.Lambda):
        given = node.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        names += [one.arg for one in (given.vararg, given.kwarg) if one is not None]
        inside = list(ast.walk(node.body))
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        names = [
            one.id for part in node.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)
        ]
        first = {id(one) for one in ast.walk(node.generators[0].iter)}
        inside = [one for one in ast.walk(node) if id(one) not in first]
    else:
        return
    yield from ((name, inside) for name in names)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _of_comprehensions(statement: ast.stmt) -> set[ast.AST]:
    return {
        name
        for part in within(statement)
        if isinstance(part, ast.comprehension)
        for name in ast.walk(part.target)
    }


def conditions(statement: ast.stmt | None) -> ast.expr | None:
    """What a statement decides by."""
    if isinstance(statement, ast.If | ast.While | ast.Assert):
        return statement.test
    return statement.subject if isinstance(statement, ast.Match) else None
