"""Arming breakpoints and logpoints: whether a line of a function is one, and what is said of each."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType
from typing import Any, Final

from relive_base.errors import NotFound, UsageError
from relive_base.wire.messages import Point

from relive_platform.engine.points import ArmedPoint

__all__ = ["PointWanted", "check_point", "point_row"]

HITS: Final = 10_000
FOR_S: Final = 86_400.0
_CHARS: Final = 1_000
_ANSWER_BYTES: Final = 65_536
_FILE_BYTES: Final = 4 * 1_048_576
_AT_ONCE: Final = ("<listcomp>", "<setcomp>", "<dictcomp>", "<generic parameters of ")
"""Functions that are called where they stand."""
_QUOTES: Final = ('"' * 3, "'" * 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointWanted:
    """What somebody asks for. `text`: of a logpoint; None: a breakpoint. `answer`: JSON for the caller of
    what is held; "": a time-out."""

    function: str
    file: str
    line: int
    text: str | None = None
    condition: str = ""
    answer: str = ""
    count: int = 1
    for_s: float = 600.0

    def point(self) -> Point:
        """As workers get it, without its number."""
        return Point(
            number=0,
            file=self.file,
            line=self.line,
            text=self.text,
            condition=self.condition,
            answer=self.answer.encode(),
        )


def check_point(wanted: PointWanted, folder: Path) -> None:
    """Whether it can be armed in the code in `folder`; blocks. Raises UsageError, NotFound."""
    if not 1 <= wanted.count <= HITS:
        raise UsageError(f"{wanted.count} hits are not from 1 to {HITS:,}")
    if not math.isfinite(wanted.for_s) or not 0 < wanted.for_s <= FOR_S:
        raise UsageError(f"a point is there for at most {FOR_S:,.0f} s")
    for what, text in (("condition", wanted.condition), ("text", wanted.text or "")):
        if len(text) > _CHARS:
            raise UsageError(f"the {what} has {len(text):,} characters, {_CHARS:,} is the limit")
    _check_expressions(wanted)
    if len(wanted.answer) > _ANSWER_BYTES:
        raise UsageError(f"the answer is over {_ANSWER_BYTES:,} bytes")
    if wanted.answer:
        try:
            json.loads(wanted.answer)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the answer is not JSON: {error}") from None
    _check_line(folder, wanted.file, wanted.line)


def _check_expressions(wanted: PointWanted) -> None:
    try:
        if wanted.condition.strip():
            compile(wanted.condition.strip(), "<condition>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"the condition is no expression: {error}") from None
    if wanted.text is None:
        return
    if not wanted.text:
        raise UsageError("a logpoint says something", hint="such as 'total={total}'")
    quotes = next((one for one in _QUOTES if one not in wanted.text and not wanted.text.endswith(one[0])), "")
    try:
        compile(f"f{quotes}{wanted.text}{quotes}", "<logpoint>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(
            f"the text cannot be read as an f-string: {error}", hint="write {{ for a brace"
        ) from None


def _check_line(folder: Path, file: str, line: int) -> None:
    name = Path(file).name
    if not name:  # "", "." and "/" have none
        raise UsageError("the point names no file", hint="write FILE:LINE, such as app.py:12")
    path = folder / file
    inside = not Path(file).is_absolute() and ".." not in Path(file).parts
    if not inside or not path.is_file():
        near = sorted(str(one.relative_to(folder)) for one in folder.rglob(glob.escape(name)))[:5]
        hint = f"there is {', '.join(near)}" if near else "name it relative to the function's folder"
        raise NotFound(f"the function has no file {file}", hint=hint)
    if path.stat().st_size > _FILE_BYTES:
        raise UsageError(f"{file} is over {_FILE_BYTES:,} bytes")
    try:
        lines = set(_lines(compile(path.read_bytes(), file, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file} cannot be compiled: {error}") from None
    if line not in lines:
        near_lines = sorted(lines, key=lambda one: (abs(one - line), one))[:4]
        hint = f"the nearest that do: {', '.join(map(str, sorted(near_lines)))}" if near_lines else ""
        raise NotFound(f"line {line} of {file} does not run: it is blank, a comment, or goes on", hint=hint)


def _lines(code: CodeType, within: bool = False) -> Iterable[int]:
    """Those in functions. `within`: whether the code is itself in one. Module code, and that of its classes
    and comprehensions, has run when the worker was loaded."""
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            continue
        runs = within or bool(constant.co_flags & CO_OPTIMIZED and not constant.co_name.startswith(_AT_ONCE))
        if runs:
            found = {line for _, _, line in constant.co_lines() if line}
            yield from found - {constant.co_firstlineno} or found
        yield from _lines(constant, runs)


def point_row(function: str, version: int, armed: ArmedPoint, left_s: float) -> dict[str, Any]:
    """As `relive break --list --json` shows it."""
    point = armed.point
    return {
        "number": point.number,
        "kind": "breakpoint" if armed.breaks else "logpoint",
        "function": function,
        "version": version,
        "file": point.file,
        "line": point.line,
        "condition": point.condition,
        "text": point.text or "",
        "hits": armed.hits,
        "left": armed.left,
        "expires_s": left_s,
        "last": armed.last,
        "problem": armed.problem,
    }
