"""A small shop's recorded history: the same rows a server writes, made without running one.

The failures are real: the code below is written to a folder, run, and captured by the worker's own recorder.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from relive_base.ids import new_invocation_id, new_span_id, new_trace_id
from relive_base.parts import ok
from relive_base.records import InvocationRecord
from relive_base.wire.messages import FunctionSpec, LogLine, Profile, Scene, SpanData, StackFrames
from relive_capture.explore.parts import HealthyEvent
from relive_store import Store

__all__ = ["World", "fill_invocations", "record_shop"]

MS = 1_000_000
S = 1_000_000_000

CART = '''
"""Prices of a shopping cart."""

from decimal import Decimal

CENT = Decimal("0.01")


def price(item, prices):
    """What one position of the cart costs today."""
    quantity = item.get("qty", 1)
    if quantity < 1:
        raise ValueError(f"quantity {quantity} of {item['id']}")
    total = prices[item["sku"]] * quantity
    return total.quantize(CENT)


def checkout(cart, prices, customer):
    """The sum of a cart, after the customer's discount."""
    positions = [price(item, prices) for item in cart["items"]]
    api_key = "sk_live_51HxQ2"
    return sum(positions) * (1 - customer["discount"])


def handler(event, context=None):
    prices = {f"SKU-{n:04}": Decimal(n) / 7 for n in range(1, 900)}
    customer = {"id": "c-1017", "tier": "gold", "discount": Decimal("0.05")}
    return checkout(event["cart"], prices, customer)
'''
REPORT = '''
"""Monthly reports."""

import re


class StaleData(Exception):
    pass


def scan(lines):
    pattern = re.compile(r"^(\\\\w+\\\\s?)*$")
    matched = 0
    for number, line in enumerate(lines):
        matched += bool(pattern.match(line))
        if number > 3:
            raise TimeoutError("stopped after 3.0 s")
    return matched


def load(month):
    try:
        return {"2026-10": ["a"]}[month]
    except KeyError as missing:
        raise StaleData(f"no totals for {month}") from missing


def handler(event, context=None):
    if event["month"] == "2026-11":
        return scan(["totals of the month"] * 9)
    return load(event["month"])
