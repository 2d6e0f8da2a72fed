"""Where one container got two names, or a copy its parts from another one, before it was changed."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from relive_runtime.travel.causes.arms import head_of
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.statements import plain
from relive_runtime.travel.causes.values import MISSING, exactly, parts

__all__ = ["Sharing", "handed_on"]

_CONTAINERS: Final = (list, dict, set, deque, bytearray)
_COPIED: Final = (list, dict, set, tuple, deque)
_GIVING: Final = (ast.Assign, ast.AnnAssign, ast.Expr)
_STORING: Final = frozenset(("append", "add", "insert", "appendleft", "setdefault", "put"))
_COPYING: Final = frozenset(("dict", "list", "set", "copy", "tuple"))


class Sharing:
    """Over one journal, up to the failing step."""

    def __init__(self, following: Following, failing: int) -> None:
        self._following = following
        self._journal = following.journal
        self._failing = failing

    def of(self, statement: ast.stmt, frame: int, step: int) -> Iterator[str]:
        """Of a statement at a step."""
        for given in handed_on(statement) if isinstance(statement, _GIVING) else ():
            if self._changes_later(self._following.value_of(given, frame, step), step):
                yield f"shares {self._kind_of(given, frame)} that is changed later"
        for node in head_of(statement):
            held = self._copied(node, frame, step)
            version = self._journal.version(held, step + 1) if held is not MISSING else MISSING
            if version is not MISSING and any(self._changes_later(part, step) for _, part in parts(version)):
                yield "copies, but shares parts that are changed later"

    def _kind_of(self, node: ast.expr, frame: int) -> str:
        if not isinstance(node, ast.Name):
            return "a part"
        code = self._journal.frames[frame].code
        if node.id in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            return "an argument"
        return "a local" if node.id in (*code.co_varnames, *code.co_cellvars) else "a global"

    def _changes_later(self, value: Any, step: int) -> bool:
        """A container that was there before the step, and that a later one has changed."""
        if not exactly(value, *_CONTAINERS):
            return False
        born = self._journal.born(value)
        versions = self._journal.versions(value, self._failing + 1)
        return born is not None and born < step and any(one.step > step for one in versions[1:])

    def _copied(self, node: ast.AST, frame: int, step: int) -> Any:
        """What an expression makes a new container of, with the same parts."""
        of: ast.expr | None = None
        if isinstance(node, ast.Call) and name_of(node) in _COPYING:
            places = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
            of = places[0] if places else None
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            of = node.value
        elif isinstance(node, ast.Dict) and None in node.keys:
            of = node.values[node.keys.index(None)]
        held = MISSING if of is None else self._following.value_of(of, frame, step)
        return held if exactly(held, *_COPIED) else MISSING  # a class of the user's may copy in its own way


def handed_on(statement: ast.stmt) -> list[ast.expr]:
    """What it gives a second name or place, as it is."""
    value = getattr(statement, "value", None)
    found = list[Any]()
    if isinstance(value, ast.IfExp):
        found += [value.body, value.orelse]
    elif isinstance(value, ast.Tuple | ast.List):
        found += value.elts
    elif isinstance(value, ast.Dict):
        found += value.values
    elif isinstance(value, ast.Call):
        if name_of(value) in _STORING or name_of(value)[:1].isupper():
            for one in (*value.args, *(one.value for one in value.keywords)):
                found += one.values if isinstance(one, ast.Dict) else [one]
    else:
        found.append(value)
    return [one for one in found if isinstance(one, ast.Name | ast.Attribute | ast.Subscript) and plain(one)]
