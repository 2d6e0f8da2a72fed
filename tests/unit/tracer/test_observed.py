"""Callbacks of observable instruments can spoil no invocation that has ended well."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest
from opentelemetry.metrics import Observation
from patience import PATIENCE_S
from relive_base.wire.messages import AnyFrame, FunctionSpec, Logs, Metrics
from relive_tracer.record import InvocationState
from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.measuring import Instrument, Measuring

LIMITS = TelemetryLimits(observed_callbacks=2, held_measurements=5)
SECOND_NS = 1_000_000_000


class Bench:
    def __init__(self) -> None:
        self.sent: list[AnyFrame] = []
        self.now_ns = SECOND_NS * 100
        self.state = InvocationState("one", "", "", 0)
        spec = FunctionSpec(name="f", version=1, handler="m:f")
        where = lambda: (self.state, "", "")  # noqa: E731
        self.measuring = Measuring(self._send, spec, LIMITS, where, lambda: self.now_ns)

    def _send(self, frame: AnyFrame) -> bool:
        self.sent.append(frame)
        return True

    def observe(self, *callbacks: Callable[..., object]) -> None:
        self.measuring.observe(Instrument("heat", "gauge", "", "", ("m", ""), LIMITS), callbacks)

    def said(self) -> list[str]:
        """What the last end of an invocation has logged."""
        return [line.body for frame in self.sent if isinstance(frame, Logs) for line in frame.lines]

    def finish(self) -> list[list[float]]:
        """The values that an invocation's end has sent."""
        self.sent.clear()
        self.measuring.finish(self.state, False)
        frames = [frame for frame in self.sent if isinstance(frame, Metrics)]
        return [point.values for frame in frames for metric in frame.metrics for point in metric.points]


def heat(_options: object) -> list[Observation]:
    return [Observation(7)]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_what_a_callback_raises_ends_nothing(error: type[BaseException]) -> None:
    # Given a callback that raises, and one after it
    bench = Bench()

    def broken(_options: object) -> object:
        raise error

    bench.observe(broken, heat)

    # I expect the end of the invocation to pass, the loss counted, and the other's value
    assert bench.finish() == [[7]]
    assert bench.state.dropped == 1


def test_callbacks_are_bounded_in_number_and_in_what_they_give() -> None:
    # Given more callbacks than are asked, and one that has no end
    bench = Bench()

    def endless(_options: object) -> Iterator[object]:
        return repeat(Observation("no number"), sys.maxsize)  # type: ignore[arg-type]

    bench.observe(endless)
    bench.observe(heat, heat)

    # I expect each of those over the limit to be counted
    assert bench.state.dropped == 1
    assert bench.finish() == [[7]]


def test_slow_callbacks_are_asked_once_a_second() -> None:
    # Given callbacks that take 200 ms once, and are fast from then on
    bench = Bench()
    takes_ns = [200_000_000]

    def slow(_options: object) -> list[Observation]:
        bench.now_ns += takes_ns.pop() if takes_ns else 0
        return [Observation(7)]

    bench.observe(slow)

    # I expect the invocations of the second after it to go without, and all later ones to ask again
    assert [bench.finish(), bench.finish()] == [[[7]], []]
    bench.now_ns += SECOND_NS
    assert [bench.finish(), bench.finish()] == [[[7]], [[7]]]


def test_the_slowest_is_asked_no_more_and_not_the_one_that_ran_when_the_time_was_over() -> None:
    # Given a slow callback, and a fast one during which the second of both is over
    bench = Bench()

    def slow(_options: object) -> list[Observation]:
        bench.now_ns += 950_000_000
        return [Observation(1)]

    def fast(_options: object) -> list[Observation]:
        bench.now_ns += 60_000_000
        return [Observation(7)]

    bench.observe(slow, fast)

    # I expect the values of both, the slow one to be named by what it took, and the fast one from then on
    assert bench.finish() == [[1], [7]]
    [said] = bench.said()
    assert "took 0.95 s, the longest" in said
    bench.now_ns += 2 * SECOND_NS
    assert bench.finish() == [[7]]
    assert bench.said() == []


def test_one_that_hangs_in_a_thread_is_said_once() -> None:
    # Given a callback that hangs in a thread
    bench = Bench()
    began, goes_on = threading.Event(), threading.Event()

    def hangs(_options: object) -> list[Observation]:
        began.set()
        goes_on.wait(PATIENCE_S)
        return [Observation(1)]

    bench.observe(hangs, heat)
    thread = threading.Thread(target=bench.finish)
    thread.start()
    assert began.wait(PATIENCE_S)

    # When other invocations end
    said = []
    for _ in range(3):
        bench.now_ns += SECOND_NS
        bench.measuring.finish(bench.state, True)
        said += bench.said()
        bench.sent.clear()
    goes_on.set()
    thread.join()

    # I expect one line, and no callback to be asked meanwhile; the other one is when it has come back
    assert len(said) == 1
    assert "'heat' has run for 1 s in a thread, where nothing can interrupt it" in said[0]
    assert "took 3 s" in bench.said()[0]
    bench.now_ns += 2 * SECOND_NS
    assert bench.finish() == [[7]]
