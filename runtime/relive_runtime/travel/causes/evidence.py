"""What a statement did in this run, beyond what the search for a value has seen of it."""

from __future__ import annotations

import ast
import datetime
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from relive_runtime.travel.causes.arms import head_of
from relive_runtime.travel.causes.badness import is_empty
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.idioms import fills_a_default
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.iterating import goes_through
from relive_runtime.travel.causes.sharing import Sharing
from relive_runtime.travel.causes.values import MISSING, exactly, has_contents, has_method

__all__ = ["Evidence"]

_LOOKED_AT: Final = 8
"""Of the steps of a statement, the last ones."""
_ITEMS: Final = 50
_CONTAINERS: Final = (list, dict, set, tuple, deque)


class Evidence:
    """Over one journal, up to the failing step."""

    def __init__(self, following: Following, choices: Choices, failing: int) -> None:
        self._following = following
        self._journal = following.journal
        self._choices = choices
        self._failing = failing
        self._sharing = Sharing(following, failing)

    def of(self, statement: ast.stmt) -> set[str]:
        """Names of what was seen in any of its last steps."""
        found = set[str]()
        steps = [one for one in self._choices.steps_of(statement) if one <= self._failing]
        for step in steps[-_LOOKED_AT:]:
            frame = self._journal.frame(step)
            found |= {
                *self._sharing.of(statement, frame, step),
                *self._given(statement, frame, step),
                *self._errors(statement, frame, step),
            }
            for node in head_of(statement):
                if isinstance(node, ast.Call):
                    found |= set(self._of_call(node, frame, step))
                elif isinstance(node, ast.Subscript) and self._cuts_bytes(node, frame, step):
                    found.add("cut bytes")
        return found

    def _cuts_bytes(self, node: ast.Subscript, frame: int, step: int) -> bool:
        return isinstance(node.slice, ast.Slice) and type(self._value(node.value, frame, step)) is bytes

    def changes_default(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Several calls have had one container for a parameter with a default, and the run has changed it."""
        journal, names = self._journal, fills_a_default(function)
        calls: dict[int, set[int]] = {}
        for number, entry in enumerate(journal.frames):
            if entry.code.co_name != function.name:
                continue
            if journal.source(entry.code).function(entry.code.co_firstlineno, function.name) is not function:
                continue
            for step in entry.steps[:_LOOKED_AT]:
                for value in (journal.read(step, name) for name in names):
                    if has_contents(value) and len(journal.versions(value, self._failing + 1)) > 1:
                        calls.setdefault(id(value), set()).add(number)
        return any(len(numbers) > 1 for numbers in calls.values())

    def _value(self, node: ast.expr, frame: int, step: int) -> Any:
        return self._following.value_of(node, frame, step)

    # ------------------------------------------------------------ calls

    def _of_call(self, node: ast.Call, frame: int, step: int) -> Iterator[str]:
        name = name_of(node)
        held = self._value(node.func.value, frame, step) if isinstance(node.func, ast.Attribute) else MISSING
        first = self._value(node.args[0], frame, step) if node.args else MISSING
        takes = name == "pop" and len(node.args) > 1 and issubclass(type(held), dict)
        if takes and not self._is_changed(held, frame, step):
            yield "found nothing to take out"
        if name == "len" and type(first) is str and not first.isascii():
            yield "counted letters, not bytes"
        by_key = any(one.arg == "key" for one in node.keywords)
        if name in ("max", "min", "sorted") and not by_key and _is_of_numbers(first):
            yield "ordered numbers as texts"
        if name in ("replace", "astimezone") and type(held) is datetime.datetime and held.tzinfo is not None:
            yield "from a time with a zone"
        if name == "isinstance" and type(first) is bool and _names_numbers(node):
            yield "took a flag for a number"
        if name == "float" and type(first) is str and "." in first:
            yield "made a float of a fraction"

    def _is_changed(self, held: Any, frame: int, step: int) -> bool:
        first, last = self._journal.execution(frame, step)
        return any(first <= one.step <= last for one in self._journal.versions(held, self._failing + 1)[1:])

    # ------------------------------------------------------------ errors

    def _errors(self, statement: ast.stmt, frame: int, step: int) -> Iterator[str]:
        journal = self._journal
        if isinstance(statement, ast.With | ast.AsyncWith):
            if not _suppresses(statement):
                return
            inside = range(statement.lineno + 1, (statement.end_lineno or statement.lineno) + 1)
            for later in journal.frames[frame].steps:
                if step < later < self._failing and later in journal.raised and journal.line(later) in inside:
                    yield "an error was swallowed in it"
        elif step in journal.raised and step < self._failing:
            error = journal.raised[step]
            called = (
                one for number in journal.called_in(frame, step) for one in journal.frames[number].steps
            )
            if any(journal.raised.get(one) is error for one in called):
                yield "handed an error on"

    # ------------------------------------------------------------ what it gave

    def _given(self, statement: ast.stmt, frame: int, step: int) -> Iterator[str]:
        value = self._gave(statement, frame, step)
        kind = type(value)
        if kind is float and (value != value or value % 1):
            yield "gave a fraction"
        elif kind is str:
            yield "gave a text"
            if value != value.strip() or not value.isascii():
                yield "gave a text with odd letters"
        elif kind is datetime.datetime:
            yield "gave a time without a zone" if value.tzinfo is None else "gave a time with a zone"
        elif has_method(value, "__next__"):
            if self._is_read_twice(value, step):
                yield "gave an iterator that is read twice"
        elif issubclass(kind, _CONTAINERS) and has_contents(value) and not is_empty(value):
            yield "gave a container"
        elif exactly(value, *_GAVE) and not (kind is int and value <= 0):
            yield _GAVE[kind]

    def _gave(self, statement: ast.stmt, frame: int, step: int) -> Any:
        journal = self._journal
        first, last = journal.execution(frame, step)
        if isinstance(statement, ast.Return):
            entry = journal.frames[frame]
            return entry.result if first <= entry.returned <= last else MISSING
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            return MISSING
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name):
            found = journal.bound(last, target.id)
            return journal.bound(first, target.id) if found is MISSING else found
        return self._value(statement.value, frame, step) if statement.value is not None else MISSING

    def _is_read_twice(self, value: Any, step: int) -> bool:
        """By different statements: the second one finds nothing."""
        journal, readers = self._journal, set[int]()
        for later in range(step + 1, min(self._failing + 1, len(journal))):
            plan = journal.plan(later)
            for text, node in plan.reads:
                if journal.read(later, text) is value and goes_through(self._following, node, later):
                    readers.add(id(plan.statement))
        return len(readers) > 1


_GAVE: Final[dict[type, str]] = {
    type(None): "gave None", bool: "gave a flag", int: "gave a number", bytes: "gave bytes",
}  # fmt: skip


def _suppresses(statement: ast.With | ast.AsyncWith) -> bool:
    calls = (item.context_expr for item in statement.items)
    return any(isinstance(one, ast.Call) and name_of(one) == "suppress" for one in calls)


def _names_numbers(call: ast.Call) -> bool:
    """`isinstance(value, int)` and its like, which hold for a flag."""
    names = (
        {one.id for one in ast.walk(call.args[1]) if isinstance(one, ast.Name)} if call.args[1:] else set()
    )
    return "int" in names and "bool" not in names


def _is_of_numbers(held: Any) -> bool:
    """Several texts with digits: their order is not that of the numbers."""
    if not exactly(held, list, dict, tuple, set):
        return False
    items = [one for one, _ in zip(held, range(_ITEMS), strict=False)]
    return len(items) > 1 and all(type(one) is str and any(map(str.isdigit, one)) for one in items)
