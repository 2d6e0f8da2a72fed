"""Whether the sentence about a feature is true of a statement in this run: a feature may be there by the text
alone, or by what a name stands for elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from relive_runtime.travel.causes.identities import IDENTITIES, ONE_FOR_ALL, has_one_default, was_one_for_all
from relive_runtime.travel.causes.operations import OPERATIONS
from relive_runtime.travel.causes.running import Running
from relive_runtime.travel.causes.turns import SWALLOWED, TURNS, leaves_in_the_first_round, takes_the_place

__all__ = ["Proofs"]

_LOOKED_AT: Final = 8
"""What was seen was seen in the last ones; see `evidence.py`."""
_BY_RUN: Final = OPERATIONS | IDENTITIES | TURNS
_BY_STATEMENT: Final[dict[str, Callable[[Running, ast.stmt], bool]]] = {
    "smells: leaves in the first round": leaves_in_the_first_round,
    "way: has one default for all calls": has_one_default,
    "way: in a handler of errors": takes_the_place,
}


class Proofs:
    """Of one run."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def holds(self, feature: str, statement: ast.stmt) -> bool:
        """What nothing here asks about is true by the text."""
        of_run, of_statement = _BY_RUN.get(feature), _BY_STATEMENT.get(feature)
        if of_run is not None:
            runs = self._running.runs(statement)
            if not runs and feature == ONE_FOR_ALL:
                return was_one_for_all(self._running, statement)
            last = runs[-_LOOKED_AT:] if feature.startswith("seen: ") else runs
            return any(of_run(self._running, run) for run in last)
        return of_statement is None or of_statement(self._running, statement)

    def kinds(self, kinds: set[str], statement: ast.stmt) -> set[str]:
        """Without "caught" of a `with` that has swallowed nothing: an error only went through it."""
        passed = isinstance(statement, ast.With | ast.AsyncWith) and not self.holds(SWALLOWED, statement)
        return kinds - {"caught"} if passed else kinds
