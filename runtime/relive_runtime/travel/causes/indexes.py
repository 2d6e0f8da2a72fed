"""Steps of a journal by what they do, so that they need not be looked for one by one."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Iterator

from relive_runtime.travel.causes.arms import NOTHING, Effects, arms, effects, lines_of
from relive_runtime.travel.causes.idioms import fills_a_default
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.values import MISSING

__all__ = ["Choices"]


class Choices:
    """The steps at which a run could have gone another way, and what it would have done there."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._steps: dict[int, list[int]] = {}  # by identity of the statement
        self._by_frame: dict[int, list[int]] = {}
        self._statements: dict[int, ast.stmt] = {}
        self._effects: dict[tuple[int, int], Effects] = {}
        self._all: list[int] = []
        self._around: dict[tuple[int, int], list[ast.stmt]] = {}
        for step in range(journal.start, len(journal)):
            statement = journal.plan(step).statement
            if statement is None:
                continue
            self._steps.setdefault(id(statement), []).append(step)
            self._statements[id(statement)] = statement
            if arms(statement):
                self._all.append(step)
                self._by_frame.setdefault(journal.frame(step), []).append(step)

    def steps_of(self, statement: ast.stmt) -> list[int]:
        """All at which it ran, in order."""
        return self._steps.get(id(statement), [])

    def last_steps(self, until: int) -> list[tuple[int, ast.stmt]]:
        """The last step of each statement that ran before a step, the newest first."""
        found = list[tuple[int, ast.stmt]]()
        for key, statement in self._statements.items():
            steps = self._steps[key]
            index = bisect.bisect_left(steps, until) - 1
            if index >= 0:
                found.append((steps[index], statement))
        return sorted(found, key=lambda pair: -pair[0])

    def definitions(self, until: int) -> list[tuple[int, ast.stmt]]:
        """Statements that ran before the first step and that the run has used, each with its first step that
        did: a function with a container as a default, an attribute of a class, a name of the module."""
        journal = self._journal
        found: dict[int, tuple[int, ast.stmt]] = {}
        known: dict[int, dict[str, ast.stmt]] = {}
        for entry in journal.frames:
            source = journal.source(entry.code)
            if not entry.steps or entry.steps[0] > until:
                continue
            function = source.function(entry.code.co_firstlineno, entry.code.co_name)
            if function is not None and fills_a_default(function):
                found.setdefault(id(function), (entry.steps[0], function))
            names = known.get(id(source))
            if names is None:
                names = known[id(source)] = source.definitions()
            local = (*entry.code.co_varnames, *entry.code.co_cellvars, *entry.code.co_freevars)
            for name in entry.code.co_names:
                statement = names.get(name)
                if statement is not None and name not in local:
                    found.setdefault(id(statement), (entry.steps[0], statement))
        return list(found.values())

    def within(self, frame: int, since: int, until: int) -> Iterator[int]:
        """The choices of a frame after `since` and before `until`, the newest first."""
        steps = self._by_frame.get(frame, [])
        for index in range(bisect.bisect_left(steps, until) - 1, -1, -1):
            if steps[index] <= since:
                break
            yield steps[index]

    def between(self, since: int, until: int) -> Iterator[int]:
        """Those of all frames, the newest first."""
        for index in range(bisect.bisect_left(self._all, until) - 1, -1, -1):
            if self._all[index] <= since:
                break
            yield self._all[index]

    def taken(self, step: int) -> int | None:
        """The number of the arm that ran then; None: not known, or none."""
        journal = self._journal
        statement, frame = journal.plan(step).statement, journal.frame(step)
        following = journal.next_in(frame, step)
        if step in journal.raised:
            return None
        blocks = arms(statement)
        if following < len(journal):
            line = journal.line(following)
            for number, block in enumerate(blocks):
                if line in lines_of(block) and block[0].lineno != journal.line(step):
                    return number
        if blocks and blocks[0] and blocks[0][0].lineno == journal.line(step):
            return None
        return 1 if not isinstance(statement, ast.Match) else None

    def not_taken(self, step: int) -> Effects:
        """What the other arms would have done."""
        statement, number = self._journal.plan(step).statement, self.taken(step)
        if statement is None or number is None:
            return NOTHING
        key = id(statement), number
        found = self._effects.get(key)
        if found is None:
            blocks = arms(statement)
            others = [one for index, block in enumerate(blocks) if index != number for one in block]
            found = self._effects[key] = effects(others)
        return found

    def enclosing(self, step: int) -> list[int]:
        """The choices that a step is in an arm of, the innermost first, as they were made for it."""
        journal = self._journal
        frame, line = journal.frame(step), journal.line(step)
        source = journal.source(journal.frames[frame].code)
        found = list[int]()
        around = self._around.get((id(source), line))
        if around is None:
            kinds = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.Match)
            around = self._around[id(source), line] = source.enclosing(line, kinds)
        for statement in around:
            if statement is journal.plan(step).statement:
                continue
            steps = self.steps_of(statement)
            for index in range(bisect.bisect_left(steps, step) - 1, -1, -1):
                if journal.frame(steps[index]) == frame:
                    found.append(steps[index])
                    break
        return found

    def nearby(self, frame: int, step: int, text: str) -> object:
        """What a name or attribute was around a step of a frame, by what its lines have read; MISSING: none
        did."""
        journal = self._journal
        steps = journal.frames[frame].steps
        index = bisect.bisect_left(steps, step)
        for one in (*reversed(steps[max(index - 40, 0) : index + 1]), *steps[index + 1 : index + 40]):
            found = journal.read(one, text)
            if found is MISSING:
                found = journal.bound(one, text)
            if found is not MISSING:
                return found
        return MISSING
