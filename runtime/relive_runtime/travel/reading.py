"""What a line of source reads and what it gives a value to. Pure: source text in, expressions out."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Filled", "Given", "Source", "argument_of", "element_of", "gives", "open_keys", "reads", "taken_from",
]  # fmt: skip

_BUILTINS: Final = frozenset(dir(builtins))
_MOST: Final = 12
_TAKING: Final = frozenset(("get", "setdefault", "pop"))
_BODIES: Final = frozenset(("body", "orelse", "finalbody", "handlers", "cases"))
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Given:
    """How a statement gives a name its value. `value`: the expression on the right; None of what has none
    (an import).
    `passes`: it is that very value, not one that is computed of it."""

    how: str  # "assigned", "loop", "with", "except", "augmented", "parameter", "deleted"
    value: ast.expr | None
    passes: bool = False


class Source:
    """A file's statements by line."""

    def __init__(self, text: str) -> None:
        """Text that is no Python has no statements."""
        try:
            self._tree: ast.Module | None = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self._tree = None

    def statement(self, line: int) -> ast.stmt | None:
        """The innermost statement at a line: of a compound one, its head."""
        found: ast.stmt | None = None
        if self._tree is None:
            return None
        for node in ast.walk(self._tree):
            at_it = isinstance(node, ast.stmt) and node.lineno <= line <= (_head_end(node) or 0)
            if isinstance(node, ast.stmt) and at_it and (found is None or node.lineno >= found.lineno):
                found = node
        return found

    def expression(self, line: int, end_line: int, column: int, end_column: int) -> ast.expr | None:
        """The expression at a place, columns in bytes as code objects have them."""
        if self._tree is None:
            return None
        for node in ast.walk(self._tree):
            if (
                isinstance(node, ast.expr)
                and (node.lineno, node.end_lineno) == (line, end_line)
                and (node.col_offset, node.end_col_offset) == (column, end_column)
            ):
                return node
        return None

    def guards(self, line: int) -> list[ast.expr]:
        """The conditions that lead to a line inside of its function, the nearest first."""
        if self._tree is None:
            return []
        found: list[tuple[int, ast.expr]] = []
        floor = 0
        for node in ast.walk(self._tree):
            if isinstance(node, _Function) and node.lineno <= line <= (node.end_lineno or 0):
                floor = max(floor, node.lineno)
            if isinstance(node, ast.If | ast.While) and node.lineno <= line <= (node.end_lineno or 0):
                found.append((node.lineno, node.test))
            if isinstance(node, ast.Match) and node.lineno < line <= (node.end_lineno or 0):
                found.append((node.lineno, node.subject))
        return [
            test for at, test in sorted(found, key=lambda pair: -pair[0]) if at >= floor and at < line + 1
        ]

    def function(self, first_line: int, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The definition that a code object comes from; decorators may stand above it."""
        if self._tree is None:
            return None
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                top = min([node.lineno, *(item.lineno for item in node.decorator_list)])
                if top <= first_line <= node.lineno:
                    return node
        return None


def _head_end(node: ast.stmt) -> int | None:
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if not body:
        return node.end_lineno
    first = body[0]
    at = first.pattern.lineno if isinstance(first, ast.match_case) else first.lineno
    decorators = getattr(first, "decorator_list", None)
    if decorators:
        at = min(at, decorators[0].lineno)
    return max(node.lineno, at - 1)


def reads(node: ast.AST | None) -> list[str]:
    """What an expression or the head of a statement reads, each a name, an attribute or an element of
    something that is
    one: the widest first, in the order of the text. Calls are not repeated."""
    found: dict[str, None] = {}
    if node is not None:
        for expression in _read(node):
            found.setdefault(ast.unparse(expression))
    return list(found)[:_MOST]


def _read(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in _BUILTINS:
            yield node
    elif isinstance(node, ast.Attribute | ast.Subscript):
        yield from _read_part(node)
    elif isinstance(node, ast.Call):
        yield from _read_call(node)
    elif isinstance(node, _COMPREHENSIONS):
        yield from _read_comprehension(node)
    elif isinstance(node, ast.AugAssign):  # its target is read as well
        yield from _read(ast.parse(ast.unparse(node.target), mode="eval").body)
        yield from _read(node.value)
    elif not isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for child in _children(node):
            yield from _read(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Of the head of a statement, not of its body."""
    for name, value in ast.iter_fields(node):
        if name not in _BODIES or isinstance(node, ast.IfExp):
            children = value if isinstance(value, list) else [value]
            yield from (child for child in children if isinstance(child, ast.AST))


def _read_part(node: ast.Attribute | ast.Subscript) -> Iterator[ast.expr]:
    if _plain(node) and isinstance(node.ctx, ast.Load):
        yield node
    yield from _read(node.value)
    if isinstance(node, ast.Subscript):
        yield from _read(node.slice)


def _read_call(node: ast.Call) -> Iterator[ast.expr]:
    if isinstance(node.func, ast.Attribute):
        yield from _read(node.func.value)
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        yield from _read(argument)


def _read_comprehension(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
) -> Iterator[ast.expr]:
    yield from _read(node.generators[0].iter)
    targets = [name for part in node.generators for name in ast.walk(part.target)]
    hidden = {name.id for name in targets if isinstance(name, ast.Name)} | _BUILTINS
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load) and child.id not in hidden:
            yield child


