"""What recording costs a function: CPU of the worker process per invocation, with and without recording.

Both workers are forked from one zygote, have the same isolation, transport and handler, and run at the same
time, a batch each in turn. The recorded one has its trace, its output, the sampled profile and an armed
capture, as every function has; the handler prints a line and logs one. In the other one the recorders are
replaced by objects that do nothing, which is a switch of this benchmark's own: `print` then fills Python's
plain buffer, and a log record finds no handler. So the output's whole way out counts as recording. Every
frame that is sent wakes the reader, which waits for it here as a server without load does: most of what a
line costs.

CPU is the process's own clock (all threads, user and system), read from outside before and after a batch. A
third worker, without recording too, shows what a difference of nothing looks like: the noise of the method.
Workers are replaced by fresh ones several times, because two processes can differ for life.

Each handler is measured twice: with invocations that follow each other at once, a batch on each side in turn,
and with invocations that come now and then, as most do in real life, one on each side in turn. Then what
records is cold, in every cache of the processor, and what it leaves armed wakes a worker that waits. So there
the CPU counts from one invocation's beginning to the next one's.

One handler compares the sampled profile alone: all else is recorded on both sides. There one worker is all of
them, with and without a profile in turn, so that two processes' difference is no part of it.
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["run", "try_out"]

Row = dict[str, Any]
MAX_PERCENT = 4.0
MAX_US = 60.0
BATCH_CPU_MS = 100.0
MAX_BATCH = 250  # what a batch prints must fit the console's pipe: it is read between batches
PAUSES_S = (0.02, 0.06)  # after each where they come now and then: a shot that is left comes within 20 ms
SIDES = ("off", "on", "off again")
_SWITCH = "relive_bench_switch"
_HARNESS = Path(__file__).resolve().parents[2] / "tests" / "support" / "worker_harness.py"

SWITCH_CODE = '''
"""Preloaded by the zygote: workers with RELIVE_BENCH=off get recorders that do nothing."""
import relive_runtime.worker.main as worker
from relive_tracer.record.state import TelemetryCounts

class NoTelemetry(worker.Telemetry):  # what the worker asks of it besides is there, and records nothing
    none = TelemetryCounts()
    def order_console(self, descriptor): pass
    def install(self): pass
    def begin(self, invoke): pass
    def end(self): return self.none

class NoSampler(worker.Sampler):
    def __init__(self): pass
    def start(self, invocation_id, *, mode=""): pass
    def stop(self): return None
    def start_init(self): pass
    def stop_init(self): return None

def telemetry(send, spec, real=worker.Telemetry, **others):
    global off
    off = spec.environment["RELIVE_BENCH"] == "off"
    return (NoTelemetry if off else real)(send, spec, **others)

def sampler(profile, real=worker.Sampler, **others):
    return NoSampler() if off else real(profile, **others)

worker.Telemetry, worker.Sampler = telemetry, sampler
'''

HANDLERS = """
import asyncio
import logging
from opentelemetry import trace

log = logging.getLogger("bench")
logging.getLogger().setLevel("INFO")
tracer = trace.get_tracer("bench")

def told(work):
    def handler(event, context):
        print("order 4711 of customer 12 begins, 3 items")
        result = work(event)
        log.info("order %s done: %d", "4711", 3)
        return result
    return handler

def leaf(number):
    return number * 3 % 7

def branch(number):
    return leaf(number) + leaf(number + 1)

def deeper(depth, rounds):
    if depth:
        return deeper(depth - 1, rounds)
    return sum(branch(number) for number in range(rounds))

async def gather(rounds):
    async def one(number):
        await asyncio.sleep(0)
        return sum(range(number % 50))
    total = 0
    for _ in range(rounds):
        total += sum(await asyncio.gather(*(one(number) for number in range(20))))
    return total

def fib(number):
    return number if number < 2 else fib(number - 1) + fib(number - 2)

def recursive(rounds, context):
    for _ in range(rounds):
        fib(20)

def spin(rounds):
    total = 0
    for number in range(rounds):
        total += number * 3 % 7
    return total

def arrays(rounds):
    import numpy
    data = numpy.linspace(0.0, 1.0, 40_000).reshape(200, 200)
    for _ in range(rounds):
        data = numpy.sort(data @ data.T, axis=0) / 1e3
    return float(data.sum())

async def told_async(event, context):
    print("order 4711 of customer 12 begins, 3 items")
    result = await gather(event)
    log.info("order %s done: %d", "4711", 3)
    return result

def spanned(rounds):
    with tracer.start_as_current_span("price", attributes={"items": 3, "tier": "gold"}):
        return spin(rounds)

