"""Who blocks the event loop is judged by whose code has run, each time since it was told last."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

from relive_base.wire.messages import Invoke
from relive_runtime.worker.beside.attempt import BesideAttempt
from relive_runtime.worker.beside.blocking import LoopWatch

MS = 1_000_000
TICK_MS = 5


class Bench:
    def __init__(self) -> None:
        self.now_ns = time.perf_counter_ns()
        self.attempts: dict[str, BesideAttempt] = {}
        nothing: Any = None
        self.watch = LoopWatch(self.attempts, nothing, lambda: self.now_ns)
        self.asked: list[Any] = []
        self.watch.soon = self.asked.append

    def begin(self, name: str) -> BesideAttempt:
        """It began long before."""
        attempt = BesideAttempt(Invoke(name, "", "", 0), None, 0, 0.0)
        self.attempts[name] = attempt
        return attempt

    def run(self, name: str, ms: int, line: int = 1) -> None:
        """Its code runs for so long, with a tick at its beginning."""
        look: Any = SimpleNamespace(invocation_id=name) if name else None
        stack: Any = SimpleNamespace(files=["app.py"], lines=[line], functions=[name])
        if not self.watch._since_ns:
            self.watch.tick(self.now_ns, look, None, None)
        for _ in range(0, ms, TICK_MS):
            self.now_ns += TICK_MS * MS
            self.watch.tick(self.now_ns, look, stack, None)

    def end(self, name: str) -> BesideAttempt:
        self.watch.close_open()
        return self.attempts.pop(name)


def test_one_that_computes_after_another_in_one_turn_is_not_blocked_by_it_meanwhile() -> None:
    # Given two that compute in one turn of the loop, and one that waits for both
    bench = Bench()
    first, second, waits = bench.begin("first"), bench.begin("second"), bench.begin("waits")

    # When each of the two ends after its own time
    bench.run("first", 60)
    bench.end("first")
    bench.run("second", 55)
    bench.end("second")
    bench.asked[0]()

    # I expect each to be told of the others' time, and not of its own
    assert (first.blocked_ns, first.blocking_ns) == (0, 60 * MS)
    assert (second.blocked_ns, second.blocking_ns) == (60 * MS, 55 * MS)
    assert [(block["by"], block["ms"]) for block in second.blocks] == [("first", 60)]
    assert waits.blocked_ns == 115 * MS
    assert [(block["by"], block["ms"]) for block in waits.blocks] == [("first", 60), ("second", 55)]


def test_its_own_time_is_none_of_what_another_kept_it_waiting() -> None:
    # Given one that blocks the loop and goes on, then another one that ends in the same turn
    bench = Bench()
    first, second = bench.begin("first"), bench.begin("second")
    bench.run("first", 60)
    bench.run("second", 55)
    bench.end("second")
    assert (second.blocked_ns, first.blocking_ns) == (60 * MS, 60 * MS)


def test_one_that_goes_on_blocking_after_it_was_told_is_one_block() -> None:
    bench = Bench()
    first, waits = bench.begin("first"), bench.begin("waits")
    bench.run("first", 60)
    bench.watch.close_open()
    bench.run("first", 20, line=2)
    bench.asked[0]()
    assert (first.blocking_ns, waits.blocked_ns) == (80 * MS, 80 * MS)
    assert [(block["by"], block["ms"], block["line"]) for block in waits.blocks] == [("first", 80, 1)]


def test_many_short_turns_are_no_block() -> None:
    bench = Bench()
    attempts = [bench.begin(str(number)) for number in range(5)]
    for attempt in attempts:
        bench.run(attempt.invocation_id, 20)
        bench.end(attempt.invocation_id)
    assert not any(attempt.blocks for attempt in attempts)


def test_one_that_ends_in_a_thread_tells_nothing_of_the_loop() -> None:
    bench = Bench()
    first = bench.begin("first")
    bench.run("first", 60)
    thread = threading.Thread(target=bench.watch.close_open)
    thread.start()
    thread.join()
    assert first.blocking_ns == 0
    bench.asked[0]()
    assert first.blocking_ns == 60 * MS
