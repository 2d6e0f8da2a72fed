"""Which lines go through an iterator, and not only hand it on."""

from __future__ import annotations

import ast
from typing import Final

from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.statements import within
from relive_runtime.travel.causes.values import exactly

__all__ = ["ends_a_loop", "goes_through"]

_LAZY: Final = frozenset(("map", "filter", "zip", "enumerate", "iter", "islice", "chain"))


def goes_through(following: Following, node: ast.expr, step: int) -> bool:
    """Whether a step's line iterates over what an expression of it gives, or has a library do so."""
    journal = following.journal
    statement = journal.plan(step).statement
    frame = journal.frame(step)
    if isinstance(statement, ast.For | ast.AsyncFor) and statement.iter is node:
        return True
    for part in within(statement) if statement is not None else ():
        if isinstance(part, ast.comprehension) and any(one is node for one in ast.walk(part.iter)):
            return True
        if isinstance(part, ast.Call) and any(one is node for one in part.args):
            return name_of(part) not in _LAZY and following.frames.run_by(part, frame, step) is None
    return False


def ends_a_loop(journal: Journal, step: int) -> bool:
    """What came out of an iterator there is how it says that it is at its end, and no error."""
    loops = isinstance(journal.plan(step).statement, ast.For | ast.AsyncFor)
    return loops and exactly(journal.raised.get(step), StopIteration, StopAsyncIteration)
