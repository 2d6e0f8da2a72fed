"""What a run has read, bound, changed and given back, step by step."""

from __future__ import annotations

import ast
import bisect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import CodeType
from typing import Any, Final

from relive_runtime.travel.causes.statements import Plan, Statements
from relive_runtime.travel.causes.values import (
    MISSING,
    contents,
    exactly,
    has_contents,
    kept,
    own_dict,
    parts,
    same,
    unchanged,
)
from relive_runtime.travel.trail import LINE_BITS, NOBODY

__all__ = ["COMPREHENSIONS", "MANY", "Frame", "Journal", "is_inside"]

MANY: Final = 1 << 62
COMPREHENSIONS: Final = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))
_DEPTH: Final = 5
_NEW_ITEMS: Final = 400
_LEAVING: Final = 1_000
"""Steps looked through for the `return` after which they ran."""
_LINE_MASK: Final = (1 << LINE_BITS) - 1


@dataclass(slots=True)
class Frame:
    """A call of a function. `called`: the step of its caller that called it; NOBODY: the handler, or what
    other code has called by itself. `began`: the number of its first step."""

    code: CodeType
    caller: int
    called: int
    began: int = 0
    names: dict[str, Any] = field(default_factory=dict)
    """The module's."""
    steps: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    result: Any = MISSING
    returned: int = NOBODY
    yields: list[tuple[int, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Version:
    """What was in an object since a step. `seen`: the step after which it was last seen otherwise, NOBODY
    before the first; None: it was never seen before."""

    step: int
    contents: Any
    seen: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether it was just that step which made it so."""
        return self.seen is not None and self.seen >= self.step - 1


class Journal:
    """Of one run. Steps before `start` are not in it."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.steps: list[int] = []  # frame << LINE_BITS | line
        self.frames: list[Frame] = []
        self.before: list[dict[str, Any]] = []  # by step: what its line was about to read
        self.after: list[dict[str, Any]] = []  # by step: the names it bound
        self.raised: dict[int, BaseException] = {}  # by step: what came out of its line
        self.rounds: dict[int, int] = {}
        """By step in a comprehension that has no frame: where its statement began."""
        self.history: dict[int, list[Version]] = {}  # by identity
        self.threads = MANY
        """The step from which on there were other threads."""
        self.first_locals: dict[str, Any] = {}
        self.first_globals: dict[int, dict[str, Any]] = {}  # by identity of a module's names
        self._seen: dict[int, int] = {}  # by identity: after which step it was looked at last
        self._objects: dict[int, Any] = {}  # they live as long as their identities are used
        self._sources: dict[str, Statements] = {}

    def __len__(self) -> int:
        return self.start + len(self.steps)

    # ------------------------------------------------------------ places

    def frame(self, step: int) -> int:
        """The number of its frame."""
        return self.steps[step - self.start] >> LINE_BITS

    def line(self, step: int) -> int:
        """Its line, from 1."""
        return self.steps[step - self.start] & _LINE_MASK

    def place(self, step: int) -> tuple[int, int]:
        """Its frame, and where the comprehension began that it is in: a frame of its own in Python 3.11, and
        taken for one later, too. NOBODY: in none."""
        return self.frame(step), self.rounds.get(step, NOBODY)

    def source(self, code: CodeType) -> Statements:
        """The file of a code."""
        found = self._sources.get(code.co_filename)
        if found is None:
            import linecache

            text = "".join(linecache.getlines(code.co_filename))
            found = self._sources[code.co_filename] = Statements(text)
        return found

    def text(self, code: CodeType, line: int) -> str:
        """A line of the file of a code, without the blanks around it."""
        import linecache

        return linecache.getline(code.co_filename, line).strip()

    def plan(self, step: int) -> Plan:
        """What its line reads and binds."""
        return self.source(self.frames[self.frame(step)].code).plan(self.line(step))

    def steps_before(self, frame: int, step: int) -> Iterator[int]:
        """A frame's, the newest first."""
        steps = self.frames[frame].steps
        for index in range(bisect.bisect_left(steps, step) - 1, -1, -1):
            yield steps[index]

    def next_in(self, frame: int, step: int) -> int:
        """The frame's next step in another statement, or in the next run of it; the number of all if there
        is none."""
        steps = self.frames[frame].steps
        index = bisect.bisect_right(steps, self.execution(frame, step)[1])
        return steps[index] if index < len(steps) else len(self)

    def read(self, step: int, text: str) -> Any:
        """What an expression of its line was before it ran."""
        return self.before[step - self.start].get(text, MISSING) if step >= self.start else MISSING

    def bound(self, step: int, name: str) -> Any:
        """What a name was after it."""
        return self.after[step - self.start].get(name, MISSING) if step >= self.start else MISSING

    def ancestors(self, frame: int) -> Iterator[int]:
        """Its caller, that one's caller, and so on."""
        while (frame := self.frames[frame].caller) != NOBODY:
            yield frame

    # ------------------------------------------------------------ objects

    def look_at(self, value: Any, born: int, step: int) -> None:
        """Note what is in an object, if that is not known yet; `born`: the step that has made it, if it is
        seen for the first time; `step`: the one that has changed it, if it is another than before."""
        if not has_contents(value):
            return
        if issubclass(type(value), (list, dict, set)) and not exactly(value, list, dict, set):
            self.look_at(own_dict(value), born, step)
        history = self.history.get(id(value))
        now = contents(value)
        if history is None:
            self._enter(value, now, born)
        elif not unchanged(history[-1].contents, now):
            history.append(Version(step, now, self._seen.get(id(value))))
            self._enter_parts(now, step, 0, [_NEW_ITEMS])
        self._seen[id(value)] = step

    def look_at_first(self, names: Mapping[str, Any], modules: list[dict[str, Any]]) -> None:
        """Before the first step: what is there then, in the first frame and in the application's modules, was
        there before the handler began."""
        self.first_locals = dict(names)
        self.first_globals = {id(module): dict(module) for module in modules}
        for module in (self.first_locals, *self.first_globals.values()):
            for name, value in module.items():
                if type(name) is str and not name.startswith("__"):
                    self.look_at(value, NOBODY, NOBODY)
        for versions in self.history.values():
            versions[0].seen = NOBODY

    def _enter(self, value: Any, now: Any, step: int) -> None:
        self._objects[id(value)] = value
        self.history[id(value)] = [Version(step, now)]
        self._enter_parts(now, step, 0, [_NEW_ITEMS])

    def _enter_parts(self, now: Any, step: int, depth: int, left: list[int]) -> None:
        if depth >= _DEPTH:
            return
        for key, value in parts(now):
            for one in (key, value):
                if has_contents(one) and id(one) not in self.history and left[0] > 0:
                    left[0] -= 1
                    inner = contents(one)
                    self._objects[id(one)] = one
                    self.history[id(one)] = [Version(step, inner)]
                    self._enter_parts(inner, step, depth + 1, left)

    def version(self, value: Any, step: int) -> Any:
        """What was in an object before a step; MISSING: not known."""
        found = MISSING
        for one in self.history.get(id(value), ()):
            if one.step >= step:
                break
            found = one.contents
        return found

    def versions(self, value: Any, step: int) -> list[Version]:
        """The contents it has had before a step, oldest first."""
        return [one for one in self.history.get(id(value), ()) if one.step < step]

    def born(self, value: Any) -> int | None:
        """The step at which it was first there; NOBODY: before the handler's first; None: not known."""
        history = self.history.get(id(value))
        return history[0].step if history else None

    def part(self, value: Any, key: Any, step: int) -> Any:
        """Of an object as it was before a step."""
        found = self.version(value, step)
        if found is MISSING:
            return MISSING
        return next((part for name, part in parts(found) if same(name, key) or name is key), MISSING)

    def as_it_was(self, value: Any, step: int, depth: int = 3) -> Any:
        """A plain container with what was in it before a step, to be shown; other objects themselves."""
        kind = type(value)
        found = self.version(value, step) if depth and exactly(value, list, dict, tuple, set) else MISSING
        if found is MISSING:
            return value
        if kind is dict or kind is set:
            return _Written(
                kind is dict, [(key, self.as_it_was(part, step, depth - 1)) for key, part in parts(found)]
            )
        return kind(self.as_it_was(part, step, depth - 1) for part in found)

    # ------------------------------------------------------------ calls

    def called_in(self, frame: int, step: int) -> list[int]:
        """The frames that a step has called itself, also from within its comprehensions and lambdas."""
        found = list[int]()
        first, last = self.execution(frame, step)
        if self.frames[frame].code.co_name in COMPREHENSIONS:  # its steps are one line's, again and again
            first = NOBODY
        children = self.frames[frame].children  # in the order in which they were called
        at = bisect.bisect_left(children, first, key=lambda number: self.frames[number].called)
        for number in islice(children, at, None):
            child = self.frames[number]
            if child.called > last:
                break
            found.append(number)
            if child.code.co_name.startswith("<") and child.steps:
                found += self.called_in(number, child.steps[-1])
        return found

    def execution(self, frame: int, step: int) -> tuple[int, int]:
        """The first and the last step of one run of a step's statement: each line of a long one is a step,
        and since 3.12, so is each round of a comprehension."""
        if step < self.start:
            return step, step
        plan = self.plan(step)
        goes_round = plan.inlined and sys.version_info >= (3, 12)
        if not plan.is_long and not goes_round:
            return step, step
        steps = self.frames[frame].steps
        first = last = bisect.bisect_left(steps, step)
        if steps[first : first + 1] != [step]:  # it is one of another frame
            return step, step
        while first > 0 and self._is_of(steps[first - 1], plan):
            first -= 1
        while last + 1 < len(steps) and self._is_of(steps[last + 1], plan):
            last += 1
        return steps[first], steps[last]

    def _is_of(self, step: int, plan: Plan) -> bool:
        return step >= self.start and self.plan(step).statement is plan.statement

    def returning(self, frame: int) -> int:
        """The step whose `return` made what a frame has given back. A `finally` and the end of a `with` run
        after that, and before the frame is left."""
        entry = self.frames[frame]
        if entry.returned < self.start or isinstance(self.plan(entry.returned).statement, ast.Return):
            return entry.returned
        lines = set[int]()
        for step in islice(self.steps_before(frame, entry.returned + 1), _LEAVING):
            statement = self.plan(step).statement
            if isinstance(statement, ast.Return):
                exits = self.source(entry.code).exits(statement)
                leaves = step not in self.raised and all(any(one in part for part in exits) for one in lines)
                return step if leaves else entry.returned
            lines.add(self.line(step))
        return entry.returned

    def ending(self, frame: int) -> int:
        """The last step of a frame that has come to its end without a `return`, before a `finally`."""
        entry = self.frames[frame]
        if entry.returned < self.start or isinstance(self.plan(entry.returned).statement, ast.Return):
            return entry.returned
        finals = self.source(entry.code).finals(self.line(entry.returned))
        steps = islice(self.steps_before(frame, entry.returned + 1), _LEAVING) if finals else ()
        before = (step for step in steps if not any(self.line(step) in lines for lines in finals))
        return next(before, entry.returned)

    def outcome(self, frame: int) -> Any:
        """What it has given back."""
        return self.frames[frame].result


class _Written:
    """What was in a dict or a set, to be shown: to put keys into a new one would hash and compare them."""

    def __init__(self, has_values: bool, found: list[tuple[Any, Any]]) -> None:
        self._has_values = has_values
        self._found = found

    def __repr__(self) -> str:
        if not self._found and not self._has_values:
            return "set()"
        return (
            "{"
            + ", ".join(f"{key!r}: {part!r}" if self._has_values else repr(key) for key, part in self._found)
            + "}"
        )


def is_inside(code: CodeType) -> bool:
    """Whether it is of a comprehension or of a lambda: what is in these is read by their own names there."""
    return code.co_name in COMPREHENSIONS or code.co_name == "<lambda>"


def remembered(values: dict[str, Any], text: str, value: Any) -> None:
    """Put a value under its expression, unless there is none."""
    if value is not MISSING:
        values[text] = kept(value)
