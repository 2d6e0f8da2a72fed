"""A week of 10M spans, 1M invocations, 500k profiles, 100k heads of scenes: what the questions of faces cost.

On the embedded engine, in its process as always, and on a ClickHouse server; at a tenth of it and in full,
so that the growth is seen; beside Jaeger's own table on the same engine with the same spans. Times are warm
medians as a caller has them, with what Python makes of the rows; beside them the CPU time of both
processes, which a busy machine changes least. What is not met is shown as such.

To fill a store takes minutes: one in a folder that BENCH_STORE names is filled once, and asked again.
The tenth is then left out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import _scale_jaeger as jaeger
from _scale_data import DAYS, fill, needle
from relive_capture.explore.failures import FailureFilter
from relive_capture.explore.failures import page as failure_page
from relive_profiler.explore.diff import diff
from relive_profiler.explore.flame import flame
from relive_profiler.explore.hot import HotFilter, hot
from relive_store import Store, StoreProcess, open_store, table_sizes
from relive_tracer.explore.invocations import InvocationFilter
from relive_tracer.explore.invocations import page as invocation_page
from relive_tracer.explore.traces import trace
from relive_views.health.functions import function_health
from relive_views.profiles.diff import diff as compare

__all__ = ["run", "try_out"]

ROOT: Final = Path(__file__).resolve().parents[2]
TARGETS_MS: Final = {
    "trace by id": 100,
    "newest failures": 50,
    "filtered invocations": 150,
    "hot functions of 24 h": 300,
    "one flame graph": 60,
    "difference of two versions": 300,
    "attribute search": 500,
}
SPAN_BYTES: Final = 65
PROFILE_BYTES: Final = 270
FLAT: Final = ("newest failures", "newest invocations")
_FUNCTION: Final = "function-03"  # the fourth of fifty: some 4 % of all
_WARM, _RUNS = 2, 7
_READY_S: Final = 120.0
_DAY_NS: Final = 86_400 * 10**9
_ATTRIBUTE: Final = """
SELECT TraceId, SpanId, Timestamp FROM otel_traces
WHERE has(mapValues(SpanAttributes), {order:String}) AND SpanAttributes['order.id'] = {order:String}
ORDER BY Timestamp DESC LIMIT 50
"""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one question: milliseconds."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A store, and the process that it is in."""

    store: Store
    pid: int


@contextmanager
def embedded(folder: Path) -> Iterator[Opened]:
    """The embedded engine in its process."""
    process = StoreProcess(folder / "store", folder / "s.sock", log_path=folder / "log")
    process.start()
    store = open_store(process.url)
    try:
        store.migrate()
        yield Opened(store, process.pid)
    finally:
        store.close()
        process.stop()


@contextmanager
def server(folder: Path) -> Iterator[Opened]:
    """A ClickHouse server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "scripts/clickhouse_server.py",
        "--port",
        str(port),
        "--path",
        str(folder / "server"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(process, port)
        store = open_store(f"clickhouse://default@127.0.0.1:{port}/scale")
        try:
            store.migrate()
            yield Opened(store, process.pid)
        finally:
            store.close()
    finally:
        process.kill()
        process.wait()


def _until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the ClickHouse server did not start")


ENGINES: Final = {"embedded": embedded, "server": server}


def _cpu_s(pid: int) -> float:
    """CPU seconds of that process and of this one."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + time.process_time()


def measured(opened: Opened, work: Callable[[], Any], runs: int = _RUNS) -> Cost:
    """The median of warm runs, and their CPU time in the mean."""
    for _ in range(min(_WARM, runs - 1)):
        work()
    times = []
    before = _cpu_s(opened.pid)
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return Cost(median(times) * 1e3, (_cpu_s(opened.pid) - before) / runs * 1e3)


