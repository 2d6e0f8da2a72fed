"""Whether the sentence about a feature is true of a statement in this run: a feature may be there by the text
alone, or by what a name stands for elsewhere."""

from __future__ import annotations

import ast

from relive_runtime.travel.causes.operations import OPERATIONS
from relive_runtime.travel.causes.running import Running

__all__ = ["Proofs"]


class Proofs:
    """Of one run."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def holds(self, feature: str, statement: ast.stmt) -> bool:
        """What nothing here asks about is true by the text."""
        of_run = OPERATIONS.get(feature)
        if of_run is not None:
            return any(of_run(self._running, run) for run in self._running.runs(statement))
        return True
