"""Stacks to compute with, and a sampler whose clocks and timer the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.record import Sampler, SamplerLimits

MS = 1_000_000


class FakeTimer:
    """Notes what it is told."""

    def __init__(self, signum: int) -> None:
        self.armed: list[int] = []  # delays
        self.repeat_ns = 0
        self.disarmed = 0

    def arm(self, delay_ns: int) -> None:
        self.armed.append(delay_ns)

    def disarm(self) -> None:
        self.disarmed += 1

    def delete(self) -> None:
        self.disarmed += 1


class Bench:
    """A sampler on fake clocks."""

    def __init__(
        self, limits: SamplerLimits | None = None, profile: str = "sampled", tick_ms: int = 0
    ) -> None:
        """`tick_ms`: there is a timer on CPU time, with ticks so far apart."""
        self.now = 10_000 * MS
        self.cpu = 0
        self.switches = 0  # to wait
        self.timer = FakeTimer(0)
        self.cpu_timer = FakeTimer(0)
        self.sampler = Sampler(
            profile,
            source=__file__.rsplit("/", 1)[0],
            limits=limits or SamplerLimits(interval_ns=MS),
            timer_factory=lambda signum: self.timer,
            cpu_timer_factory=lambda signum: self.cpu_timer if tick_ms else None,
            tick_ns=lambda: tick_ms * MS,
            switches=lambda: self.switches,
            clock=lambda: self.now,
            cpu_clock=lambda: self.cpu,
        )

    @property
    def due(self) -> int:
        """When the shot by the real clock comes."""
        assert self.sampler._rhythm is not None
        return self.sampler._rhythm._due

    def pass_ms(self, wall: float, cpu: float) -> None:
        self.now += round(wall * MS)
        self.cpu += round(cpu * MS)


@pytest.fixture
def sampler_bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(limits: SamplerLimits | None = None, profile: str = "sampled", tick_ms: int = 0) -> Bench:
        made.append(Bench(limits, profile, tick_ms))
        return made[-1]

    yield make
    for bench in made:
        bench.sampler.close()


def stack(
    path: str,
    *,
    ms: float = 1,
    cpu_ms: float | None = None,
    samples: int = 1,
    ids: tuple[int, ...] = (),
    line: int = 1,
) -> Stack:
    """`path`: function names from the outermost, by blanks; each lies in NAME.py."""
    names = tuple(path.split())
    return Stack(
        "fn",
        names,
        tuple(f"{name}.py" for name in names),
        (line,) * len(names),
        samples,
        round(ms * MS),
        round((ms if cpu_ms is None else cpu_ms) * MS),
        ids,
    )


def folded(*stacks: Stack, invocations: int = 1, engine: str = "sampled") -> Folded:
    ordered = sorted(stacks, key=lambda item: -item.wall_ns)
    return Folded(
        ordered,
        engine=engine,
        samples=sum(item.samples for item in stacks),
        profiles=invocations,
        invocations=invocations,
    )


@pytest.fixture(name="stack")
def _stack() -> Callable[..., Stack]:
    return stack


@pytest.fixture(name="folded")
def _folded() -> Callable[..., Folded]:
    return folded
