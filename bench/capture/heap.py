"""What tier T1 costs: a heap of a million objects in C, in Python, in a forked child; the caller's wait.

`python bench/capture/heap.py [--quick]`. Each walk runs in a process of its own that has made its heap first.
Times are CPU time of that process; memory is the peak of its resident size while it walked, over what it was.
The caller's wait is the wall time from the event to the answer of a failing function with a fifth of such a
heap, with snapshots and without, in turns; and of what comes next, while one is being taken.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["run", "try_out"]

_HARNESS = Path(__file__).resolve().parents[2] / "tests" / "support" / "pool_harness.py"
_MB = 1_048_576
_MAKE = """
class Order:
    def __init__(self, number):
        self.number = number
        self.customer = {"id": number, "name": f"customer {number}"}
        self.lines = [(f"sku-{number}", number), (f"sku-{number + 1}", 2)]

def make(objects):
    return [Order(number + 1_000) for number in range(objects // 10)]
"""
_WALK = (
    _MAKE
    + """
import json, os, sys, time
from relive_base.wire.messages import FunctionSpec, TakeHeap
from relive_capture.record.heap import take_heap

how, objects, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if how == "python":
    os.environ["RELIVE_PURE_PYTHON"] = "1"
hoard = make(objects)

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

def private():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_Dirty"))

def failure():
    try:
        raise ValueError(hoard[0].number)
    except ValueError as error:
        return error

def walk():
    open("/proc/self/clear_refs", "w").write("5")
    before, cpu, wall = status("VmRSS"), time.process_time(), time.perf_counter()
    spec = FunctionSpec(name="bench", version=1, handler="m:h", source="/")
    command = TakeHeap(invocation_id="i", folder=folder, max_objects=4_000_000, cpu_s=120.0)
    taken = take_heap(command, spec, failure())
    part = taken.part
    return {"state": part.state, "reason": part.reason, "objects": taken.objects, "bytes": taken.bytes,
            "cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall,
            "before": before, "peak": status("VmHWM"), "private": private()}

if how == "fork":
    read, write = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if not child:
        os.write(write, json.dumps(walk()).encode())
        os._exit(0)
    forked_s = time.perf_counter() - began
    found = json.loads(os.read(read, 65536))
    os.waitpid(child, 0)
    print(json.dumps({**found, "forked_s": forked_s}))
else:
    print(json.dumps(walk()))
"""
)
_HANDLER = (
    _MAKE
    + """
HOARD = make({objects})

def handler(event, context):
    raise ValueError(event)
"""
)


def _walk(how: str, objects: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WALK, how, str(objects), f"{folder}/heap"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    if found["state"] != "ok":
        raise RuntimeError(f"{how}: {found['state']}: {found['reason']}")
    return found


def _harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_pool_harness", _HARNESS)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_HARNESS} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def _waits(objects: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each answer: of failures without a heap, of those whose heap is taken after it, and of
    what comes right after these, while the heap is walked. `taken`: 1 for each snapshot that came whole."""
    from relive_platform.engine.failed.heaps import HeapLimits
    from relive_platform.engine.host import HostLimits
    from relive_platform.engine.pool import PoolLimits

    source = _HANDLER.replace("{objects}", str(objects))
    waits: dict[str, list[float]] = {"without": [], "with": [], "next": []}
    limits = HostLimits(frozen=0, heap=HeapLimits(interval_s=0.0, objects=4_000_000))
    with tempfile.TemporaryDirectory() as folder:
        async with _harness().platform(Path(folder), limits) as host:
            pools = {
                capture: host.deploy(
                    capture, source, memory_mb=1_024, capture=capture, limits=PoolLimits(waiting_workers=2)
                )
                for capture in ("full", "frames")
            }
            for pool in pools.values():
                pool.active = True

            async def wait(series: str, capture: str) -> None:
                began = time.perf_counter()
                await host.invoke(capture, b"1")
                waits[series].append((time.perf_counter() - began) * 1_000)

            for _ in range(rounds):
                await host.until(lambda: all(len(pool.idle) == 2 for pool in pools.values()), 120.0)
                await wait("without", "frames")
                await host.until(lambda: all(len(pool.idle) == 2 for pool in pools.values()), 120.0)
                await wait("with", "full")
                await wait("next", "frames")
                await host.until(lambda: host.host.heaps.walking == 0, 120.0)
            waits["taken"] = [float(found.part.state == "ok") for _, found in host.recording.heaps]
    return waits


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def run(quick: bool = False) -> list[dict[str, object]]:
    """The figures, each with its target."""
    objects = 200_000 if quick else 1_000_000
    native, python, forked = (_walk(how, objects) for how in ("c", "python", "fork"))
    waits = asyncio.run(_waits(objects // 5, 10 if quick else 30))
    million = native["objects"] / 1e6
    ratio, python_ratio = (found["peak"] / found["before"] for found in (native, python))
    without, own, following = (waits[series] for series in ("without", "with", "next"))
    delay, delay_next = (_p99(series) - _p99(without) for series in (own, following))
    target_s = round(max(million, 0.2), 2)
    return [
        _row("heap, objects", native["objects"] / 1e6, "million", "", True),
        _row(
            "heap in C, walked and written",
            native["cpu_s"],
            "s CPU",
            f"<= {target_s}",
            native["cpu_s"] <= target_s,
        ),
        _row("heap in Python, walked and written", python["cpu_s"], "s CPU", "", True),
        _row("heap, Python / C", python["cpu_s"] / native["cpu_s"], "times", "", True),
        _row("heap in C, peak memory / before", ratio, "times", "< 2", ratio < 2),
        _row("heap in Python, peak memory / before", python_ratio, "times", "<= 4", python_ratio <= 4),
        _row("heap, files of the worker", native["bytes"] / _MB, "MB", "", True),
        _row("heap in a forked child, the fork", forked["forked_s"] * 1_000, "ms", "", True),
        _row("heap in a forked child, CPU", forked["cpu_s"], "s CPU", "", True),
        _row("heap in a forked child, own memory", forked["private"] / _MB, "MB", "", True),
        _row("failures whose heap was taken", sum(waits["taken"]) / len(own) * 100, "%", "", True),
        _row("answer of a failure without a heap, p50", statistics.median(without), "ms", "", True),
        _row("the same, with a heap, p50", statistics.median(own), "ms", "", True),
        _row("the same, with a heap, adds at p99", delay, "ms", "<= 15", delay <= 15),
        _row("answer while a heap is walked, adds at p99", delay_next, "ms", "<= 15", delay_next <= 15),
    ]


def _row(name: str, value: float, unit: str, target: str, ok: bool) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "target": target,
        "ok": ok if target else None,
    }


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    for how in ("c", "python", "fork"):
        _walk(how, 100)
    asyncio.run(_waits(100, 1))


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        verdict = "ok" if row["ok"] else "MISSED"
        print(f"{row['name']:<40} {row['value']:>10} {row['unit']:<8} {row['target']:<8} {verdict}")