'''


@dataclass
class World:
    """What was recorded."""

    store: Store
    scenes_dir: Path
    newest_failure: str = ""
    newest_trace: str = ""
    failures: int = 0
    now_ns: int = 0
    heap_objects: int = 0


def record_shop(store: Store, home: Path, *, calls: int = 240, heap_objects: int = 0) -> World:
    """Fill a migrated store; the last failure is a KeyError in `checkout`, some seconds old, with a heap of
    so many objects."""
    world = World(store, home / "scenes", now_ns=time.time_ns(), heap_objects=heap_objects)
    world.scenes_dir.mkdir(parents=True, exist_ok=True)
    writer = _Shop(world, home)
    for number in range(calls):
        writer.call(number, calls)
    writer.write()
    return world


class _Shop:
    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        self.modules = {"checkout": _module(home, "cart", CART), "report": _module(home, "report", REPORT)}
        self.records: list[InvocationRecord] = []
        self.spans: list[tuple[SpanData, Any]] = []
        self.logs: list[tuple[LogLine, Any]] = []
        self.profiles: list[tuple[Profile, InvocationRecord]] = []
        self.scenes: list[Any] = []
        self.healthy: dict[str, HealthyEvent] = {}
        self.last = False

    def call(self, number: int, calls: int) -> None:
        """One invocation; every twelfth checkout fails, and the last one does."""
        left = calls - number
        self.last = left == 1
        start = self.world.now_ns - left * 3 * S
        if number % 40 == 7:
            self._invoke("report", start, 3_000 * MS, {"month": "2026-11"}, "timeout", "timer")
        elif number % 40 == 21:
            self._invoke("report", start, 12 * MS, {"month": "2026-09"}, "error", "timer")
        elif number % 5 == 2:
            self._invoke(
                "thumbnail", start, (40 + number % 30) * MS, {"image": f"img-{number}.png"}, "ok", "queue"
            )
        else:
            bad = number % 12 == 5 or left == 1
            cart = {"items": [{"id": 7, "sku": "SKU-0042", "qty": 2}, {"id": 9, "qty": 1} if bad else {
                "id": 9, "sku": "SKU-0007", "qty": 1}]}  # fmt: skip
            event = {"cart": cart, "customer": "c-1017"}
            self._invoke("checkout", start, (8 + number % 7) * MS, event, "error" if bad else "ok", "http")

    def _invoke(self, name: str, start: int, length: int, event: Any, status: str, trigger: str) -> None:
        cold = len(self.records) % 37 == 0
        init = 4 * MS if cold else 0
        record = InvocationRecord(
            invocation_id=_id_at(start), function=name, version=31, trace_id=new_trace_id(),
            span_id=new_span_id(), trigger_span_id=new_span_id(), app="shop", trigger=trigger,
            accepted_ns=start,
            dispatched_ns=start + MS // 4, init_started_ns=start + MS // 4 if cold else 0,
            init_ended_ns=start + MS // 4 + init if cold else 0, started_ns=start + MS // 2 + init,
            ended_ns=start + MS // 2 + init + length, responded_ns=start + MS + init + length, status=status,
            cold=cold, cpu_ns=length // 2, peak_rss_bytes=(60 + len(self.records) % 40) << 20,
            memory_limit_bytes=256 << 20, timeout_ns=3 * S, worker_pid=4242, worker_id=1,
        )  # fmt: skip
        if trigger == "http":
            record.http_method, record.http_route, record.http_path = "POST", "/checkout", "/fn/checkout"
            record.http_status = 200 if status == "ok" else 500
        self._tell(record, length)
        if status != "ok":
            self._fail(record, event)
        else:
            body = json.dumps(event).encode()
            self.healthy[name] = HealthyEvent(record.invocation_id, start, trigger, body)
        self.records.append(record)

    def _tell(self, record: InvocationRecord, length: int) -> None:
        from relive_tracer.explore.rows import FunctionRef

        ref = FunctionRef(record.function, 31, "shop", "", record.invocation_id, 1)
        begin = record.started_ns
        parts = PARTS[record.function]
        first, second = new_span_id(), new_span_id()
        failed = record.status != "ok"
        attributes = {"cart.items": "2"} if record.function == "checkout" else {"month": "2026-11"}
        spans = [
            SpanData(record.trace_id, first, record.span_id, parts[0], "Internal", begin + length // 20,
                     begin + length // 3),
            SpanData(record.trace_id, new_span_id(), first, parts[1], "Client", begin + length // 12,
                     begin + length // 4, attributes={"db.system": "postgresql"}),
            SpanData(record.trace_id, second, record.span_id, parts[2], "Internal", begin + length // 3,
                     begin + length * 9 // 10, "Error" if failed else "Unset", attributes=attributes),
        ]  # fmt: skip
        self.spans += [(span, ref) for span in spans]
        lines = [
            LogLine(
                begin + MS, "INFO", f"{record.function} begins", record.trace_id, record.span_id, "logging"
            )
        ]
        if failed:
            at = begin + length * 9 // 10
            lines += [
                LogLine(
                    at - MS, "WARN", "position without a price, trying the old list", record.trace_id, second
                ),
                LogLine(at, "ERROR", f"{record.function} failed", record.trace_id, second, "logging"),
            ]
        self.logs += [(line, ref) for line in lines]
        self.profiles.append((_profile(record, length), record))

    def _fail(self, record: InvocationRecord, event: Any) -> None:
        from relive_capture.explore.parts import SceneInput, write_scene
        from relive_capture.explore.scene import scene_path
        from relive_capture.record import capture_exception

        module, folder = self.modules[record.function]
        kind = "timeout" if record.status == "timeout" else "exception"
        spec = FunctionSpec(name=record.function, version=31, handler="m:handler", source=str(folder))
        scene: Scene | None = None
        try:
            module.handler(event)
        except Exception as error:
            scene = capture_exception(
                error,
                kind=kind,
                spec=spec,
                invocation_id=record.invocation_id,
                skip_files=(__file__,),
            )
        assert scene is not None
        record.error, record.has_scene = scene.error, True
        heap: dict[str, bytes] = {}
        if record.function == "checkout" and self.world.heap_objects and self.last:
            scene.parts["heap"] = ok()
            frames = json.loads(scene.members["exception.json"])[0]["frames"]
            prices = next(node["id"] for name, node in frames[-1]["locals"] if name == "prices")
            heap = _sibling("big_heap").heap_members(self.world.heap_objects, prices)
        path = scene_path(self.world.scenes_dir, record.invocation_id, 1)
        mine = [line for line, ref in self.logs if ref.invocation_id == record.invocation_id]
        given = SceneInput(record=record, scene=scene, event=json.dumps(event).encode(), logs=mine,
                           captured_ns=record.ended_ns, members=heap,
                           healthy=self.healthy.get(record.function))  # fmt: skip
        self.scenes.append(write_scene(path, given))
        self.world.newest_failure, self.world.newest_trace = record.invocation_id, record.trace_id
        self.world.failures += 1

    def write(self) -> None:
        """Insert everything, as the collector does."""
        from relive_capture.explore.failures import scene_columns
        from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns
        from relive_tracer.explore.invocation_rows import invocation_columns
        from relive_tracer.explore.platform_rows import platform_columns
        from relive_tracer.explore.rows import log_columns, span_columns

        store = self.world.store
        for record in self.records:
            record.spans, record.logs = 3, 1 if record.status == "ok" else 3
        store.insert("invocations", invocation_columns(self.records))
        store.insert("otel_traces", platform_columns(self.records))
        store.insert("otel_traces", span_columns(self.spans))
        store.insert("otel_logs", log_columns(self.logs))
        store.insert("failure_scenes", scene_columns(self.scenes))
        store.insert("profiles", profile_columns(self.profiles))
        store.insert("profile_stacks", stack_columns(self.profiles, StackCache(), self.world.now_ns))


def _module(home: Path, name: str, code: str) -> tuple[ModuleType, Path]:
    folder = home / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(code).lstrip("\n"))
    spec = importlib.util.spec_from_file_location(f"shop_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module, folder


def _sibling(name: str) -> ModuleType:
    """A module beside this one, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"tui_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _id_at(ns: int) -> str:
    """A UUIDv7 of a moment."""
    fresh = new_invocation_id()
    high = f"{ns // 1_000_000:012x}"
    return f"{high[:8]}-{high[8:]}{fresh[13:]}"


PARTS = {
    "checkout": ("load_cart", "SELECT carts", "price"),
    "report": ("load totals", "GET /totals", "scan"),
    "thumbnail": ("fetch image", "GET /images", "resize"),
}
STACKS = {
    "checkout": [
        (("handler", "checkout", "<listcomp>", "price"), (27, 19, 19, 13), 62),
        (("handler", "checkout", "<listcomp>", "price"), (27, 19, 19, 14), 18),
        (("handler",), (25,), 14),
        (("handler", "checkout"), (27, 21), 6),
    ],
    "report": [(("handler", "scan"), (29, 14), 92), (("handler", "load"), (30, 22), 8)],
    "thumbnail": [(("handler", "resize", "_lanczos"), (9, 31, 77), 71), (("handler", "fetch"), (8, 18), 29)],
}


def _profile(record: InvocationRecord, length: int) -> Profile:
    file = {"checkout": "cart.py", "report": "report.py", "thumbnail": "thumb.py"}[record.function]
    stacks, walls = [], []
    for position, (functions, lines, share) in enumerate(STACKS[record.function]):
        number = hash((record.function, position)) & 0xFFFF_FFFF_FFFF
        stacks.append(StackFrames(number, list(functions), [file] * len(functions), list(lines)))
        walls.append(length * share // 100)
    return Profile(
        invocation_id=record.invocation_id,
        started_ns=record.started_ns,
        duration_ns=length,
        stack_hashes=[stack.stack_hash for stack in stacks],
        counts=[max(wall // (2 * MS), 1) for wall in walls],
        wall_ns=walls,
        cpu_ns=[wall * 3 // 4 for wall in walls],
        new_stacks=stacks,
    )


MANY: str = """
INSERT INTO invocations (InvocationId, Attempt, Function, Version, Trigger, Status, Cold, StartedAt,
    HandlerStartedAt, DurationNs, TotalNs, CpuNs, PeakRssBytes, MemoryLimitBytes, TraceId, SpanId, ErrorType,
    ErrorMessage, RecordVersion)
SELECT concat(lower(hex(toUInt32(number))), '-0000-7000-8000-000000000000'), 1,
    ['checkout', 'report', 'thumbnail', 'orders'][number % 4 + 1], 31, 'http',
    if(number % 50 = 0, 'error', 'ok'), number % 400 = 0,
    fromUnixTimestamp64Nano({now:Int64} - toInt64(number) * 1000000),
    fromUnixTimestamp64Nano({now:Int64} - toInt64(number) * 1000000),
    (number * 7919) % 90000000, 91000000, 5000000, 64000000, 268435456,
    lower(hex(MD5(toString(number)))), '00f067aa0ba902b7',
    if(number % 50 = 0, 'KeyError', ''), if(number % 50 = 0, '''sku''', ''), 1
FROM numbers({rows:UInt64})
"""


def fill_invocations(store: Store, rows: int, now_ns: int) -> None:
    """`rows` invocations, one a millisecond back from now, made in the engine."""
    store.execute(MANY, {"now": now_ns, "rows": rows}, timeout_s=300)
