"""What the way back is made of: a value where a line read it, and where a value was made."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from relive_capture.record.inspection import plain_name
from relive_runtime.travel.causes.statements import children, plain
from relive_runtime.travel.causes.values import attribute, is_plain
from relive_runtime.travel.trail import NOBODY

__all__ = ["Hop", "Made", "Read", "parts_read", "target_path"]


@dataclass(frozen=True, slots=True)
class Read:
    """`value` is what `node` gave while `step` of `frame` ran, or, with a `path`, what was there in it: by
    keys and indexes, outermost first."""

    node: ast.expr
    frame: int
    step: int
    value: Any
    path: tuple[Any, ...] = ()

    @property
    def text(self) -> str:
        """As source."""
        return ast.unparse(self.node) + "".join(f"[{_key(key)}]" for key in self.path)


@dataclass(frozen=True, slots=True)
class Made:
    """Nothing leads further back. `kind`: "computed"; "literal"; "default" (of a parameter or a field);
    "absent" (what a lookup did not find); "merged" (of one container into another); "changed" (inside of
    `value`); "ended" (a function that ran to its end without a return); "passed" (by code that is not the
    application's); "before" the first step. `node`: the expression, if it is known which."""

    kind: str
    value: Any
    frame: int = NOBODY
    step: int = NOBODY
    node: ast.expr | None = None
    name: str = ""
    unknown: str = ""
    """Why it is not known where the value arose, though this is as far as it leads; "": it is known."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One step back from a `Read`: the step that gave it the value, and what that read in turn. `how`: "" if
    it is the same step still."""

    step: int
    how: str
    then: Read | Made
    doubt: bool = False
    """The name was bound later, too, to another value: something that was not followed has put it back."""


def _key(key: Any) -> str:
    """One of a class of somebody's own is not asked how it is shown: this is made for each step of a way."""
    if type(key) is tuple:
        return f"({', '.join(map(_key, key))}{',' * (len(key) == 1)})"
    if is_plain(key) and not (type(key) is int and abs(key) >= _NO_TEXT):
        return repr(key)
    if issubclass(type(key), enum.Enum) and type(attribute(key, "_name_")) is str:
        return f"{plain_name(type(key))}.{attribute(key, '_name_')}"
    return f"<{plain_name(type(key))}>"


_NO_TEXT: Final = 10**600
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def parts_read(node: ast.AST, known: Callable[[ast.Call], bool] = lambda call: False) -> list[ast.expr]:
    """The widest names, attributes, elements and calls in an expression, in the order of the text. The
    functions of calls are none; what methods are called on is. `known`: a call that what it was called with
    says no more of."""
    found: list[ast.expr] = []
    _collect(node, found, known)
    return found


def _collect(node: ast.AST, found: list[ast.expr], known: Callable[[ast.Call], bool]) -> None:
    if isinstance(node, ast.Constant | ast.Lambda):
        return
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and plain(node):
        found.append(node)
        return
    if isinstance(node, ast.Call):
        found.append(node)
        if known(node):
            return
    for part in _parts(node):
        _collect(part, found, known)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Of a call not its function, of a comprehension not its own names."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
        yield from node.args
        yield from (keyword.value for keyword in node.keywords)
    elif isinstance(node, _COMPREHENSIONS):
        yield from (part.iter for part in node.generators)
        yield from (test for part in node.generators for test in part.ifs)
        yield from (child for child in children(node) if not isinstance(child, ast.comprehension))
    else:
        yield from children(node)


def target_path(target: ast.expr, wanted: str) -> tuple[int, ...] | None:
    """Where a target that is unpacked into has a name: () for itself; None: nowhere."""
    if isinstance(target, ast.Starred):
        return None
    if ast.unparse(target) == wanted:
        return ()
    if isinstance(target, ast.Tuple | ast.List):
        for index, part in enumerate(target.elts):
            starred_before = any(isinstance(item, ast.Starred) for item in target.elts[:index])
            inner = target_path(part, wanted)
            if inner is not None:
                return (index - len(target.elts) if starred_before else index, *inner)
    return None
