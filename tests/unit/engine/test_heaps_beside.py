"""The heap of a service that serves on: its walk ends nothing that runs, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from engine_fakes import FakeProcess, FakeRuntime, an_attempt, spec_of
from relive_base.parts import Why, missing, ok
from relive_base.wire.messages import HeapTaken, TakeHeap
from relive_platform.engine.attempt import Attempt
from relive_platform.engine.failed.heaps import HeapLimits, HeapTaker
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound

from tests.unit.engine.test_supervisor import MB, Watched, handle


class Service:
    """A service that runs two requests; the heap of the first one is wanted."""

    def __init__(self, folder: Path, held_mb: int = 20) -> None:
        self.watched = Watched()
        self.walked, self.beside = an_attempt("1", timeout_s=9.0), an_attempt("2", timeout_s=1.0)
        self.taker = HeapTaker(
            HeapLimits(beside_s=60.0), folder / "heaps", lambda: 4_000 * MB, lambda: self.watched.time.now
        )
        owner, clock = cast(Any, self.watched.owner), self.watched.time.clock
        self.worker = Worker(1, spec_of(kind="service"), owner, FakeRuntime(), 2, clock=clock)
        spec = self.worker.spec
        self.worker.spec = msgspec.structs.replace(spec, scratch=str(folder / "scratch"))
        self.watched.workers[1] = self.worker
        handle(self.worker).gets_ready(capacity=2)
        for attempt in (self.walked, self.beside):
            self.worker.run(attempt, "")
        self.process.held = held_mb * MB
        self.found: list[HeapFound] = []

    @property
    def process(self) -> FakeProcess:
        return handle(self.worker).process

    def walk(self, attempt: Attempt) -> Path:
        """Where it is told to write."""
        self.taker.take(self.worker, attempt, self.found.append, goes_on=True)
        [*_, command] = [one for one in handle(self.worker).sent if isinstance(one, TakeHeap)]
        return Path(command.folder)

    def is_done(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "heap.json").write_text("{}")
        handle(self.worker).says(HeapTaken(invocation_id="1", part=ok()))


async def test_what_runs_beside_a_walk_has_no_deadline_while_it_lasts(tmp_path: Path) -> None:
    # Given a service whose heap is walked, and another request with a limit of a second
    service = Service(tmp_path)
    folder = service.walk(service.walked)
    # When the walk takes eight, and more memory than the service may hold as a rule
    service.process.held = 90 * MB
    service.watched.look(8.0)
    # I expect nothing to be condemned, and the request to have its second after the walk
    assert service.watched.condemned == []
    service.process.held = 20 * MB
    service.is_done(folder)
    service.watched.look(1.4)
    assert service.watched.condemned == []
    service.watched.look(0.2)
    assert service.watched.condemned == [(service.beside, "timeout")]
    assert [found.folder for found in service.found] == [str(tmp_path / "heaps" / "1-1")]
    service.taker.close()


@pytest.mark.parametrize(("held_mb", "why"), [(20, None), (43, Why.WALK_OVER_SHARE)])
async def test_a_walk_that_could_take_it_over_its_memory_is_refused(
    tmp_path: Path, held_mb: int, why: object
) -> None:
    service = Service(tmp_path, held_mb)
    reason = service.taker.objection_beside(service.worker, "")
    assert (reason.code if reason is not None else None) == why


async def test_a_heap_that_comes_too_late_is_removed(tmp_path: Path) -> None:
    # Given a walk that was given up
    service = Service(tmp_path)
    folder = service.walk(service.walked)
    service.watched.time.passes(41.0)
    service.taker._look()
    assert [found.part for found in service.found] == [missing(Why.WALK_LATE)]
    # I expect no other one of that worker until it is done
    reason = service.taker.objection(service.worker, "another")
    assert reason is not None
    assert reason.code == Why.WALK_OF_ANOTHER
    # When the worker has finished all the same
    service.is_done(folder)
    # I expect its files to go, it to be let live, and the next one to be taken
    await asyncio.get_running_loop().shutdown_default_executor()
    assert not folder.exists()
    assert (service.process.done, len(service.found)) == ([], 1)
    assert service.taker.objection(service.worker, "another") is None
    service.taker.close()


async def test_two_walks_of_one_worker_are_never_under_way(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.walk(service.walked)
    reason = service.taker.objection(service.worker, "another")
    assert reason is not None
    assert reason.code == Why.WALK_OF_ANOTHER
    service.taker.close()


@pytest.mark.parametrize(("why", "counts"), [(Why.WALK_FRAMES_GONE, False), (Why.WALK_LATE, True)])
async def test_a_failure_without_frames_takes_nobodys_turn(tmp_path: Path, why: Any, counts: bool) -> None:
    # Given a service whose heap is taken once in a minute
    service = Service(tmp_path)
    service.walk(service.walked)
    # When no walk comes of it
    handle(service.worker).says(HeapTaken(invocation_id="1", part=missing(why)))
    # I expect the next failure to have its heap at once if nobody has waited for this one
    assert [found.part for found in service.found] == [missing(why)]
    reason = service.taker.objection_beside(service.worker, "another")
    assert (reason is not None and reason.code == Why.HEAP_BESIDE_LATELY) is counts
    service.taker.close()
