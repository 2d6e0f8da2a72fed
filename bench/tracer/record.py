"""What recording costs the function, and what deriving rows and querying cost the server.

Figures are CPU time of this process, the best of several rounds: a busy machine disturbs them little.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, Invoke, LogLine, SpanData

__all__ = ["run", "try_out"]

Figure = dict[str, Any]

_IMPORT = """
import time
begin = time.process_time()
from relive_tracer.record import preload
reason = preload()
print((time.process_time() - begin) * 1e3)
assert not reason, reason
"""


def run(quick: bool) -> list[Figure]:
    """All figures. `quick`: fewer rounds and a smaller store."""
    rounds = 3 if quick else 8
    figures = _worker(rounds) + _rows(rounds) + _tree(quick)
    return figures + _queries(100_000 if quick else 1_000_000)


def _figure(name: str, value: float, unit: str, target: float) -> Figure:
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "target": f"<= {target}",
        "ok": value <= target,
    }


def _cpu_us(rounds: int, count: int, call: Callable[[], object]) -> float:
    best = float("inf")
    gc.disable()
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(count):
            call()
        best = min(best, (time.process_time() - begin) / count * 1e6)
        gc.collect()
    gc.enable()
    return best


def _worker(rounds: int) -> list[Figure]:
    """The recording side, with a sink that drops frames: without the system call of a send."""
    imported = min(
        float(
            subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(rounds)
    )
    import logging

    from opentelemetry import trace
    from relive_tracer.record import Telemetry, TelemetryLimits

    spec = FunctionSpec(name="bench", version=1, handler="m:h", output_limit_bytes=1 << 62)
    telemetry = Telemetry(lambda frame: True, spec, TelemetryLimits(spans=1 << 62))
    invoke = Invoke(
        invocation_id=new_invocation_id(),
        trace_id=new_trace_id(),
        span_id=new_span_id(),
        deadline_monotonic_ns=0,
    )
    telemetry.install()
    tracer = trace.get_tracer("bench")
    attributes = {"a": 1, "b": "text", "c": True, "d": 0.5, "e": "more", "f": "x", "g": 7, "h": "y"}

    def around() -> None:
        telemetry.begin(invoke)
        telemetry.end()

    def span() -> None:
        with tracer.start_as_current_span("span", attributes=attributes):
            pass

    def bare_span() -> None:
        with plain.start_as_current_span("span", attributes=attributes):
            pass

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    plain = TracerProvider(resource=Resource({}), shutdown_on_exit=False).get_tracer("plain")
    try:
        per_invocation = _cpu_us(rounds, 5_000, around)
        telemetry.begin(invoke)
        per_span = _cpu_us(rounds, 3_000, span)
        bare = _cpu_us(rounds, 3_000, bare_span)
        per_line = _cpu_us(rounds, 5_000, lambda: print("a line of ordinary length, as functions write them"))
        per_record = _cpu_us(rounds, 5_000, lambda: logging.info("order %s of %d", "A7", 3))
        telemetry.end()
    finally:
        telemetry.uninstall()
    return [
        _figure("record: import with SDK, CPU", imported, "ms", 60),
        _figure("record: begin + end", per_invocation, "us", 10),
        _figure("record: span, 8 attributes", per_span, "us", 35),
        _figure("record: that span over the SDK's alone", per_span / bare, "x", 2.0),
        _figure("record: line printed", per_line, "us", 12),
        _figure("record: logging call", per_record, "us", 20),
    ]


def _records(count: int) -> list[InvocationRecord]:
    now = time.time_ns()
    return [
        InvocationRecord(
            invocation_id=new_invocation_id(), function=f"f{i % 7}", version=1, trace_id=new_trace_id(),
            span_id=new_span_id(), trigger_span_id=new_span_id(), trigger="http", http_method="GET",
            http_path="/x", http_route="/x", http_status=200, accepted_ns=now - i * 1_000_000,
            dispatched_ns=now - i * 1_000_000 + 1_000, started_ns=now - i * 1_000_000 + 2_000,
            ended_ns=now - i * 1_000_000 + 9_000 + i % 1_000, responded_ns=now - i * 1_000_000 + 20_000,
            status="error" if i % 50 == 0 else "ok",
        )
        for i in range(count)
    ]  # fmt: skip


def _rows(rounds: int) -> list[Figure]:
    from relive_tracer.explore.invocation_rows import invocation_columns
    from relive_tracer.explore.platform_rows import platform_columns
    from relive_tracer.explore.rows import FunctionRef, log_columns, span_columns

    records = _records(5_000)
    ref = FunctionRef("f", 1, "app", "hash", new_invocation_id())
    spans = [(SpanData("t", "s", "p", "n", "Internal", 1, 2, attributes={"a": "b"}), ref)] * 5_000
    lines = [(LogLine(1, "INFO", "line", "t", "s"), ref)] * 5_000
    platform = _cpu_us(rounds, 1, lambda: platform_columns(records)) / len(records)
    invocations = _cpu_us(rounds, 1, lambda: invocation_columns(records)) / len(records)
    own = _cpu_us(rounds, 1, lambda: span_columns(spans)) / len(spans)
    logs = _cpu_us(rounds, 1, lambda: log_columns(lines)) / len(lines)
    return [
        _figure("rows: invocation with its 3 platform spans", platform + invocations, "us", 12),
        _figure("rows: span of the user's own", own, "us", 4),
        _figure("rows: log line", logs, "us", 4),
    ]


def _tree(quick: bool) -> list[Figure]:
    from relive_tracer.explore.models import SpanRow
    from relive_tracer.explore.tree import build_tree, critical_path

    count = 20_000 if quick else 100_000
    spans = [
        SpanRow(
            trace_id="t",
            span_id=str(i),
            parent_span_id=str(i // 10) if i else "",
            start_ns=i,
            duration_ns=count - i,
        )
        for i in range(count)
    ]
    cost = _cpu_us(2, 1, lambda: critical_path(build_tree(spans)))
    return [_figure(f"tree: {count:,} spans with critical path, a span", cost / count, "us", 15)]


def _queries(count: int) -> list[Figure]:
    """Wall time against the embedded engine in its process."""
    from relive_store import StoreProcess, open_store
    from relive_tracer.explore import functions, invocations
    from relive_tracer.explore.invocation_rows import invocation_columns
    from relive_tracer.explore.invocations import InvocationFilter, key_of

    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        process = StoreProcess(Path(folder) / "store", Path(folder) / "s.sock")
        process.start(60)
        store = open_store(process.url)
        try:
            store.migrate()
            records = _records(count)
            for start in range(0, count, 100_000):
                store.insert("invocations", invocation_columns(records[start : start + 100_000]))
            since = records[-1].accepted_ns - 1
            key = key_of(invocations.page(store, InvocationFilter(), limit=256)[-1])
            cases: tuple[tuple[str, float, Callable[[], object]], ...] = (
                ("newest page of 256", 250, lambda: invocations.page(store, InvocationFilter())),
                ("next page by key", 250, lambda: invocations.page(store, InvocationFilter(), before=key)),
                (
                    "page of 256 in the middle",
                    500,
                    lambda: invocations.page(store, InvocationFilter(), offset=count // 2),
                ),
                ("failed ones", 250, lambda: invocations.page(store, InvocationFilter(statuses=("error",)))),
                ("count", 250, lambda: invocations.count(store, InvocationFilter())),
                ("one by id", 250, lambda: invocations.get(store, records[count // 2].invocation_id)),
                ("statistics of all functions", 1_000, lambda: functions.stats(store, since)),
            )
            return [
                _figure(f"query: {name}, {count:,} invocations", _wall_ms(call), "ms", target)
                for name, target, call in cases
            ]
        finally:
            store.close()
            process.stop()


def _wall_ms(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        call()
        best = min(best, (time.perf_counter() - begin) * 1e3)
    return best


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    _worker(1)
    _rows(1)
    _queries(1_000)


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        mark = "ok" if row["ok"] else "NO"
        print(f"{mark:3} {row['name']:60} {row['value']:>10} {row['unit']:3} {row['target']}")
