"""Requests that look: stacks, names, values, text. Each gives the body of its response."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from relive_base.wire.inspection import (
    PAGE,
    Answer,
    Ask,
    Children,
    ErrorAt,
    Errors,
    Evaluate,
    FrameAt,
    FrameList,
    Frames,
    Problem,
    Raised,
    ScopeList,
    Scopes,
    StackList,
    Stacks,
    Value,
    Values,
)

from relive.dap.requests import Bad, Given
from relive.dap.sources import Sources

__all__ = ["Looking"]

A = TypeVar("A", bound=Answer)


class Looking:
    """At one target. `first_line`, `first_column`: what the client counts from."""

    def __init__(
        self, ask: Callable[[Ask], Answer], root: Path | None, *, first_line: int = 1, first_column: int = 1
    ) -> None:
        self._ask = ask
        self._line = first_line - 1
        self._column = first_column
        self.sources = Sources(ask, root)

    def asked(self, asked: Ask, kind: type[A]) -> A:
        """An answer of its kind. Raises Bad."""
        found = self._ask(asked)
        if isinstance(found, Problem):
            raise Bad(found.message)
        if not isinstance(found, kind):
            raise Bad("the answer of the process is not one to this question")
        return found

    def threads(self, given: Given) -> dict[str, Any]:
        """The failure's own stack, and those of what it was raised from and of threads."""
        found = self.asked(Stacks(), StackList)
        names = [_cut(name, 200) for name in found.names] or ["no frames of Python code"]
        order = sorted(range(len(names)), key=lambda number: number != found.shown)
        return {"threads": [{"id": number + 1, "name": names[number]} for number in order]}

    def stack(self, given: Given) -> dict[str, Any]:
        number = given.number("threadId") - 1
        found = self.asked(
            Frames(max(number, 0), given.number("startFrame", 0), given.number("levels", 0)), FrameList
        )
        return {"stackFrames": [self._frame(frame) for frame in found.frames], "totalFrames": found.total}

    def _frame(self, frame: FrameAt) -> dict[str, Any]:
        return {
            "id": frame.number,
            "name": frame.function,
            "line": frame.line + self._line,
            "column": self._column,
            "source": self.sources.of(frame),
            "presentationHint": "normal" if frame.own else "subtle",
        }

    def scopes(self, given: Given) -> dict[str, Any]:
        found = self.asked(Scopes(given.number("frameId")), ScopeList)
        hints = {"Locals": "locals"}
        return {
            "scopes": [
                {
                    "name": scope.name,
                    "variablesReference": scope.reference,
                    "namedVariables": scope.named,
                    "expensive": scope.costly,
                    **({"presentationHint": hints[scope.name]} if scope.name in hints else {}),
                }
                for scope in found.scopes
            ]
        }

    def variables(self, given: Given) -> dict[str, Any]:
        which = given.text("filter")
        start, count = given.number("start", 0), given.number("count", 0)
        reference = given.number("variablesReference")
        found = self.asked(Children(reference, which, start, count), Values)
        rows = [_variable(value) for value in found.values]
        while count > len(rows) and len(found.values) == PAGE:  # more than one answer holds
            found = self.asked(Children(reference, which, start + len(rows), count - len(rows)), Values)
            rows += [_variable(value) for value in found.values]
            if len(rows) >= _MOST_ROWS:
                break
        if found.cut is not None:
            left = f"{found.cut.more:,} more ({found.cut.why})"
            rows.append({"name": "…", "value": left, "variablesReference": 0})
        return {"variables": rows}

    def evaluate(self, frame: int, text: str, *, whole: bool) -> dict[str, Any] | Problem:
        """The value of an expression, or what is wrong with it."""
        found = self._ask(Evaluate(frame, text, whole))
        if isinstance(found, Problem):
            return found
        if not isinstance(found, Values) or not found.values:
            raise Bad("the answer of the process is not one to this question")
        row = _variable(found.values[0])
        row.pop("name")
        row["result"] = row.pop("value")
        return row

    def source(self, given: Given) -> dict[str, Any]:
        reference = given.object("source").get("sourceReference") or given.number("sourceReference", 0)
        text = self.sources.by_reference(reference) if isinstance(reference, int) else None
        if text is None:
            raise Bad("no text of this file is there")
        return {"content": text, "mimeType": "text/x-python"}

    def exception(self, given: Given) -> dict[str, Any]:
        errors = self.asked(Raised(max(given.number("threadId", 1) - 1, 0)), Errors).errors
        if not errors:
            raise Bad("no exception was raised here: the code was stopped")
        first = errors[0]
        return {
            "exceptionId": first.type,
            "description": f"{first.type}: {first.message}" if first.message else first.type,
            "breakMode": "always",
            "details": _details(errors),
        }


_MOST_ROWS: Final = 20_000


def _variable(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": value.name,
        "value": value.text,
        "type": value.type,
        "variablesReference": value.reference,
    }
    if value.reference and value.named:
        found["namedVariables"] = value.named
    if value.reference and value.indexed:
        found["indexedVariables"] = value.indexed
    if value.path:
        found["evaluateName"] = value.path
    return found


def _details(errors: list[ErrorAt]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for error in reversed(errors):
        inner = [found] if found else []
        found = {
            "message": error.message,
            "typeName": error.type.rpartition(".")[2],
            "fullTypeName": error.type,
            "stackTrace": error.traceback,
            **({"innerException": inner} if inner else {}),
        }
    return found


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
