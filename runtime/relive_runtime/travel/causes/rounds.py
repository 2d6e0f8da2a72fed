"""Which lines ran in the rounds that went well."""

from __future__ import annotations

import ast
import bisect
from typing import Final

from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.slices import Candidate
from relive_runtime.travel.causes.suspects import Failing

__all__ = ["Rounds"]

_ROUNDS: Final = 200


class Rounds:
    """The steps before a failure, in rounds: each ends where the line that failed, or the condition that it
    stands under, ran. All but the last went well."""

    def __init__(self, journal: Journal, choices: Choices, failing: Failing) -> None:
        ends = choices.steps_of(failing.statement) if failing.statement is not None else []
        if isinstance(failing.statement, ast.Raise):
            around = choices.enclosing(failing.step)
            statement = journal.plan(around[0]).statement if around else None
            ends = choices.steps_of(statement) if statement is not None else []
            self._last = around[0] if around else failing.step
        else:
            self._last = failing.step
        self._ends = [step for step in ends if step < self._last][-_ROUNDS:]
        self._choices = choices

    def of(self, one: Candidate) -> dict[str, float]:
        """In which share of the rounds that went well it ran; {} if it did not, or there are none."""
        steps = self._choices.steps_of(one.statement)
        well = {
            bisect.bisect_left(self._ends, step) for step in steps if self._ends and step <= self._ends[-1]
        }
        return {"ran where it went well": len(well) / len(self._ends)} if well else {}