def _plain(node: ast.expr) -> bool:
    """Whether it can be looked at again without a call."""
    if isinstance(node, ast.Name | ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return _plain(node.operand)
    if isinstance(node, ast.Attribute):
        return _plain(node.value)
    if isinstance(node, ast.Subscript):
        return _plain(node.value) and (isinstance(node.slice, ast.Slice) is False) and _plain(node.slice)
    return False


def gives(statement: ast.stmt, target: str) -> Given | None:
    """How a statement gives `target` (a name, or an attribute or element) its value; None if it does not
    itself."""
    found = None
    if isinstance(statement, ast.Assign):
        matched = (_matched(left, statement.value, target) for left in statement.targets)
        found = next((one for one in matched if one is not None), None)
    elif isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == target:
        found = Given("assigned", statement.value, _passing(statement.value))
    elif isinstance(statement, ast.AugAssign) and ast.unparse(statement.target) == target:
        found = Given("augmented", statement.value)
    elif isinstance(statement, ast.For | ast.AsyncFor) and _binds(statement.target, target):
        found = Given("loop", statement.iter)
    elif isinstance(statement, ast.With | ast.AsyncWith):
        found = _entered(statement, target)
    elif isinstance(statement, ast.Delete):
        found = Given("deleted", None)
    return found or _on_the_way(statement, target)


def _entered(statement: ast.With | ast.AsyncWith, target: str) -> Given | None:
    for item in statement.items:
        if item.optional_vars is not None and _binds(item.optional_vars, target):
            return Given("with", item.context_expr)
    return None


def _on_the_way(statement: ast.stmt, target: str) -> Given | None:
    """By a walrus."""
    for node in ast.walk(statement):
        if isinstance(node, ast.NamedExpr) and node.target.id == target:
            return Given("assigned", node.value, _passing(node.value))
    return None


def _matched(left: ast.expr, value: ast.expr, target: str) -> Given | None:
    if isinstance(left, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(left.elts)
        for number, part in enumerate(left.elts):
            mine = value.elts[number] if same and isinstance(value, ast.Tuple | ast.List) else value
            found = _matched(part.value if isinstance(part, ast.Starred) else part, mine, target)
            if found is not None:
                return found if same else Given("assigned", value)
        return None
    if ast.unparse(left) == target:
        return Given("assigned", value, _passing(value))
    return None


def _passing(value: ast.expr | None) -> bool:
    return value is not None and not isinstance(value, ast.Constant) and _plain(value)


def _binds(node: ast.expr, target: str) -> bool:
    return any(isinstance(name, ast.Name) and name.id == target for name in ast.walk(node))


def open_keys(tree: ast.AST) -> list[ast.expr]:
    """The outermost keys in an expression that are no constants: `sku` of `prices[sku]`."""
    return [
        node.slice
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and not isinstance(node.slice, ast.Constant | ast.UnaryOp | ast.Slice)
    ]


class Filled(ast.NodeTransformer):
    """Puts values, as Python shows them, in the places of expressions; a value that was cut stays out."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: text for name, text in values.items() if not text.endswith("…")}

    def visit(self, node: ast.AST) -> ast.AST:
        text = self._values.get(ast.unparse(node)) if isinstance(node, ast.expr) else None
        return self.generic_visit(node) if text is None else ast.parse(text, mode="eval").body


def taken_from(value: ast.expr) -> str:
    """`table[key]` of `table.get(key)`, `setdefault` or `pop`: what such a call takes its value from; "" of
    others."""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.args):
        return ""
    holder, key = value.func.value, value.args[0]
    if value.func.attr not in _TAKING or not _plain(holder) or not _plain(key):
        return ""
    return f"{ast.unparse(holder)}[{ast.unparse(key)}]"


def element_of(statement: ast.stmt, name: str) -> str:
    """The list or so whose element the loop of `statement` gives to `name` as it is: `lines` of
    `for line in lines`, and of `for number, line in enumerate(lines)`; "" of others."""
    if not isinstance(statement, ast.For):
        return ""
    target, held = statement.target, statement.iter
    if (
        isinstance(held, ast.Call)
        and isinstance(held.func, ast.Name)
        and held.func.id == "enumerate"
        and held.args
    ):
        held = held.args[0]
        target = target.elts[-1] if isinstance(target, ast.Tuple) else target
    if not (isinstance(target, ast.Name) and target.id == name and _plain(held)):
        return ""
    return ast.unparse(held)


def argument_of(
    call: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef, parameter: str, *, bound: bool
) -> ast.expr | None:
    """What a statement passes to a function's parameter: found in the first call of that name. `bound`: the
    call leaves
    out the first parameter (a method's). None: its default, or passed in a way that the text does not
    tell."""
    for node in ast.walk(call):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name != function.name and not (function.name == "__init__" and name[:1].isupper()):
            continue
        for keyword in node.keywords:
            if keyword.arg == parameter:
                return keyword.value
        names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)][int(bound) :]
        if parameter in names:
            index = names.index(parameter)
            if index < len(node.args) and not any(
                isinstance(item, ast.Starred) for item in node.args[: index + 1]
            ):
                return node.args[index]
        return None
    return None
