"""What the profiler costs: CPU of the same work with and without it, in interleaved pairs, by medians."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from relive_profiler.record import COST_FILES, CostMeter, Sampler

# Spinning threads of the numeric library would drown what is measured; before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

MAX_PERCENT = 4.0
MAX_US = 60.0


def _leaf(number: int) -> int:
    return number * 3 % 7


def _branch(number: int) -> int:
    return _leaf(number) + _leaf(number + 1)


def calls(rounds: int = 100_000) -> int:
    """Call-heavy Python, about 30 frames deep."""

    def deeper(depth: int) -> int:
        if depth:
            return deeper(depth - 1)
        return sum(_branch(number) for number in range(rounds))

    return deeper(28)


def arrays() -> float:
    """Native code: matrix products and sorts."""
    import numpy as np

    data = np.random.default_rng(1).random((300, 300))
    for _ in range(25):
        data = np.sort(data @ data.T, axis=0) / 1e3
    return float(data.sum())


async def _gather() -> int:
    async def leaf(number: int) -> int:
        await asyncio.sleep(0)
        return sum(range(number % 50))

    total = 0
    for _ in range(30):
        total += sum(await asyncio.gather(*(leaf(number) for number in range(100))))
    return total


def containers() -> int:
    """Many small containers, which the garbage collector goes through."""
    found = 0
    for _ in range(60):
        kept = [[number, {"key": number}] for number in range(2_000)]
        found += len(kept)
    return found


def tasks() -> int:
    """An event loop that gathers 100 tasks at a time."""
    return asyncio.run(_gather())


def short() -> int:
    """A handler of about 1 ms."""
    return calls(4_000)


def _cpu_ns(work: Callable[[], object], invocations: int, sampler: Sampler | None, mode: str) -> int:
    gc.collect()
    began = time.process_time_ns()
    for _ in range(invocations):
        if sampler is None:
            work()
        else:
            sampler.start("bench", mode=mode)
            work()
            sampler.stop()
    return time.process_time_ns() - began


def _pairs(
    work: Callable[[], object], invocations: int, pairs: int, sampler: Sampler, mode: str
) -> tuple[float, float]:
    """(median overhead in percent, median overhead in us per invocation)."""
    for warm in (None, sampler):
        _cpu_ns(work, max(invocations // 5, 1), warm, mode)
    percents, extras = [], []
    for number in range(pairs):
        sides = {}
        for side in (None, sampler) if number % 2 else (sampler, None):
            sides[side is not None] = _cpu_ns(work, invocations, side, mode)
        percents.append(100.0 * (sides[True] - sides[False]) / sides[False])
        extras.append((sides[True] - sides[False]) / invocations / 1e3)
    return statistics.median(percents), statistics.median(extras)


def _row(name: str, value: float, unit: str, target: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "target": "" if target is None else f"<= {target:g}",
        "ok": None if target is None else value <= target,
    }


def _whole() -> Sampler:
    """A sampler as a worker has it, with all that it measures."""
    return Sampler("sampled", costs=CostMeter(*(os.open(path, os.O_RDONLY) for path in COST_FILES)))


def run(quick: bool) -> list[dict[str, Any]]:
    """CPU overhead of the sampled profile by kind of work and per short invocation, and pyinstrument's."""
    pairs = 7 if quick else 31
    rows = []
    sampler = _whole()
    works: list[tuple[str, Callable[[], object]]] = [
        ("call-heavy", calls),
        ("containers", containers),
        ("asyncio", tasks),
    ]
    if importlib.util.find_spec("numpy") is not None:
        works.insert(1, ("numpy", arrays))
    try:
        for name, work in works:
            percent, _ = _pairs(work, 4, pairs, sampler, "sampled")
            rows.append(_row(f"sampled, {name}", percent, "% CPU", MAX_PERCENT))
        percent, extra_us = _pairs(short, 100, pairs, sampler, "sampled")
        rows.append(_row("sampled, 1 ms handler", percent, "% CPU", None))
        rows.append(_row("sampled, 1 ms handler", extra_us, "us/invocation", MAX_US))
        _, extra_us = _pairs(lambda: None, 20_000, pairs, sampler, "sampled")
        rows.append(_row("sampled, empty handler", extra_us, "us/invocation", 10.0))
        percent, _ = _pairs(calls, 1, 3 if quick else 7, sampler, "precise")
        rows.append(_row("pyinstrument (precise), call-heavy", percent, "% CPU", None))
    finally:
        sampler.close()
    return rows


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    sampler = Sampler("sampled")
    try:
        for mode in ("sampled", "precise"):
            _pairs(short, 1, 1, sampler, mode)
    finally:
        sampler.close()


if __name__ == "__main__":
    for row in run(quick=False):
        print(row)
