"""Arming breakpoints and logpoints: whether a line of a function is one, and what is said of each."""

from __future__ import annotations

import glob
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from relive_base.errors import NotFound, UsageError
from relive_base.wire.messages import Point, Statement

from relive_platform.engine.points import ArmedPoint
from relive_platform.engine.statements import Statements

__all__ = ["PointWanted", "check_point", "point_row"]

HITS: Final = 10_000
FOR_S: Final = 86_400.0
_CHARS: Final = 1_000
_ANSWER_BYTES: Final = 65_536
_FILE_BYTES: Final = 4 * 1_048_576
_QUOTES: Final = ('"' * 3, "'" * 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointWanted:
    """What somebody asks for. `text`: of a logpoint; None: a breakpoint. `answer`: JSON for the caller of
    what is held; "": a time-out. `statement`: what is at that line; see `check_point`."""

    function: str
    file: str
    line: int
    text: str | None = None
    condition: str = ""
    answer: str = ""
    count: int = 1
    for_s: float = 600.0
    statement: Statement | None = None

    def point(self) -> Point:
        """As workers get it, without its number."""
        return Point(
            number=0,
            file=self.file,
            line=self.line,
            text=self.text,
            condition=self.condition,
            answer=self.answer.encode(),
            statement=self.statement,
        )


def check_point(wanted: PointWanted, folder: Path) -> PointWanted:
    """Whether it can be armed in the code in `folder`; blocks. Gives it with its statement, and the line at
    which that begins. Raises UsageError, NotFound."""
    if not 1 <= wanted.count <= HITS:
        raise UsageError(f"{wanted.count} hits are not from 1 to {HITS:,}")
    if not math.isfinite(wanted.for_s) or not 0 < wanted.for_s <= FOR_S:
        raise UsageError(
            f"a point is there for more than 0 s and at most {FOR_S:,.0f} s, not {wanted.for_s:g} s",
            hint="such as 30s, 10m or 1d",
        )
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
    statement, line = _statement_at(folder, wanted.file, wanted.line)
    return replace(wanted, statement=statement, line=line)


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


def _statement_at(folder: Path, file: str, line: int) -> tuple[Statement, int]:
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
        statements = Statements(path.read_bytes(), file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file} cannot be compiled: {error}") from None
    found = statements.at(line)
    if found is None:
        near_lines = sorted(statements.lines(), key=lambda one: (abs(one - line), one))[:4]
        hint = f"the nearest that do: {', '.join(map(str, sorted(near_lines)))}" if near_lines else ""
        raise NotFound(
            f"line {line} of {file} does not run in invocations: it is blank, a comment, or module code",
            hint=hint,
        )
    return found


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
