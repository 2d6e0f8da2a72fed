"""The calls of a step: which frame each has run, what it has given back, what was passed to it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Final

from relive_runtime.travel.messages import Change
from relive_runtime.travel.reading import Source, argument_of
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.trail import Trail

__all__ = ["Called", "Calls", "has_default", "passed_to"]

_WRAPPERS: Final = ("wrapper", "wrapped", "inner")
_MOST: Final = 20
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Called:
    """A call in the text, the frame that it has run, and what that gave back."""

    text: str
    frame: int
    result: Change


class Calls:
    """Of one trail."""

    def __init__(self, runs: Runs, trail: Trail, source: Callable[[CodeType], Source]) -> None:
        self._runs = runs
        self._trail = trail
        self._source = source

    def called(self, call: ast.Call, frame: int, step: int, names: tuple[str, ...] = _WRAPPERS) -> int | None:
        """The frame of the application's function that the call at a step has run: of its name, or of one of
        `names`."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        trail = self._trail
        until = self._next_in(frame, step)
        found = None
        for number in range(frame + 1, len(trail.codes)):
            if trail.callers[number] != frame or trail.first[number] <= step:
                continue
            if until is not None and trail.first[number] > until:
                break
            if trail.codes[number].co_name in (name, *names):
                found = number
        return found

    def in_expression(self, node: ast.AST | None, frame: int, step: int) -> list[Called]:
        """The calls in an expression, at most 20, as far as they ran functions of the application."""
        if node is None:
            return []
        calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)][:_MOST]
        frames = [(call, self.called(call, frame, step)) for call in calls]
        found = [(call, number) for call, number in frames if number is not None]
        results = self._runs.returned([number for _, number in found])
        return [
            Called(ast.unparse(call), number, result)
            for (call, number), result in zip(found, results, strict=True)
            if result is not None
        ]

    def gave(self, text: str, frame: int, step: int) -> Called | None:
        """The one frame that ran while the step of `frame` did and has given back a value that is shown as
        `text`; None if there is none, or it may be any of several."""
        trail = self._trail
        until = self._next_in(frame, step)
        waits = bool(trail.codes[frame].co_flags & inspect.CO_COROUTINE)
        frames = [
            number
            for number in range(frame + 1, len(trail.codes))
            if trail.first[number] > step and (until is None or trail.first[number] <= until)
            if frame in (above := list(trail.ancestors(number))) or (waits and not above)
        ]
        if len(frames) > _MOST:
            return None
        results = self._runs.returned(frames)
        same = [
            Called(trail.codes[number].co_name, number, result)
            for number, result in zip(frames, results, strict=True)
            if result is not None and result.text == text
        ]
        return same[0] if len(same) == 1 else None

    def _next_in(self, frame: int, step: int) -> int | None:
        steps = self._trail.steps
        for later in range(step + 1, len(steps)):
            if self._trail.frame(later) == frame:
                return later
        return None


def passed_to(statement: ast.stmt, function: _Function, parameter: str) -> ast.expr | None:
    """What a statement passes to a parameter of a function that it calls; None: the text does not tell."""
    names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
    method = bool(names) and names[0] in ("self", "cls")
    if method and parameter == names[0]:
        for node in ast.walk(statement):  # a method that is called, or a property
            if isinstance(node, ast.Attribute) and node.attr == function.name:
                return node.value
        return None
    return argument_of(statement, function, parameter, bound=method)


def has_default(function: _Function, parameter: str) -> bool:
    """Whether a parameter may be left out."""
    names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
    with_default = names[len(names) - len(function.args.defaults) :] if function.args.defaults else []
    keyword = [
        item.arg
        for item, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if default is not None
    ]
    return parameter in (*with_default, *keyword)
