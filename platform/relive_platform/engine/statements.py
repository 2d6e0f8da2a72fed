"""Which statement a line of a file belongs to, if an invocation may come to it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Final

from relive_base.wire.messages import Region, Statement

__all__ = ["Statements"]

_BLOCKS: Final = ("body", "handlers", "orelse", "finalbody", "cases")
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_NAMES: Final = {
    ast.ListComp: "<listcomp>", ast.SetComp: "<setcomp>", ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}  # fmt: skip
_Code = tuple[str, int]
"""The name and the first line of a code object."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A statement, or a part of one that runs by itself. `lines`: its own, without those of the statements in
    it. `runs`: whether an invocation may come to it; module code, and that of its classes and comprehensions,
    has run when the worker was loaded. `written`: where it stands in the text."""

    statement: Statement
    lines: tuple[int, int]
    runs: bool
    written: Region
    parts: list[_Unit] = field(default_factory=list)


class Statements:
    """Of one file."""

    def __init__(self, source: bytes, file: str) -> None:
        """Raises what `compile` does."""
        code = compile(source, file, "exec", dont_inherit=True)
        self._codes: dict[_Code, list[CodeType]] = {}
        for one in _nested(code):
            self._codes.setdefault((one.co_name, one.co_firstlineno), []).append(one)
        self._units: list[_Unit] = []
        self._block(ast.parse(source, file).body, ("<module>", 1), runs=False)

    def at(self, line: int) -> tuple[Statement, int] | None:
        """What begins at a line, or has it within, and the line that is shown of it: for one in the middle of
        a statement, the first of that."""
        for unit in self._units:
            if unit.runs and unit.lines[0] == line and self._has_code(unit.statement):
                return unit.statement, line
        around = [unit for unit in self._units if unit.lines[0] <= line <= unit.lines[1]]
        for unit in reversed(around):
            runs = unit.runs and self._has_code(unit.statement)
            own = {unit.lines[0], *self._own_lines(unit)} if runs else set()
            if line not in own:
                for part in unit.parts:
                    if part.runs and line in self._code_lines(part.statement):
                        return part.statement, line if part.lines[0] in own else part.lines[0]
            if runs:
                return unit.statement, unit.lines[0]
        return None

    def lines(self) -> list[int]:
        """Those at which something begins that can be had."""
        units = (one for unit in self._units for one in ([unit] if unit.runs else unit.parts))
        return sorted({unit.lines[0] for unit in units if unit.runs and self._has_code(unit.statement)})

    # ------------------------------------------------------------ what is compiled

    def _code_lines(self, statement: Statement, without: Iterable[Region] = ()) -> set[int]:
        """The lines on which it has code, outside of regions."""
        left_out = (*statement.inside, *without)
        return {
            line
            for code in self._codes.get((statement.code, statement.first_line), ())
            for line, _, column, _ in code.co_positions()
            if line is not None
            and column is not None
            and _has(statement.region, line, column)
            and not any(_has(region, line, column) for region in left_out)
        }

    def _has_code(self, statement: Statement) -> bool:
        return bool(self._code_lines(statement))

    def _own_lines(self, unit: _Unit) -> set[int]:
        """Without those of its parts, which from Python 3.12 on may be in the same code object."""
        return self._code_lines(unit.statement, [part.written for part in unit.parts])

    # ------------------------------------------------------------ what is written

    def _block(self, nodes: Sequence[ast.AST], code: _Code, *, runs: bool) -> None:
        for node in nodes:
            self._unit(node, code, runs=runs)

    def _unit(self, node: ast.AST, code: _Code, *, runs: bool) -> None:
        header = [
            child for name, value in ast.iter_fields(node) if name not in _BLOCKS for child in _ast(value)
        ]
        blocks = [
            found
            for name in _BLOCKS
            if isinstance(value := getattr(node, name, None), list) and (found := _ast(value))
        ]
        region = _region(node)
        inside = tuple(_from_to(_region(block[0]), _region(block[-1])) for block in blocks)
        last = max([region[0], *(_region(one)[2] for one in header)]) if blocks else region[2]
        statement = Statement(*code, region, inside, isinstance(node, _LOOPS))
        parts = [part for child in header for part in self._parts(child, code, runs)]
        self._units.append(_Unit(statement, (region[0], last), runs, region, parts))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            code = (node.name, region[0])
            runs = runs or not isinstance(node, ast.ClassDef)
        for block in blocks:
            self._block(block, code, runs=runs)

    def _parts(self, node: ast.AST, code: _Code, runs: bool) -> Iterator[_Unit]:
        """Lambdas and comprehensions, from the outside to the inside."""
        if isinstance(node, ast.Lambda):
            yield from self._parts(node.args, code, runs)
            own = ("<lambda>", node.lineno)
            written = _region(node.body)
            # what it gives back is said to be at the beginning of its first line
            statement = Statement(*own, (node.lineno, 0, *written[2:]), part=True)
            yield _Unit(statement, (written[0], written[2]), True, written)
            yield from self._parts(node.body, own, True)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from self._parts(node.generators[0].iter, code, runs)
            own = (_NAMES[type(node)], node.lineno)
            within = own if own in self._codes else code
            once = runs or isinstance(node, ast.GeneratorExp)
            later: tuple[Region, ...] = ()  # what runs after a step comes back to it for the next element
            for nodes, can_be_had in _steps(node):
                region = _from_to(_region(nodes[0]), _region(nodes[-1]))
                statement = Statement(*within, region, later, part=True)
                later = (*later, region)
                yield _Unit(statement, (region[0], region[2]), once and can_be_had, region)
                for one in nodes:
                    yield from self._parts(one, within, once)
        else:
            for child in ast.iter_child_nodes(node):
                yield from self._parts(child, code, runs)


def _steps(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
) -> Iterator[tuple[Sequence[ast.expr], bool]]:
    """What a comprehension does for each element, the last first, and whether a point can be there; without
    what its first loop goes over."""
    yield (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,), True
    for number, one in reversed(list(enumerate(node.generators))):
        for condition in reversed(one.ifs):
            yield (condition,), True
        yield (one.target,), False
        if number:
            yield (one.iter,), True


def _ast(value: object) -> list[ast.AST]:
    """The nodes that a field of one has."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)]


def _region(node: ast.AST) -> Region:
    """With its decorators, which stand before it. Some nodes have no place but that of what is in them;
    zeros: not even that."""
    if isinstance(
        node, ast.stmt | ast.expr | ast.excepthandler | ast.pattern | ast.keyword | ast.alias | ast.arg
    ):
        first = min(
            [node, *getattr(node, "decorator_list", ())], key=lambda one: (one.lineno, one.col_offset)
        )
        return _from_to(
            (first.lineno, first.col_offset, 0, 0), (0, 0, node.end_lineno or 0, node.end_col_offset or 0)
        )
    places = [place for child in ast.iter_child_nodes(node) if (place := _region(child))[0]]
    return _around(places) if places else (0, 0, 0, 0)


def _from_to(first: Region, last: Region) -> Region:
    return (first[0], first[1], last[2], last[3])


def _around(places: list[Region]) -> Region:
    return _from_to(min(places), max(places, key=lambda place: place[2:]))


def _has(region: Region, line: int, column: int) -> bool:
    return region[:2] <= (line, column) < region[2:]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
