"""Which frames an expression has run, and which expression has run a frame."""

from __future__ import annotations

import ast
import inspect
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from relive_capture.record.inspection import class_dict
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.statements import within
from relive_runtime.travel.causes.values import MISSING, defined, exactly, interned, same, stored
from relive_runtime.travel.trail import NOBODY

__all__ = ["Frames", "name_of"]

_AWAITED: Final = inspect.CO_COROUTINE
_GENERATES: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_LAMBDA: Final = "<lambda>"
_YIELDS: Final = 6


class Frames:
    """Of one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def code_of(self, func: ast.expr, step: int) -> CodeType | None:
        """Of the function that a call's expression names; None: it cannot be told, or is not Python's."""
        found = self.function_of(func, step)
        return None if found is None else found.__code__

    def function_of(self, func: ast.expr, step: int) -> FunctionType | None:
        """The function that a call's expression names; None: it cannot be told, or is not Python's."""
        found = self._journal.read(step, ast.unparse(func))
        if found is MISSING and isinstance(func, ast.Attribute):
            base = self._journal.read(step, ast.unparse(func.value))
            if base is not MISSING:
                found = stored(base, func.attr)
        if exactly(found, staticmethod, classmethod):
            found = found.__func__
        if type(found) is MethodType:
            found = found.__func__
        if type(found) is type or (issubclass(type(found), type) and "__init__" in class_dict(found)):
            found = defined(found, "__init__")
        if found is not MISSING and type(found) is not FunctionType:
            found = defined(type(found), "__call__")
        return found if type(found) is FunctionType else None

    def run_by(self, call: ast.Call, frame: int, step: int, value: Any = MISSING) -> int | None:
        """The frame that a call at a step has run; of several, that which has given back `value`, or the last
        one. A call of a generator runs nothing of it."""
        journal = self._journal
        frames = [one for one in journal.called_in(frame, step) if not self._generates(one)]
        code, name = self.code_of(call.func, step), name_of(call)
        mine = [number for number in frames if journal.frames[number].code is code]
        mine = mine or [
            number for number in frames if self._is_named(call, name, journal.frames[number].code)
        ]
        mine = self._in_turn(call, step, code, mine)
        if not mine and value is not MISSING and not interned(value):
            mine = [number for number in frames if journal.frames[number].result is value]
        if value is not MISSING:
            gave = [number for number in mine if same(journal.frames[number].result, value)]
            mine = gave or [number for number in mine if journal.frames[number].result is MISSING]
        return mine[-1] if mine else None

    def _is_named(self, call: ast.Call, name: str, code: CodeType) -> bool:
        if isinstance(call.func, ast.Lambda):
            return code.co_name == _LAMBDA and _is_in(call.func.body, code)
        return code.co_name == name

    def _in_turn(self, call: ast.Call, step: int, code: CodeType | None, frames: list[int]) -> list[int]:
        """Of several calls of one function in a statement, each is the one of its turn."""
        statement = self._journal.plan(step).statement
        if len(frames) < 2 or statement is None:
            return frames
        calls = [
            node
            for node in within(statement)
            if isinstance(node, ast.Call)
            and (name_of(node) == name_of(call) if code is None else self.code_of(node.func, step) is code)
        ]
        calls.sort(key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))  # as they are run
        index = next((number for number, node in enumerate(calls) if node is call), None)
        return frames if index is None or len(calls) != len(frames) else [frames[index]]

    def _generates(self, number: int) -> bool:
        return bool(self._journal.frames[number].code.co_flags & _GENERATES)

    def generated(self, call: ast.Call, frame: int, step: int) -> list[tuple[int, int, Any]]:
        """What a generator that a call has made gave out at a step, the newest last: frame, step, value."""
        journal, name = self._journal, name_of(call)
        return [
            (number, at, value)
            for number in journal.called_in(frame, step)
            if self._generates(number) and journal.frames[number].code.co_name == name
            for at, value in journal.frames[number].yields[-_YIELDS:]
        ]

    def call_of(self, frame: int) -> ast.Call | None:
        """The expression that has run a frame, in the statement of its caller."""
        journal = self._journal
        entry = journal.frames[frame]
        if entry.called < journal.start:
            return None
        statement = journal.plan(entry.called).statement
        if statement is None:
            return None
        calls = [node for node in within(statement) if isinstance(node, ast.Call)]
        mine = [call for call in calls if self.code_of(call.func, entry.called) is entry.code]
        mine = mine or [call for call in calls if self._named(call, entry.code)]
        if not mine:
            return None
        beside = [
            number
            for number in journal.called_in(entry.caller, entry.called)
            if journal.frames[number].code is entry.code
        ]
        index = beside.index(frame) if frame in beside else 0
        return mine[index] if len(mine) == len(beside) else mine[-1]

    def _named(self, call: ast.Call, code: CodeType) -> bool:
        name = name_of(call)
        if code.co_name == "__init__":
            return (
                code.co_qualname.split(".")[-2:-1] == [name]
                or name[:1].isupper()
                or name in ("cls", "__init__")
            )
        return self._is_named(call, name, code)

    def awaited(self, value: Any, step: int) -> int | None:
        """The coroutine that has given back a value before a step; None: none, or any of several."""
        found = [
            number
            for number, entry in enumerate(self._journal.frames)
            if entry.code.co_flags & _AWAITED
            and NOBODY < entry.returned <= step
            and same(entry.result, value)
        ]
        return found[-1] if len(found) == 1 or (found and not interned(value)) else None

    def yielded(self, value: Any, before: int, name: str = "") -> tuple[int, int] | None:
        """The generator's frame and step that have last given out a value before a step."""
        best: tuple[int, int] | None = None
        for number, entry in enumerate(self._journal.frames):
            if not entry.code.co_flags & _GENERATES or (name and entry.code.co_name != name):
                continue
            for step, given in entry.yields:
                if step < before and same(given, value) and (best is None or step > best[1]):
                    best = number, step
        return best


def name_of(call: ast.Call) -> str:
    """Of the function or method; "" of what has none."""
    if isinstance(call.func, ast.Lambda):
        return _LAMBDA
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_in(node: ast.expr, code: CodeType) -> bool:
    """Whether the last thing that a code does before it gives back its value is in an expression."""
    begins, ends = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
    for line, last, column, end in list(code.co_positions())[::-1]:
        if line and last and column is not None and end is not None and (line, column) < (last, end):
            return begins <= (line, column) and (last, end) <= ends
    return code.co_firstlineno == node.lineno
