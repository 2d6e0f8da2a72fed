"""What has failed in a service stays for the heap that the server may want of it, and no longer."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from relive_base.parts import Why
from relive_base.wire.messages import FunctionSpec, HeapTaken, TakeHeap
from relive_runtime.worker.beside import deadlines, telling
from relive_runtime.worker.beside.deadlines import BesideDeadlines
from relive_runtime.worker.beside.telling import Telling
from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.main import _Worker

SPEC = FunctionSpec(name="f", version=1, handler="m:f")
SECOND_NS = 1_000_000_000


class Held:
    pass


def failure() -> tuple[Exception, weakref.ref[Held]]:
    """An exception, and what its frame holds."""
    held = Held()
    try:
        raise ValueError
    except ValueError as error:
        return error, weakref.ref(held)


class Bench:
    def __init__(self) -> None:
        self.now_ns = 90 * SECOND_NS
        nothing: Any = None
        sink: Any = SimpleNamespace(ring=None)
        self.shots: list[int] = []
        self.busy = False
        timer: Any = SimpleNamespace(shoot=self.shots.append)
        self.deadlines = BesideDeadlines(timer, lambda: self.busy, list, nothing, nothing, nothing)
        self.telling = Telling(SPEC, sink, *[nothing] * 6)
        self.telling.newest = self.failed = Failed()
        self.telling.later = self.deadlines.watch
        self.deadlines.drop = self.telling.drop
        self.fire = timer.beside

    def monotonic_ns(self) -> int:
        return self.now_ns

    def fail(self, invocation_id: str) -> weakref.ref[Held]:
        error, held = failure()
        attempt: Any = SimpleNamespace(invocation_id=invocation_id)
        self.telling._keep_newest(attempt, error)
        return held


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Whose time goes on when it is told to."""
    found = Bench()
    for module in (deadlines, telling):
        monkeypatch.setattr(module, "time", found)
    return found


def test_it_is_let_go_by_the_timer_without_another_request(bench: Bench) -> None:
    # Given a request that has failed in the loop
    held = bench.fail("one")
    [shot_ns] = bench.shots
    assert shot_ns >= bench.now_ns + SECOND_NS

    # When the timer comes too early, then while a frame is sent, then when the time is over
    bench.fire(None)
    bench.busy = True
    bench.fire(None)
    bench.busy = False
    gc.collect()
    assert held() is not None
    bench.now_ns = shot_ns
    bench.fire(None)
    gc.collect()  # frames and exceptions hold each other

    # I expect it to be there until then, and not after it
    assert held() is None
    assert bench.shots[1] == shot_ns
    assert shot_ns - SECOND_NS < bench.shots[2] < shot_ns
    assert len(bench.shots) == 3


def test_in_a_thread_the_timer_is_left_alone_and_the_next_shot_lets_it_go(bench: Bench) -> None:
    thread = threading.Thread(target=lambda: bench.fail("one"))
    thread.start()
    thread.join()
    assert bench.shots == []
    bench.fire(None)
    assert len(bench.shots) == 1
    assert bench.failed.error is not None
    bench.now_ns += SECOND_NS
    bench.fire(None)
    assert bench.failed.error is None


@pytest.mark.parametrize("kept", ["two", ""], ids=["another failed", "let go"])
def test_no_heap_is_taken_without_the_frames_of_the_failure(kept: str) -> None:
    # Given a worker that serves on, and keeps another failure or none
    failed, sent = Failed(), []
    if kept:
        failed.keep(kept, failure()[0])
    worker: Any = SimpleNamespace(_failed=failed, _sink=SimpleNamespace(send_surely=sent.append), _spec=SPEC)

    # When the server wants the heap of one
    _Worker._take_heap(worker, TakeHeap("one", "/nowhere", 10, 1_000, 1.0, goes_on=True))

    # I expect a reason, and the other failure to stay for its own
    [taken] = sent
    assert isinstance(taken, HeapTaken)
    assert taken.invocation_id == "one"
    assert taken.part.because(Why.WALK_FRAMES_GONE)
    assert failed.invocation_id == kept


def test_the_loop_lets_it_go_and_not_the_signal_handler(bench: Bench) -> None:
    # Given a failure in a worker that has an event loop, whose time is over
    asked: list[Any] = []
    bench.deadlines.soon = asked.append
    bench.fail("one")
    bench.fire(None)
    bench.now_ns += SECOND_NS

    # When the timer strikes in the middle of other code, twice
    bench.fire(None)

    # I expect the loop to be asked once, and to do it
    assert bench.failed.error is not None
    [drop] = asked
    drop()
    assert bench.failed.error is None

    # and to look again if that is too early
    bench.fail("two")
    bench.fire(None)
    asked[1]()
    assert bench.failed.invocation_id == "two"
    assert len(bench.shots) == 3