calls = told(lambda rounds: deeper(28, rounds))
numbers = told(arrays)
tasks = told_async
millisecond = told(spin)
millisecond_span = told(spanned)
empty = told(lambda rounds: None)
def silent(event, context):
    return None
"""


@dataclass(frozen=True)
class Work:
    """A handler and how much CPU one invocation is to take, in ms; 0 leaves it as it is."""

    label: str
    handler: str
    cpu_ms: float
    targets: bool = True
    profile_only: bool = False


WORKS = (
    Work("call-heavy", "calls", 10.0),
    Work("numpy", "numbers", 10.0),
    Work("asyncio", "tasks", 10.0),
    Work("1 ms", "millisecond", 1.0),
    Work("1 ms with a span of its own", "millisecond_span", 1.0, targets=False),
    Work("recursion, the profile alone", "recursive", 10.0, profile_only=True),
    Work("empty", "empty", 0.0),
    Work("empty and silent", "silent", 0.0),
)


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of another process: its CPU clock (clock_getcpuclockid)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


@dataclass
class Pairs:
    """What the batches gave: CPU per invocation in us, a list for each side."""

    cpu_us: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})

    def base_us(self) -> float:
        return statistics.median(self.cpu_us["off"])

    def extra_us(self, side: str = "on") -> float:
        """Median of the differences within each turn: what drifts, drifts for both."""
        pairs = zip(self.cpu_us[side], self.cpu_us["off"], strict=True)
        return statistics.median(one - other for one, other in pairs)

    def percent(self) -> float:
        return 100.0 * self.extra_us() / self.base_us()


class Bench:
    """One zygote and the workers that are measured."""

    def __init__(self, zygote: Any, source: Path) -> None:
        self._zygote = zygote
        self._source = source

    def measure(self, work: Work, rounds: int, generations: int, turns: int) -> Pairs:
        """`generations` times three fresh workers, each with `turns` batches."""
        pairs = Pairs()
        for _ in range(generations):
            with self._workers(work) as workers:
                size = self._size(workers["off"], rounds)
                for worker in workers.values():  # warm: caches, the interpreter's specialised code, stacks
                    self._batch(worker, rounds, max(size // 2, 20))
                for turn in range(turns):
                    order = SIDES[turn % 3 :] + SIDES[: turn % 3]
                    for side in order if turn % 2 else reversed(order):
                        pairs.cpu_us[side].append(
                            self._batch(workers[side], rounds, size, _profile(work, side))
                        )
        return pairs

    def now_and_then(self, work: Work, rounds: int, generations: int, turns: int) -> Pairs:
        """As `measure`, each turn one invocation on each side, with a pause after it."""
        pairs = Pairs()
        for _ in range(generations):
            with self._workers(work) as workers:
                for worker in workers.values():
                    self._batch(worker, rounds, 20)
                for _ in range(turns):
                    for side in random.sample(SIDES, len(SIDES)):
                        worker = workers[side]
                        began = cpu_ns(worker.pid)
                        self._batch(worker, rounds, 1, _profile(work, side))
                        time.sleep(random.uniform(*PAUSES_S))
                        pairs.cpu_us[side].append((cpu_ns(worker.pid) - began) / 1e3)
        return pairs

    @contextmanager
    def _workers(self, work: Work) -> Iterator[dict[str, Any]]:
        if work.profile_only:
            workers = dict.fromkeys(SIDES, self._worker(work, "on"))
        else:
            workers = {side: self._worker(work, side) for side in SIDES}
        try:
            yield workers
        finally:
            for worker in {worker.pid: worker for worker in workers.values()}.values():
                worker.stop()
                self._zygote.wait_exit(worker)
                worker.close()

    def _worker(self, work: Work, side: str) -> Any:
        recording = "on" if side == "on" else "off"
        spec = self._zygote.spec(
            self._source,
            f"handlers:{work.handler}",
            name="bench",
            memory_mb=1024,
            timeout_s=60.0,
            profile="sampled" if recording == "on" else "off",
            capture="frames" if recording == "on" else "off",
            environment={"RELIVE_BENCH": recording, "OPENBLAS_NUM_THREADS": "1"},
        )
        worker = self._zygote.fork(spec)
        worker.start()
        return worker

    def _batch(self, worker: Any, rounds: int, count: int, profile: str = "") -> float:
        """us of CPU per invocation."""
        began = cpu_ns(worker.pid)
        for _ in range(count):
            outcome = worker.invoke(rounds, profile=profile)
            if outcome.result.status != "ok":
                raise RuntimeError(f"the handler failed: {outcome.result.error}")
        used = cpu_ns(worker.pid) - began
        worker.console(0)
        return used / count / 1e3

    def _size(self, worker: Any, rounds: int) -> int:
        each_us = self._batch(worker, rounds, 10)
        return int(min(max(BATCH_CPU_MS * 1e3 / each_us, 5), MAX_BATCH))

    def rounds(self, work: Work) -> int:
        """How many rounds of the work take its time: fixed work, so that an interruption makes it longer."""
        if not work.cpu_ms:
            return 0
        with self._workers(work) as workers:
            rounds = 1
            while True:
                self._batch(workers["off"], rounds, 3)
                took_us = self._batch(workers["off"], rounds, 5)
                if took_us >= work.cpu_ms * 1e3 / 2:
                    return max(round(rounds * work.cpu_ms * 1e3 / took_us), 1)
                rounds *= 2


def _harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_worker_harness", _HARNESS)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_HARNESS} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _dependencies(folder: Path) -> tuple[Path, list[str]]:
    """A dependency folder with the switch and, where it is installed, numpy; what to preload of it."""
    deps = folder / "deps"
    deps.mkdir()
    (deps / f"{_SWITCH}.py").write_text(SWITCH_CODE)
    found = importlib.util.find_spec("numpy")
    if found is None or found.origin is None:
        return deps, [_SWITCH]
    site = Path(found.origin).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (site / name).is_dir():
            (deps / name).symlink_to(site / name)
    return deps, [_SWITCH, "numpy"]


def _profile(work: Work, side: str) -> str:
    """What an invocation asks for; "": what its function says."""
    if not work.profile_only:
        return ""
    return "sampled" if side == "on" else "off"


def _rows(work: Work, pairs: Pairs, *, now_and_then: bool = False) -> list[Row]:
    """Now and then, the aim is a share where the handler is long, else a time."""
    label = f"recording, {work.label}" + ", now and then" * now_and_then
    long = work.cpu_ms > 1.0
    rows = [_row(f"{label}: without recording", pairs.base_us(), "us CPU/invocation")]
    if work.cpu_ms >= 1.0:
        most = MAX_PERCENT if work.targets and (long or not now_and_then) else None
        rows.append(_row(f"{label}: overhead", pairs.percent(), "% CPU", most))
    most = MAX_US if work.targets and not work.profile_only and not (long and now_and_then) else None
    rows.append(_row(f"{label}: overhead", pairs.extra_us(), "us CPU/invocation", most))
    noise = abs(pairs.extra_us("off again"))
    rows.append(_row(f"{label}: off against off", noise, "us CPU/invocation"))
    return rows


def _row(name: str, value: float, unit: str, most: float | None = None) -> Row:
    target = "" if most is None else f"<= {most:g}"
    ok = None if most is None else value <= most
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}


def run(quick: bool = False) -> list[Row]:
    """Overhead of each handler in percent and in us, and the difference of two workers that do the same."""
    generations, turns, single_turns = (2, 6, 20) if quick else (5, 12, 30)
    rows: list[Row] = []
    with _bench() as (bench, preload):
        for work in WORKS:
            if work.handler == "numbers" and "numpy" not in preload:
                unit = "not measured: numpy is not installed"
                rows.append({"name": "recording, numpy", "value": None, "unit": unit})
                continue
            rounds = bench.rounds(work)
            rows += _rows(work, bench.measure(work, rounds, generations, turns))
            seldom = bench.now_and_then(work, rounds, generations, single_turns)
            rows += _rows(work, seldom, now_and_then=True)
    return rows


@contextmanager
def _bench() -> Iterator[tuple[Bench, list[str]]]:
    """A zygote with the switch; what it has preloaded."""
    with tempfile.TemporaryDirectory(prefix="rl-rec-") as name:
        folder = Path(name)
        (folder / "code").mkdir()
        (folder / "code" / "handlers.py").write_text(HANDLERS)
        deps, preload = _dependencies(folder)
        environment = {"OPENBLAS_NUM_THREADS": "1"}  # spinning threads would drown what is measured
        with _harness().zygote(
            folder, deps_dir=str(deps), preload=preload, environment=environment
        ) as zygote:
            if zygote.ready.failed_imports:
                raise RuntimeError(f"the zygote could not preload: {zygote.ready.failed_imports}")
            yield Bench(zygote, folder / "code"), preload


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    with _bench() as (bench, _):
        for work in WORKS[-3:]:  # the profile alone, and two that are short
            bench.measure(work, 1, 1, 1)


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(json.dumps(line))
