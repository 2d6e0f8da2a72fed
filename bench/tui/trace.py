"""The trace screen with 100,000 spans in the store: until the first rows are there, until all are, and keys.

Figures are CPU time of the terminal UI's own process: of a key from its handling to the end of painting.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["run", "try_out"]

Figure = dict[str, Any]
SPANS = 100_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FIRST_TARGET_S = 0.5
KEY_TARGET_MS = 16.0
WAIT_S = 300.0
PRESSES = 30
JUMPS = 10


def run(quick: bool = False) -> list[Figure]:
    """Figures as name, value, unit, target, ok. `quick`: 20,000 spans."""
    spans = SPANS // 5 if quick else SPANS
    first, whole, moves, jumps = _measure(spans)
    label = f"{spans:,} spans"
    return [
        _figure(f"trace screen, {label}: until its first rows are there, CPU", first, FIRST_TARGET_S, "s"),
        _figure("the same until all are there, CPU", whole, None, "s"),
        _figure(f"a key on the trace screen, {label}, median", statistics.median(moves), KEY_TARGET_MS, "ms"),
        _figure("the same: to the next failed span", statistics.median(jumps), None, "ms"),
    ]


def _figure(name: str, value: float, target: float | None, unit: str) -> Figure:
    ok = value <= target if target is not None else None
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}


def _measure(spans: int) -> tuple[float, float, list[float], list[float]]:
    from relive_store import StoreProcess, open_store

    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        process = StoreProcess(Path(folder) / "store", Path(folder) / "s.sock")
        process.start(60)
        try:
            store = open_store(process.url)
            store.migrate()
            _record(store, spans)
            store.close()
            return asyncio.run(_look(process.url, Path(folder), spans))
        finally:
            process.stop()


def _record(store: Any, count: int) -> None:
    """A tree as deep and as wide as a busy request leaves; every thirty-seventh span failed."""
    from relive_base.wire.messages import SpanData
    from relive_tracer.explore.rows import FunctionRef, span_columns

    chance = random.Random(7)
    ref = FunctionRef("checkout", 1, "shop", "", "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01", 1)
    begun = time.time_ns() - 90_000_000_000
    places: list[tuple[int, int]] = [(begun, 60_000_000_000)]
    spans = []
    for number in range(count):
        parent = -1
        if number:
            parent = chance.randrange(max(0, number - 300), number) if number % 50 else 0
            start, length = places[parent]
            at = start + chance.randrange(max(length // 2, 1))
            places.append((at, max((start + length - at) // chance.choice((2, 3, 9)), 1_000)))
        at, length = places[number]
        status = "Error" if number % 37 == 5 else "Unset"
        above = f"{parent:016x}" if parent >= 0 else ""
        spans.append(
            (
                SpanData(TRACE, f"{number:016x}", above, f"step {number % 40}", "Internal", at, at + length,
                         status, attributes={"cart.id": str(number)}),
                ref,
            )
        )  # fmt: skip
    store.insert("otel_traces", span_columns(spans))


async def _look(url: str, folder: Path, spans: int) -> tuple[float, float, list[float], list[float]]:
    from relive_store import open_store
    from relive_tui.app import ReliveApp
    from relive_tui.source.home import DataSource

    begun_s = time.process_time()
    app = ReliveApp(DataSource(lambda: open_store(url), folder / "scenes"), "trace", TRACE)
    async with app.run_test(size=(120, 36)) as pilot:
        screen: Any = app.here
        await _until(lambda: screen.trace is not None and len(screen.trace.spans) > 0)
        first = time.process_time() - begun_s
        await _until(lambda: len(screen.trace.spans) == spans and not screen.busy)
        whole = time.process_time() - begun_s
        await pilot.pause()
        rows = screen.query_one("#waterfall")
        moves = [_cost(app, lambda: rows.action_move(1)) for _ in range(PRESSES)]
        jumps = [_cost(app, lambda: screen.go_error(1)) for _ in range(JUMPS)]
    return first, whole, moves, jumps


def _cost(app: Any, act: Callable[[], None]) -> float:
    from relive_tui.widgets.rows import VirtualRows

    begun_s = time.process_time()
    act()
    rows = app.here.query_one("#waterfall")
    app.here.on_virtual_rows_moved(VirtualRows.Moved(rows, rows.cursor))
    compositor = app.screen._compositor
    compositor.update_widgets(set(app.screen.query("VirtualRows")))
    compositor.render_update(full=True).render_segments(app.console)
    return (time.process_time() - begun_s) * 1000


async def _until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _measure(200)


if __name__ == "__main__":
    for figure in run(quick="--quick" in sys.argv):
        print(figure)
