"""Which lines ran in the rounds that went well, and which in the failing one alone."""

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
        """Whether it ran in the last round alone, though there are others; and in which share of these."""
        if not self._ends:
            return {}
        since = self._ends[-1]
        steps = [step for step in self._choices.steps_of(one.statement) if step <= self._last]
        if not steps or steps[-1] <= since:
            return {"ran before only": 1.0} if steps else {}
        well = {bisect.bisect_left(self._ends, step) for step in steps if step <= since}
        if not well:
            return {"ran where it failed only": 1.0}
        return {"ran where it went well": len(well) / len(self._ends)}
