"""What stays of a worker in which something has failed: its process, stopped, and a snapshot of its heap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from relive_base.parts import PartState, Reason, State, Why, not_applicable
from relive_base.wire.messages import BREAKPOINT, Done

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.failed.frozen import FrozenWorkers
from relive_platform.engine.failed.heaps import HeapTaker
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound

__all__ = ["NOTHING", "Aftermath", "Failures", "Stays"]


@dataclass(frozen=True, slots=True)
class Stays:
    """`kept`: the worker stays, stopped. `heap`: it walks its heap first."""

    kept: bool = False
    heap: bool = False


NOTHING: Final = Stays()


class Failures(Protocol):
    """Who keeps failed workers, and has their heaps walked: the host."""

    frozen: FrozenWorkers
    heaps: HeapTaker

    def freeze(self, worker: Worker, attempt: Attempt) -> bool: ...


class Aftermath:
    """Of the workers of one function version."""

    def __init__(self, failures: Failures, on_heap: Callable[[Attempt, Worker, HeapFound], None]) -> None:
        self.baseline_next = False  # the heap of the next invocation that succeeds is wanted
        self._failures = failures
        self._on_heap = on_heap

    def want_baseline(self) -> None:
        """Have the next invocation that succeeds leave its heap."""
        self.baseline_next = True

    def of(self, worker: Worker, attempt: Attempt, done: Done) -> Stays:
        """What stays after an attempt; its scene says why, and why not. Call it before the scene is made."""
        result = attempt.result
        goes_on = worker.serves and not worker.spec.replay
        if goes_on and result is not None and result.status != "ok":
            attempt.evidence.mark("live", not_applicable(Why.SERVES_ON))
            self._take_beside(worker, attempt)
            return NOTHING
        if result is None or worker.begun:
            return NOTHING
        if result.status == "ok":
            return Stays(heap=self.baseline_next and self._failures.heaps.objection(worker, "") is None)
        if result.reusable and done.reusable:  # none of the function's code has run, or it goes on
            live = Why.NOTHING_TO_DEBUG_ANSWERED if result.answered else Why.NOTHING_TO_DEBUG_UNRUN
            heap = Why.NO_FAILED_PROCESS_ANSWERED if result.answered else Why.NO_FAILED_PROCESS_UNRUN
            attempt.evidence.mark("live", not_applicable(live))
            attempt.evidence.mark("heap", not_applicable(heap))
            return NOTHING
        return self.of_process(worker, attempt)

    def _take_beside(self, worker: Worker, attempt: Attempt) -> None:
        """The heap of a worker that serves on, if that is wanted."""
        heaps = self._failures.heaps
        error = attempt.record.error
        reason = heaps.objection_beside(worker, error.fingerprint if error is not None else "")
        if reason is not None and reason.code == Why.NO_HEAP_SERVES_ON:
            attempt.evidence.mark("heap", not_applicable(Why.NO_HEAP_SERVES_ON))
            return
        attempt.evidence.mark("heap", PartState(State.MISSING, [reason or Reason(Why.WALK_PENDING)]))
        if reason is None:
            heaps.take(worker, attempt, lambda found: self._on_heap(attempt, worker, found), goes_on=True)

    def of_process(self, worker: Worker, attempt: Attempt) -> Stays:
        """The same, of a process that has failed and still is there."""
        kept = self._failures.freeze(worker, attempt)
        if attempt.record.error is not None and attempt.record.error.kind == BREAKPOINT:
            attempt.evidence.mark("heap", not_applicable(Why.NO_HEAP_HELD))
            return Stays(kept)
        reason = self._failures.heaps.objection(worker, worker.fingerprint)
        waits = Reason(Why.WALK_PENDING)
        attempt.evidence.mark("heap", PartState(State.MISSING, [reason or waits]))
        return Stays(kept, reason is None)

    def take_heap(self, worker: Worker, attempt: Attempt, kept: bool) -> None:
        """Have its heap walked; then it stays, stopped, if it is `kept`, or ends."""
        baseline = attempt.result is not None and attempt.result.status == "ok"
        if baseline:
            self.baseline_next = False
        if kept:
            worker.process.thaw()
        else:
            worker.retire()

        def taken(found: HeapFound) -> None:
            self._on_heap(attempt, worker, replace(found, baseline=baseline))
            if not kept:
                worker.kill()
            else:
                self._failures.frozen.stop(worker)

        self._failures.heaps.take(worker, attempt, taken)
