"""Which of the attempts that run or wait somebody wants to end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from relive_base.errors import UsageError

from relive_platform.engine.attempt import AHEAD, RUNNING, Attempt
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.workers.worker import Worker

__all__ = ["Cancelled", "InFlight", "find", "in_flight"]

_LAST: Final = "last"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What was ended. `state`: it was "running", or "waiting" for a worker."""

    invocation_id: str
    function: str
    state: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """An attempt without an outcome yet. `worker` None: it waits for one."""

    pool: FunctionPool
    worker: Worker | None
    attempt: Attempt


def in_flight(pools: Iterable[FunctionPool]) -> Iterator[InFlight]:
    """All that run or wait. What a worker has answered already has ended."""
    for pool in pools:
        for worker in pool.workers:
            for attempt in worker.attempts.values():
                if attempt.state in (AHEAD, RUNNING):
                    yield InFlight(pool, worker, attempt)
        for attempt in pool.waiting:
            yield InFlight(pool, None, attempt)


def find(known: Iterable[InFlight], ident: str) -> InFlight | None:
    """The one that `ident` means: an invocation's id or its beginning, an event's id, a function's name (its
    newest) or "last". Raises UsageError if it may mean several."""
    meant = [one for one in known if _means(one.attempt, ident)]
    if ident == _LAST or any(one.attempt.record.function == ident for one in meant):
        return max(meant, key=lambda one: one.attempt.record.accepted_ns, default=None)
    idents = sorted({one.attempt.record.invocation_id for one in meant})
    if len(idents) > 1:
        raise UsageError(f"{ident!r} may mean {idents[0]} and {idents[1]}", hint="give more of the id")
    return meant[0] if meant else None


def _means(attempt: Attempt, ident: str) -> bool:
    record = attempt.record
    if ident == _LAST:
        return record.trigger not in ("timer", "call")
    return ident in (record.function, record.event_id) or record.invocation_id.startswith(ident.lower())
