"""What can be said of a statement that may be to blame, as numbers to rate it by."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.nearness import near_misses
from relive_runtime.travel.causes.oddity import oddity
from relive_runtime.travel.causes.rounds import Rounds
from relive_runtime.travel.causes.slices import Candidate
from relive_runtime.travel.causes.smells import smells
from relive_runtime.travel.causes.suspects import Failing, Suspect
from relive_runtime.travel.causes.texts import looks
from relive_runtime.travel.causes.values import has_contents
from relive_runtime.travel.trail import NOBODY

__all__ = ["Features"]

_STEPS_LOOKED_AT: Final = 60
_MAKING: Final = frozenset(("computed", "returned", "changed", "caught"))


class Features:
    """Of the candidates of one failure."""

    def __init__(
        self, following: Following, choices: Choices, failing: Failing, found: list[Suspect]
    ) -> None:
        """`found`: what it may have stumbled over."""
        self._of_nothing = any(one.read.value is None or one.key is not None for one in found)
        self._following = following
        self._journal = following.journal
        self._choices = choices
        self._failing = failing
        self._rounds = Rounds(following.journal, choices, failing)

    def of(self, one: Candidate, nearest: float) -> dict[str, float]:
        """By name. `nearest`: the least cost of all."""
        journal = self._journal
        found = {"cost": one.cost - nearest, "is nearest": float(one.cost <= nearest + 0.11)}
        for kind in one.kinds:
            found[f"by {kind}"] = 1.0
        if one.kinds & _MAKING:
            found.pop("by passed", None)
        found |= looks(one.statement)
        found |= {f"smells: {name}": 1.0 for name in smells(one.statement, self._around(one))}
        self._of_made(one, found)
        _of_values(one.values, found)
        self._of_conditions(one, found)
        self._of_runs(one, found)
        found |= self._rounds.of(one)
        if self._changes_module_state(one):
            found["changes module state"] = 1.0
        if one.statement is self._failing.statement:
            found["fails"] = 1.0
        if journal.frame(one.step) == self._failing.frame:
            found["in the frame that failed"] = 1.0
        return found

    def _around(self, one: Candidate) -> ast.AST:
        """The function that it is in; else the module."""
        source = self._journal.source(self._journal.frames[self._journal.frame(one.step)].code)
        found = source.enclosing(one.statement.lineno, (ast.FunctionDef, ast.AsyncFunctionDef))
        return found[0] if found else source.tree

    def _value(self, frame: int, step: int) -> Callable[[ast.expr], Any]:
        return lambda node: self._following.value_of(node, frame, step)

    def _of_made(self, one: Candidate, found: dict[str, float]) -> None:
        best = 0.0
        for made in one.made:
            harmless = made.value is None and not self._of_nothing
            if made.step >= self._journal.start and not harmless:
                best = max(best, oddity(made, self._value(made.frame, made.step)))
        if one.made:
            found["oddity"] = best
            found["is very odd"] = float(best >= 4.0)

    def _of_conditions(self, one: Candidate, found: dict[str, float]) -> None:
        """How near what it decides was to the other way, in any of its steps before the failure."""
        steps = [step for step in self._choices.steps_of(one.statement) if step <= self._failing.step]
        misses = set[str]()
        for step in steps[-_STEPS_LOOKED_AT:]:
            for node in _expressions(one.statement):
                misses |= near_misses(node, self._value(self._journal.frame(step), step))
        loops = isinstance(one.statement, ast.While)
        for name in misses:
            found[f"near {name} of a loop" if loops else f"near {name}"] = 1.0
        if isinstance(one.statement, ast.If | ast.While) and not misses - {"next"}:
            found["near nothing"] = 1.0

    def _of_runs(self, one: Candidate, found: dict[str, float]) -> None:
        """Whether it is in what ran several times, and ran in few of these."""
        journal = self._journal
        steps = self._choices.steps_of(one.statement)
        frame = journal.frame(one.step)
        code = journal.frames[frame].code
        runs = [number for number, entry in enumerate(journal.frames) if entry.code is code and entry.steps]
        if len(runs) > 1 and frame == runs[-1] and {journal.frame(step) for step in steps} == {frame}:
            found["only in the last run"] = 1.0
        for choice in self._choices.enclosing(one.step)[:1]:
            around = journal.plan(choice).statement
            if around is not None and len(self._choices.steps_of(around)) > 2 * len(steps):
                found["seldom in its branch"] = 1.0

    def _changes_module_state(self, one: Candidate) -> bool:
        """What is older than the handler's first step: a global, a default of a parameter."""
        journal = self._journal
        if "changed" not in one.kinds:
            return False
        for value in one.values:
            if issubclass(type(value), (list, dict, set)) and has_contents(value):
                born = journal.born(value)
                if born is None or born == NOBODY or born < journal.start:
                    return True
        return False


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    found = [getattr(statement, name, None) for name in ("test", "value", "iter", "subject")]
    return [node for node in found if isinstance(node, ast.expr)]


def _of_values(values: list[Any], found: dict[str, float]) -> None:
    for value in values:
        if type(value) is str and (value != value.strip() or "\ufffd" in value or "\ufeff" in value):
            found["gave an odd text"] = 1.0
