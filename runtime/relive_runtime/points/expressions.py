"""Conditions and texts of points: compiled once, evaluated in the frames that pass."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any, Final

from relive_base.frame_locals import locals_of
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_capture.record.inspection import type_name
from relive_tracer.record import of_signal_handler

from relive_runtime.debugger.scopes import has_scopes
from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["Condition", "LogText"]

TEXT_CHARS: Final = 2_000
_QUOTES: Final = ('"' * 3, "'" * 3)
_BINDING: Final = frozenset({"STORE_NAME", "STORE_GLOBAL"})
"""The second in comprehensions, which are no scopes of their own from Python 3.12 on."""


class _Expression:
    """Compiled code, and what it needs of a frame."""

    __slots__ = ("_binds", "_code", "_scopes")

    def __init__(self, code: CodeType) -> None:
        self._code = code
        self._scopes = has_scopes(code)
        self._binds = any(
            one.opname in _BINDING for part in _codes(code) for one in dis.get_instructions(part)
        )

    def value(self, frame: FrameType) -> Any:
        """What it gives there. Raises whatever its code does."""
        names: Any = locals_of(frame)
        if self._binds:  # what an expression binds is not the function's, nor its module's
            return eval(self._code, {**frame.f_globals, **names})
        if self._scopes:  # which look names up as globals
            return eval(self._code, {**frame.f_globals, **names}, dict(names))
        return eval(self._code, frame.f_globals, names)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """It, and those in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _said(error: BaseException) -> str:
    try:
        text = str(error)[:200]
    except Exception:
        text = ""
    name = type_name(type(error))
    return f"{name}: {text}" if text else name


class Condition:
    """`text` "": always. Raises SyntaxError."""

    def __init__(self, text: str) -> None:
        code = compile(text.strip(), "<condition>", "eval") if text.strip() else None
        self._expression = _Expression(code) if code is not None else None

    def holds(self, frame: FrameType) -> tuple[bool, str]:
        """(whether it does, what it has raised). What a signal handler raises meanwhile goes on."""
        if self._expression is None:
            return True, ""
        try:
            return bool(self._expression.value(frame)), ""
        except HandlerTimeout:
            raise
        except BaseException as error:
            if of_signal_handler(error):
                raise
            return False, _said(error)


class LogText:
    """An f-string without its quotes. Raises SyntaxError. `keys`: further names that are secret."""

    def __init__(self, text: str, keys: Iterable[str] = ()) -> None:
        quotes = next((one for one in _QUOTES if one not in text and not text.endswith(one[0])), "")
        tree = ast.parse(f"f{quotes}{text}{quotes}", "<logpoint>", "eval").body
        if not quotes or not isinstance(tree, ast.JoinedStr):
            raise SyntaxError("it has, or ends with, all kinds of quotes")
        redactor = Redactor(keys)
        self._parts = [_part(part, redactor) for part in tree.values]

    def of(self, frame: FrameType) -> str:
        """What it says there. An expression that raises is what it has raised."""
        said: list[str] = []
        room = TEXT_CHARS
        for part in self._parts:
            text = part if isinstance(part, str) else part.shown(frame)
            said.append(text[:room])
            room -= len(text)
            if room < 0:
                return "".join(said)[:-1] + "…"
        return "".join(said)


class _Part:
    """An expression of a text. What has a secret name is redacted as a local of that name is in a scene."""

    def __init__(self, node: ast.expr, redactor: Redactor) -> None:
        alone = ast.fix_missing_locations(ast.Expression(ast.JoinedStr([node])))
        self._expression = _Expression(compile(alone, "<logpoint>", "eval"))
        names = _names(node.value) if isinstance(node, ast.FormattedValue) else ()
        self._name = next((name for name in names if redactor.secret_key(name)), "")
        self._redactor = redactor

    def shown(self, frame: FrameType) -> str:
        text = _shown(self._expression, frame)
        if not self._name:
            return text
        value = _plain(text)
        return PLACEHOLDER if self._redactor.is_secret(self._name, value) else text


def _part(node: ast.expr, redactor: Redactor) -> _Part | str:
    return str(node.value) if isinstance(node, ast.Constant) else _Part(node, redactor)


def _names(node: ast.expr) -> Iterator[str]:
    """What a value goes under: `password` in `password`, `user.password`, `user["password"]`,
    `user.get("password")`, and in what is a part of it or made of it, as `password[:4].upper()`."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            yield node.slice.value
        else:
            yield from _names(node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
            yield node.args[0].value
        yield from _names(node.func.value)
    elif isinstance(node, ast.NamedExpr | ast.Await):
        yield from _names(node.value)


def _plain(text: str) -> object:
    """The value of which that is the text, if it is a plain one: a missing or an empty one is no secret."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _shown(expression: _Expression, frame: FrameType) -> str:
    try:
        return str.__str__(expression.value(frame))
    except HandlerTimeout:
        raise
    except BaseException as error:
        if of_signal_handler(error):
            raise
        return f"({_said(error)})"