def questions(store: Store, found: dict[str, str], end_ns: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What faces ask for, by the functions that they use."""
    week = end_ns - DAYS * _DAY_NS
    failed = InvocationFilter(function=_FUNCTION, statuses=("error", "timeout"), since_ns=week)
    sides = [HotFilter(function=_FUNCTION, version=version, since_ns=week) for version in (1, 2)]
    yield "trace by id", lambda: trace(store, found["trace"])
    yield "newest failures", lambda: failure_page(store, FailureFilter(since_ns=week), 50)
    yield "filtered invocations", lambda: invocation_page(store, failed, limit=50)
    yield "newest invocations", lambda: invocation_page(store, InvocationFilter(), limit=50)
    yield "hot functions of 24 h", lambda: hot(store, HotFilter(since_ns=end_ns - _DAY_NS))
    yield "one flame graph", lambda: flame(store, found["invocation"])
    yield "difference of two versions", lambda: diff(store, sides[0], sides[1])
    yield "the same, and its flame tree", lambda: compare(store, (sides[0], sides[1], "1", "2"), "function")
    yield "attribute search", lambda: store.query(_ATTRIBUTE, {"order": found["order"]})
    yield "health of all functions", lambda: function_health(store, week, end_ns)


def costs(
    opened: Opened, scale: float, runs: int = _RUNS, filled: Path | None = None
) -> tuple[dict[str, Cost], dict[str, str], int]:
    """Fill the store and ask. `filled`: a file that says that it is full, and up to when (ns)."""
    end_ns = int(filled.read_text()) if filled is not None and filled.exists() else 0
    if not end_ns:
        end_ns = time.time_ns()
        fill(opened.store, scale, end_ns)
        if filled is not None:
            filled.write_text(str(end_ns))
    found = {**needle(opened.store), "function": _FUNCTION}
    asked = {name: measured(opened, work, runs) for name, work in questions(opened.store, found, end_ns)}
    return asked, found, end_ns


def _row(name: str, value: float, unit: str, target: str = "", ok: bool | None = None) -> Row:
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}


@contextmanager
def _large(engine: str) -> Iterator[tuple[Opened, Path | None]]:
    """A store for the whole week, and the file that says that it is full already, if it is kept."""
    kept = os.environ.get("BENCH_STORE")
    with tempfile.TemporaryDirectory(prefix="rls") as name:
        folder = Path(kept, engine) if kept else Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with ENGINES[engine](folder) as opened:
            yield opened, folder / "filled" if kept else None


def _of_engine(engine: str, small: float, large: float, runs: int = _RUNS) -> Iterator[Row]:
    few: dict[str, Cost] = {}
    if not os.environ.get("BENCH_STORE"):
        with tempfile.TemporaryDirectory(prefix="rls") as name, ENGINES[engine](Path(name)) as opened:
            few, _, _ = costs(opened, small, runs)
    with _large(engine) as (opened, filled):
        before = _busy_s()
        many, found, end_ns = costs(opened, large, runs, filled)
        yield from _load(engine, before)
        for question, cost in many.items():
            target = TARGETS_MS.get(question)
            ok = cost.wall_ms <= target if target else None
            yield _row(f"{engine}: {question}", cost.wall_ms, "ms", f"<= {target} ms" if target else "", ok)
            yield _row(f"{engine}: {question}, CPU", cost.cpu_ms, "ms")
        if few:
            yield from _growth(engine, few, many, large / small)
        yield from _sizes(engine, opened.store)
        before = _busy_s()
        yield from _beside(engine, opened, found, end_ns, runs)
        yield from _load(f"{engine}: Jaeger's table", before)


def _busy_s() -> tuple[float, float]:
    """CPU seconds of all cores: those that were used, and all."""
    times = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    return (sum(times) - times[3] - times[4]) / tick, sum(times) / tick


def _load(what: str, before: tuple[float, float]) -> Iterator[Row]:
    """How busy the machine was meanwhile: whoever reads a time has to know."""
    after = _busy_s()
    share = (after[0] - before[0]) / max(after[1] - before[1], 0.001)
    yield _row(f"{what}: load average at its end", os.getloadavg()[0], f"on {os.cpu_count()} cores")
    yield _row(f"{what}: all cores busy", share * 100, "% of the time")


def _growth(engine: str, few: dict[str, Cost], many: dict[str, Cost], factor: float) -> Iterator[Row]:
    """By CPU time, which has a grain of 10 ms / runs."""
    for question, cost in many.items():
        grown = cost.cpu_ms / max(few[question].cpu_ms, 1.0)
        limit = 2.0 if question in FLAT else factor
        name = f"{engine}: {question}, CPU at {factor:g} times the rows"
        yield _row(name, grown, "x", f"<= {limit:g} x", grown <= limit)


def _sizes(engine: str, store: Store) -> Iterator[Row]:
    found = {one.table: one.bytes / one.rows for one in table_sizes(store) if one.rows}
    for table, what, target in (
        ("otel_traces", "bytes of a span", SPAN_BYTES),
        ("profiles", "bytes of a profile", PROFILE_BYTES),
    ):
        yield _row(f"{engine}: {what}", found[table], "B", f"<= {target} B", found[table] <= target)


def _beside(
    engine: str, opened: Opened, found: dict[str, str], end_ns: int, runs: int = _RUNS
) -> Iterator[Row]:
    jaeger.copy_spans(opened.store)
    for question, work in jaeger.queries(opened.store, found, end_ns - DAYS * _DAY_NS):
        cost = measured(opened, work, runs)
        yield _row(f"{engine}: Jaeger's table, {question}", cost.wall_ms, "ms")
        yield _row(f"{engine}: Jaeger's table, {question}, CPU", cost.cpu_ms, "ms")
    yield _row(f"{engine}: Jaeger's table, bytes of a span", jaeger.bytes_per_span(opened.store), "B")


def run(quick: bool) -> list[Row]:
    """Both engines."""
    small, large = (0.005, 0.02) if quick else (0.1, 1.0)
    return [row for engine in ENGINES for row in _of_engine(engine, small, large)]


def try_out() -> None:
    """The smallest run of everything that is set up here, on the embedded engine; nothing is measured."""
    with tempfile.TemporaryDirectory(prefix="rls") as name, embedded(Path(name)) as opened:
        _, found, end_ns = costs(opened, 0.0005, 1)
        for _, work in jaeger.queries(opened.store, found, end_ns):
            jaeger.copy_spans(opened.store)
            work()
            break


if __name__ == "__main__":
    for line in run("--quick" in sys.argv):
        print(json.dumps(line))
