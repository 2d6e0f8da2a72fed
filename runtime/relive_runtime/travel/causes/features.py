"""What can be said of a statement that may be to blame, as numbers to rate it by."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from relive_runtime.travel.causes.evidence import Evidence
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.idioms import idioms
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.nearness import near_misses
from relive_runtime.travel.causes.oddity import oddity
from relive_runtime.travel.causes.rounds import Rounds
from relive_runtime.travel.causes.slices import Candidate
from relive_runtime.travel.causes.smells import smells
from relive_runtime.travel.causes.surroundings import Surroundings
from relive_runtime.travel.causes.suspects import Failing, Suspect
from relive_runtime.travel.causes.texts import looks

__all__ = ["Features"]

_STEPS_LOOKED_AT: Final = 60
_VERY_ODD: Final = 4.0
"""See `oddity.py`."""
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
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
        self._known: dict[int, Surroundings] = {}  # by identity of the function
        self._evidence = Evidence(following, choices, failing.step)

    def of(self, one: Candidate, nearest: float) -> dict[str, float]:
        """By name. `nearest`: the least cost of all."""
        statement, around = one.statement, self._function(one)
        found = {f"by {kind}": 1.0 for kind in one.kinds}
        if one.kinds & _MAKING:
            found.pop("by passed", None)
        found |= looks(statement)
        found |= {f"smells: {name}": 1.0 for name in smells(statement, around)}
        found |= {
            f"way: {name}": 1.0 for name in idioms(statement) | self._surroundings(around).of(statement)
        }
        found |= {f"seen: {name}": 1.0 for name in self._evidence.of(statement)}
        found |= self._rounds.of(one)
        self._of_conditions(one, found)
        for name, holds in (
            ("is nearest", one.cost <= nearest + 0.11),
            ("is very odd", self._is_odd(one)),
            ("only in the last run", self._is_of_last_run(one)),
            ("fails", statement is self._failing.statement),
            (
                "in the frame that failed",
                self._journal.place(one.step) == self._journal.place(self._failing.step),
            ),
        ):
            if holds:
                found[name] = 1.0
        if isinstance(statement, _FUNCTIONS) and not self._evidence.changes_default(statement):
            found.pop("way: has one default for all calls", None)
        return found

    def _function(self, one: Candidate) -> ast.AST:
        """The function that it is in; else the module."""
        source = self._journal.source(self._journal.frames[self._journal.frame(one.step)].code)
        found = source.enclosing(one.statement.lineno, (ast.FunctionDef, ast.AsyncFunctionDef))
        return found[0] if found else source.tree

    def _surroundings(self, around: ast.AST) -> Surroundings:
        known = self._known.get(id(around))
        if known is None:
            known = self._known[id(around)] = Surroundings(around)
        return known

    def _value(self, frame: int, step: int) -> Callable[[ast.expr], Any]:
        return lambda node: self._following.value_of(node, frame, step)

    def _is_odd(self, one: Candidate) -> bool:
        for made in one.made:
            harmless = made.step < self._journal.start or (made.value is None and not self._of_nothing)
            if not harmless and oddity(made, self._value(made.frame, made.step)) >= _VERY_ODD:
                return True
        return False

    def _of_conditions(self, one: Candidate, found: dict[str, float]) -> None:
        """How near what it decides was to the other way, in any of its steps before the failure."""
        steps = [step for step in self._choices.steps_of(one.statement) if step <= self._failing.step]
        misses = set[str]()
        for step in steps[-_STEPS_LOOKED_AT:]:
            for node in _expressions(one.statement):
                misses |= near_misses(node, self._value(self._journal.frame(step), step))
        found |= {f"near {name}": 1.0 for name in misses & {"falsy", "types"}}
        if isinstance(one.statement, ast.If | ast.While) and not misses - {"next"}:
            found["near nothing"] = 1.0

    def _is_of_last_run(self, one: Candidate) -> bool:
        """It is in what ran several times, and ran in the last one alone."""
        journal = self._journal
        frame = journal.frame(one.step)
        code = journal.frames[frame].code
        runs = [number for number, entry in enumerate(journal.frames) if entry.code is code and entry.steps]
        ran_in = {journal.frame(step) for step in self._choices.steps_of(one.statement)}
        return len(runs) > 1 and frame == runs[-1] and ran_in == {frame}


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    found = [getattr(statement, name, None) for name in ("test", "value", "iter", "subject")]
    return [node for node in found if isinstance(node, ast.expr)]
