"""Cold starts: from asking for a worker to the first answer, isolation and recording included."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from relive_base.wire.messages import FunctionSpec
from relive_platform.engine.engine import Engine, EngineLimits
from relive_platform.engine.host import HostLimits
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.users import UserRange
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_runtime.folder import build_runtime

__all__ = ["run", "try_out"]

TARGET_FORK_MS = 8.0  # a bare prototype took 4.5 (docs/explanation/benchmarks.md: where the rest goes)
TARGET_WAITING_MS = 2.0
TARGET_TIER_2 = 2.0
_TURNS = 4
_HANDLERS = {
    "stdlib": "import json\ndef handler(event, context):\n    return json.dumps({'ok': 1})\n",
    "numpy_requests_pydantic": (
        "import numpy, requests, pydantic\n"
        "def handler(event, context):\n    return float(numpy.ones(3).sum())\n"
    ),
}


class _Nothing:
    """The figures are of the start; what is recorded is dropped here."""

    def begun(self, record: Any) -> None:
        del record

    def answered(self, record: Any, job: Any) -> None:
        del record, job

    abandoned = begun

    def heap(self, record: Any, found: Any, redact_keys: Any) -> None:
        del record, found, redact_keys

    def telemetry(self, spec: Any, record: Any, payload: bytes) -> None:
        del spec, record, payload

    def finished(self, item: Any, job: Any, playback: bytes) -> None:
        del item, job, playback


def _dependencies(name: str) -> tuple[str, tuple[str, ...]]:
    """Folder and modules to preload: what is installed beside this interpreter."""
    if name == "stdlib":
        return "", ("json",)
    import numpy
    import pydantic
    import requests

    del pydantic, requests
    return str(Path(numpy.__file__).parent.parent), ("numpy", "requests", "pydantic")


async def _measure(name: str, rounds: int, tier: int = 1) -> tuple[list[float], list[float]]:
    """Milliseconds of the first event of a forked worker, and of one that was waiting."""
    # Not below /tmp: each worker has its own, and would have to mount this again.
    folder = Path(tempfile.mkdtemp(prefix="relive-cold-", dir="/var/tmp"))
    folder.chmod(0o755)  # noqa: ASYNC240 - nothing else runs; else a worker with a user of its own has no way there
    (folder / "app.py").write_text(_HANDLERS[name])
    users = UserRange(900_000, 65_536)
    executor = ThreadPoolExecutor(1)
    engine = Engine(
        _Nothing(), build_runtime(folder), folder, executor, EngineLimits(HostLimits(), 120.0, users)
    )
    engine.start()
    spec = FunctionSpec(
        name="f", version=1, handler="app:handler", source=str(folder), timeout_s=10, memory_mb=512,
        isolation_tier=tier,
    )  # fmt: skip
    limits = PoolLimits(max_workers=1, waiting_workers=0, recycle_n=1)
    deps, preload = _dependencies(name)
    key = ZygoteKey(sys.executable, deps, preload, tier=tier, code_root=str(folder))
    pool = engine.deploy(spec, engine.forked(key), limits)
    cold: list[float] = []
    waiting: list[float] = []
    try:
        await engine.submit(InvokeRequest(function="f"))  # starts the zygote
        for _ in range(rounds):
            await _until(lambda: not pool.workers)
            cold.append(await _first(engine))
        for _ in range(rounds):
            await _until(lambda: not pool.workers)
            engine.host.fork(pool, spare=True)
            pool.starting += 1
            await _until(lambda: bool(pool.idle))
            waiting.append(await _first(engine))
    finally:
        await engine.close()
        executor.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    return cold, waiting


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the pool has no event for it
        await asyncio.sleep(0.001)


async def _first(engine: Engine) -> float:
    outcome = await engine.submit(InvokeRequest(function="f", event=b"null"))
    if not outcome.ok:
        raise RuntimeError(f"the handler failed: {outcome.error}")
    return (outcome.record.responded_ns - outcome.record.accepted_ns) / 1e6


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def run(quick: bool = False) -> list[dict[str, object]]:
    """Median and 97th percentile of both ways to start, for both sets of imports."""
    rounds = 20 if quick else 200
    found: list[dict[str, object]] = []
    for name in _HANDLERS:
        try:
            cold, waiting = asyncio.run(_measure(name, rounds))
        except ImportError as error:
            found.append(_row(f"cold.{name}", 0.0, f"not measured: {error}", "", None))
            continue
        p97 = _share(cold, 0.97)
        median = statistics.median(waiting)
        found += [
            _row(f"cold.{name}.fork_median", statistics.median(cold), "ms", "", None),
            _row(f"cold.{name}.fork_p97", p97, "ms", f"<= {TARGET_FORK_MS}", p97 <= TARGET_FORK_MS),
            _row(
                f"cold.{name}.waiting_median",
                median,
                "ms",
                f"<= {TARGET_WAITING_MS}",
                median <= TARGET_WAITING_MS,
            ),
        ]
    return found + _tier_2(rounds)


def _tier_2(rounds: int) -> list[dict[str, object]]:
    """A cold start in isolation tier 2, times one in tier 1: by turns, so that both have the same machine."""
    ratios: list[float] = []
    for _ in range(_TURNS):
        one, two = (
            statistics.median(asyncio.run(_measure("stdlib", max(rounds // _TURNS, 5), tier))[0])
            for tier in (1, 2)
        )
        ratios.append(two / one)
    ratio = statistics.median(ratios)
    return [_row("cold.stdlib.tier_2", ratio, "x", f"<= {TARGET_TIER_2}", ratio <= TARGET_TIER_2)]


def _row(name: str, value: float, unit: str, target: str, ok: bool | None) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    asyncio.run(_measure("stdlib", 1))


if __name__ == "__main__":
    for line in run(quick="--quick" in sys.argv):
        print(line)
