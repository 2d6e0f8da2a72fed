"""A store with a shop's history in its own process; and a source of plain data, for keys and states."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from heap_builder import HeapBuilder, frame_root
from relive_base.errors import NotFound
from relive_base.values import ValueNode
from relive_capture.explore.heap import Heap, heap_of
from relive_capture.explore.heap.findings import compare
from relive_capture.explore.snapshots import read_members
from relive_capture.heap_format import INTERNAL, ITEM, HeapRoot
from relive_store import Columns, StoreProcess, open_store
from relive_tracer.explore.health.functions import Figures
from relive_tracer.explore.health.platform import PlatformSeries
from relive_tui.models.alerts import Standing
from relive_tui.models.health import Health
from relive_tui.models.heap.ref import HeapRef
from relive_tui.models.heap.view import HeapView, view_heap
from relive_tui.models.lists.compare import Comparison, HotChange
from relive_tui.models.lists.filtering import InvocationQuery
from relive_tui.models.navigation.scope import Scope
from relive_tui.models.profile.diff_flame import Compared, rows_of
from relive_tui.models.progress import Progress
from relive_tui.source.reading import FailureRef
from relive_tui.source.tickets import Ticket
from relive_views.failures import GroupView
from relive_views.health.alerts import AlertChangeView, AlertView
from relive_views.health.functions import FunctionHealth, Point
from relive_views.health.platform import Gauge
from relive_views.kept import KeptView
from relive_views.profiles.diff import DiffTree
from relive_views.profiles.trees import FlameTree, HotRow
from relive_views.profiles.why_slow import WhySlowView
from relive_views.records import FunctionStats, InvocationRow, LogRow, SpanRow
from relive_views.scenes.differences import EventChange, EventDiff
from relive_views.scenes.model import CallView, ExceptionView, FrameView, SceneView, StackView
from relive_views.scenes.replays import ReplayNote
from relive_views.sql import Schema

ROOT = Path(__file__).resolve().parents[3]


def world_module() -> ModuleType:
    """bench/tui/world.py, which is no package."""
    spec = importlib.util.spec_from_file_location("tui_world", ROOT / "bench/tui/world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tui_world"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def store_process() -> Iterator[StoreProcess]:
    """The embedded engine in its own process."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        process = StoreProcess(Path(folder) / "store", Path(folder) / "s.sock", log_path=Path(folder) / "log")
        process.start(60)
        try:
            yield process
        finally:
            process.stop()


@pytest.fixture(scope="session")
def world(store_process: StoreProcess, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The shop."""
    store = open_store(store_process.url)
    store.migrate()
    return world_module().record_shop(store, tmp_path_factory.mktemp("home"), heap_objects=3_000)


NOW = 1_795_435_451_204_000_000
S = 1_000_000_000
TRACEBACK = "Traceback (most recent call last):\n  cart.py, line 88\nKeyError: 'sku'"
CHECKOUT = "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01"
REPORT = "019ab1f1-0c1d-7b3e-9d2f-4bf92f35aa02"

CART = (
    "def price(item, plist):",
    '    """What an item costs today."""',
    "    total = Decimal(0)",
    "    if item.get('qty', 1) < 1:",
    "        raise ValueError('quantity')",
    "    total += plist[item['sku']] * item.get('qty', 1)",
    "    return total.quantize(CENT)",
)


def value(text: str, kind: str = "str", **more: object) -> ValueNode:
    return ValueNode(type=kind, text=text, **more)  # type: ignore[arg-type]


def sample_scene(invocation_id: str = CHECKOUT) -> SceneView:
    item = value(
        "{'id': 7, 'qty': 2}",
        "dict",
        length=2,
        children=(("['id']", value("7", "int")), ("['qty']", value("2", "int"))),
    )
    prices = value("<9412 entries>", "dict", length=9412, more=9412, id=PLIST)
    locals_ = (("item", item), ("plist", prices),
               ("total", value("Decimal('0')", "Decimal")),
               ("api_key", value("[redacted]", "str", redacted=True)))  # fmt: skip
    library = [FrameView(f"/lib/{n}.py", 10 + n, f"lib{n}", in_app=False) for n in range(3)]
    frames = (
        FrameView("/srv/app/app.py", 12, "handler", source=("return checkout(event)",), source_first_line=12),
        *library,
        FrameView("/srv/app/app.py", 31, "checkout", locals=(("event", value("{…}", "dict", length=2)),)),
        FrameView("/srv/app/cart.py", 88, "price", locals=locals_, source=CART, source_first_line=83),
    )
    if invocation_id == REPORT:
        stale = ExceptionView("LookupError", "price list stale", "cause", frames[:2])
        return SceneView(
            REPORT, 1, "report", "timeout", (ExceptionView("Timeout", "after 30 s", "", frames[:1]), stale)
        )
    return SceneView(
        CHECKOUT, 1, "checkout", "exception",
        (
            ExceptionView("KeyError", "'sku'", "", frames),
            ExceptionView("LookupError", "price list stale", "cause", frames[:2]),
        ),
        version=31, trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7",
        captured_ns=NOW - 3 * S, fingerprint="f1", event='{"path": "/cart", "items": [{"id": 7, "qty": 2}]}',
        parts=(("frames", "ok", ""), ("event", "ok", ""), ("heap", "missing", "capture=frames")),
    )  # fmt: skip


def group_scene() -> SceneView:
    """An exception group of two, and a thread beside it."""
    frames = (FrameView("/srv/app/cart.py", 88, "price", source=CART, source_first_line=83),)
    return SceneView(
        CHECKOUT, 1, "checkout", "exception",
        (
            ExceptionView("ExceptionGroup", "two of three", members=2, frames=frames),
            ExceptionView("KeyError", "'sku'", "group", frames, depth=1),
            ExceptionView("ValueError", "quantity 0", "group", frames, depth=1),
        ),
        captured_ns=NOW - 3 * S, fingerprint="f1", stacks=(StackView("thread", "writer", frames),),
    )  # fmt: skip


PLIST = 0x7F00_0000_1000


@lru_cache(maxsize=2)
def sample_heap(count: int = 2_000) -> Heap:
    """The price list of the sample scene, which a module's cache holds, too; and thousands of pages."""
    builder = HeapBuilder()
    pages = [builder.add("bytes", 50_000, value=f"b'page {number}'") for number in range(count)]
    rows = [(builder.label(ITEM, f"'/p/{number}'"), page) for number, page in enumerate(pages)]
    plist = builder.add("dict", 900, rows, address=PLIST)
    item = builder.add("dict", 232, value="{'id': 7, 'qty': 2}", address=PLIST + 64)
    namespace = builder.add("dict", 200, [(builder.label(ITEM, "'_prices'"), plist)], address=PLIST + 128)
    module = builder.add(
        "module", 72, [(builder.label(INTERNAL, "__dict__"), namespace)], address=PLIST + 192
    )
    frame_root(builder, "cart.py:88 price", {"item": item})
    builder.roots.append(
        HeapRoot(kind="module", name="cart", targets=[(builder.label(INTERNAL, ""), module)])
    )
    return heap_of(read_members(builder.members().__getitem__, "sample"))


def sample_spans() -> list[SpanRow]:
    ms = 1_000_000
    start = NOW - 4 * S

    def row(ident: str, parent: str, name: str, start_ns: int, duration_ns: int, **more: Any) -> SpanRow:
        return SpanRow(
            span_id=ident,
            parent_span_id=parent,
            name=name,
            start_ns=start_ns,
            duration_ns=duration_ns,
            **more,
        )

    faas = {"faas.trigger": "http", "faas.invocation_id": CHECKOUT}
    return [
        row("a1", "", "POST /checkout", start, 92 * ms, kind="Server", service="checkout", attributes=faas),
        row("a2", "a1", "checkout", start + 3 * ms, 88 * ms, service="checkout", status="Error",
            attributes={**faas, "faas.name": "checkout"}),
        row("a3", "a2", "load_cart", start + 5 * ms, 20 * ms, service="checkout"),
        row("a4", "a3", "SELECT carts", start + 7 * ms, 15 * ms, kind="Client", service="checkout"),
        row("a5", "a2", "price", start + 30 * ms, 11 * ms, service="checkout", status="Error",
            status_message="KeyError: 'sku'", attributes={"cart.id": "7", "faas.invocation_id": CHECKOUT}),
    ]  # fmt: skip


def sample_flame() -> FlameTree:
    ms = 1_000_000
    return FlameTree(
        name=["handler", "checkout", "price", "get", "load_cart", "dumps"],
        file=["app.py", "app.py", "/srv/app/cart.py", "cart.py", "cart.py", "json.py"],
        line=[12, 31, 88, 90, 40, 230],
        depth=[0, 1, 2, 3, 2, 1],
        start=[0, 0, 0, 0, 62 * ms, 91 * ms],
        value=[100 * ms, 91 * ms, 62 * ms, 31 * ms, 25 * ms, 6 * ms],
        parent=[-1, 0, 1, 2, 1, 0],
        self_value=[3 * ms, 4 * ms, 31 * ms, 31 * ms, 25 * ms, 6 * ms],
    )


def sample_figures(points: int) -> list[FunctionHealth]:
    """A function that fails more and more often, and one of which nothing ran in half of the time."""

    def at(number: int, failed: int, p95_ms: float | None) -> Figures:
        return Figures(
            attempts=number, failed=failed, p50_ms=p95_ms, p95_ms=p95_ms, p99_ms=p95_ms, waited_p95_ms=0.4
        )

    def health(name: str, figures: Sequence[Figures], whole: Figures) -> FunctionHealth:
        span = [Point(NOW - (15 - n) * 60 * S, 60.0, one) for n, one in enumerate(figures)]
        return FunctionHealth(name, NOW - 900 * S, 900.0, whole, tuple(span))

    return [
        health("checkout", [at(60 * n, n, 80.0 + n) for n in range(15)], at(6300, 105, 88.0)),
        health("resize", [at(7, 0, 300.0) if n < 8 else Figures() for n in range(15)], at(56, 0, 300.0)),
    ]


def sample_gauges() -> list[Gauge]:
    def gauge(metric: str, unit: str, attributes: dict[str, str], value: float) -> Gauge:
        means = {n: value + n for n in range(3)}
        found = PlatformSeries(metric, unit, attributes, value, value, value + 2, value + 1, means)
        return Gauge(found, tuple(means.get(n) for n in range(4)), tuple(NOW + n * S for n in range(4)))

    return [
        gauge("relive.workers", "{worker}", {"state": "busy"}, 2.0),
        gauge("relive.memory", "By", {}, 3e8),
    ]


def sample_difference() -> Compared:
    """A query that takes longer, and a lookup that takes less."""
    ms = 1e6
    tree = DiffTree(
        name=["per invocation", "handler", "query", "lookup"], file=["", "app.py", "db.py", "cart.py"],
        line=[0, 12, 7, 40], depth=[0, 1, 2, 2], before=[10 * ms, 10 * ms, 2 * ms, 6 * ms],
        after=[62 * ms, 62 * ms, 59 * ms, 1 * ms], before_cpu=[5 * ms] * 2 + [1 * ms, 3 * ms],
        after_cpu=[4 * ms] * 2 + [1 * ms, 1 * ms], end=[4, 4, 3, 4], before_samples=40, after_samples=31,
    )  # fmt: skip
    return Compared(
        "60 that went well", "this one", tree, rows_of(tree, "wall"), "", "52 ms slower than usual"
    )


def sample_alerts() -> list[Standing]:
    """One that fires, and one that is silenced and could not be looked at."""
    firing = AlertView(
        name="errors", app="shop", state="firing", since_ns=NOW - 300 * S, value=0.071, limit=0.05,
        condition="error_rate above 0.05", for_s=120, reason="7.1 % of 420 attempts failed", problem="",
        severity="page", description="roll back: relive alias", silenced=False, checked_ns=NOW - 9 * S,
        changes=3,
    )  # fmt: skip
    other = replace(
        firing, name="slow [bold]\x1b[31m", state="ok", value=None, limit=None, problem="no such column",
        silenced=True, severity="", description="", changes=1,
    )  # fmt: skip
    return [Standing(firing), Standing(other, NOW + 3_600 * S, "the database moves")]


def sample_changes() -> list[AlertChangeView]:
    change = AlertChangeView(
        alert="errors", app="shop", at_ns=NOW - 300 * S, state="firing", before="pending", value=0.071,
        limit=0.05, reason="7.1 % of 420 attempts failed", silenced=False, number=3,
    )  # fmt: skip
    return [change, replace(change, alert="slow", at_ns=NOW - 900 * S, state="ok", silenced=True)]


@dataclass
class SampleSource:
    """Everything a screen can ask, answered at once; `fault` makes every question fail."""

    file = ""
    command: tuple[str, ...] = ()
    fault: BaseException | None = None
    total: int = 1_000
    empty: bool = False
    asked: list[str] = field(default_factory=list)
    cancelled: list[Ticket] = field(default_factory=list)
    new: int = 0
    path: str = ""
    grouped: bool = False
    with_heap: bool = False
    process: KeptView | None = None
    states: dict[str, str] = field(default_factory=dict)
    calls: tuple[CallView, ...] = ()
    difference: EventDiff | None = None
    clock: Callable[[], int] = lambda: NOW

    a_difference = EventDiff(
        changes=(EventChange("items[1].sku", "removed", '"A1"'),),
        more=0,
        invocation_id=REPORT,
        started_ns=NOW - 60 * S,
    )

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.fault is not None:
            raise self.fault

    def now_ns(self) -> int:
        return self.clock()

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[GroupView]:
        self._ask("failure_groups")
        if self.empty:
            return []
        groups = [
            GroupView(
                fingerprint="f1",
                function="checkout",
                error_type="KeyError",
                message="'sku'",
                kind="exception",
                file="/srv/app/cart.py",
                line=88,
                count=14,
                first_at=NOW - 60 * S,
                captured_at=NOW - 3 * S,
                invocation_id=CHECKOUT,
                attempt=1,
                spark=(0, 0, 1, 2, 4, 7),
            ),
            GroupView(
                fingerprint="f2",
                function="report",
                error_type="Timeout",
                message="after 30 s",
                kind="timeout",
                file="/srv/app/q.py",
                line=19,
                count=1,
                first_at=NOW - 900 * S,
                captured_at=NOW - 800 * S,
                invocation_id=REPORT,
                attempt=1,
                spark=(1, 0, 0),
            ),
        ]
        return [replace(group, state=self.states.get(group.fingerprint, "open")) for group in groups]

    def functions(self, ticket: Ticket, scope: Scope) -> list[FunctionStats]:
        self._ask("functions")
        if self.empty:
            return []
        return [
            FunctionStats(
                name="resize",
                invocations=6300,
                errors=0,
                rps=7.0,
                p50_ms=90,
                p95_ms=300,
                p99_ms=1200,
                cold_starts=570,
                max_rss_bytes=488 << 20,
                memory_limit_bytes=512 << 20,
                last_failure_ns=0,
                spark=(1, 2, 1),
            ),
            FunctionStats(
                name="checkout",
                invocations=37080,
                errors=1150,
                rps=41.2,
                p50_ms=12,
                p95_ms=88,
                p99_ms=410,
                cold_starts=740,
                max_rss_bytes=91 << 20,
                memory_limit_bytes=256 << 20,
                last_failure_ns=NOW - 3 * S,
                spark=(2, 5, 7),
            ),
        ]

    def aliases(self) -> dict[str, str]:
        return {}

    def figures(self, ticket: Ticket, scope: Scope, points: int) -> list[FunctionHealth]:
        self._ask("figures")
        return [] if self.empty else sample_figures(points)

    def gauges(self, ticket: Ticket, scope: Scope, points: int) -> list[Gauge]:
        self._ask("gauges")
        return [] if self.empty else sample_gauges()

    def alerts(self, ticket: Ticket) -> list[Standing]:
        self._ask("alerts")
        return [] if self.empty else sample_alerts()

    def alert_changes(self, ticket: Ticket, scope: Scope, alert: str) -> list[AlertChangeView]:
        self._ask(f"changes of {alert!r}")
        return [] if self.empty else [change for change in sample_changes() if alert in ("", change.alert)]

    def silence(self, ticket: Ticket, alert: str, seconds: float, reason: str) -> int:
        self._ask(f"silence {alert} {seconds:g} {reason!r}")
        return NOW + int(seconds * S) if seconds else 0

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        self._ask("hottest")
        return {"checkout": "cart.py:88 31%", "resize": "thumb.py:41 62%"}

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        self._ask(f"failures of {scope.function!r}")
        return [(CHECKOUT, 1, "checkout"), (REPORT, 1, "report")]

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        self._ask(f"scene {invocation_id}")
        scene = (
            group_scene()
            if self.grouped
            else sample_scene(CHECKOUT if invocation_id == "last" else invocation_id)
        )
        if self.with_heap:
            parts = (*(part for part in scene.parts if part[0] != "heap"), ("heap", "ok", ""))
            scene = replace(scene, parts=parts, has_heap=True)
        return replace(scene, difference=self.difference, calls=self.calls)

    def history(self, ticket: Ticket, function: str, fingerprint: str) -> GroupView | None:
        self._ask(f"history {function} {fingerprint}")
        return next(
            (group for group in self.failure_groups(ticket, Scope()) if group.fingerprint == fingerprint),
            None,
        )

    def settle(self, ticket: Ticket, group: GroupView, state: str) -> None:
        self._ask(f"settle {group.fingerprint} {state}")
        self.states[group.fingerprint] = state

    def heap_others(self, ticket: Ticket, scope: Scope) -> list[HeapRef]:
        return [HeapRef(REPORT, 1, NOW - 900 * S, "Timeout: after 30 s")] if self.with_heap else []

    def heap_growth(self, ticket: Ticket, scope: Scope, other: HeapRef, progress: Progress) -> Any:
        return compare(sample_heap(200), sample_heap())

    def replay(self, ticket: Ticket, invocation_id: str, attempt: int) -> ReplayNote | None:
        return ReplayNote(outcome="same", at_ns=NOW - 180 * S)

    def kept(self, invocation_id: str) -> KeptView | None:
        self._ask(f"kept {invocation_id}")
        return self.process

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        self._ask(f"heap {scope.invocation_id} {scope.object}")
        if not self.with_heap:
            return HeapView(reason="capture=frames", next_command="relive heap checkout --next")
        return view_heap(sample_heap())

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        return self.row(0)

    def row(self, index: int) -> InvocationRow:
        failed, cold = index % 10 == 3, index % 7 == 0
        return InvocationRow(
            invocation_id=f"019ab1f2-{index:04x}-7b3e-9d2f-{index:012x}",
            function="checkout" if index % 3 else "resize",
            attempt=1,
            version=31,
            trigger="http",
            status="error" if failed else "ok",
            cold=cold,
            started_at=NOW - index * S,
            queue_ns=40_000,
            init_ns=3_200_000 * cold,
            duration_ns=11_000_000 + index,
            cpu_ns=9_000_000,
            peak_rss_bytes=91 << 20,
            memory_limit_bytes=256 << 20,
            trace_id=f"{index:032x}",
            span_id="b" * 16,
            error_type="KeyError" if failed else "",
            error_message="'sku'" if failed else "",
            error_file="/srv/cart.py" if failed else "",
            error_line=88,
            error_function="price",
            http_status=200,
            spans=4,
            logs=2,
            has_scene=failed,
        )

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        self._ask("count")
        if since_ns and not until_ns:
            return self.new
        return 0 if self.empty else self.total

    def invocations(
        self,
        ticket: Ticket,
        scope: Scope,
        query: InvocationQuery,
        *,
        until_ns: int,
        order: str,
        offset: int,
        limit: int,
        after: InvocationRow | None,
    ) -> list[InvocationRow]:
        self._ask(f"invocations {offset} {query.statuses}")
        return [] if self.empty else [self.row(i) for i in range(offset, min(offset + limit, self.total))]

    def why_slow(self, ticket: Ticket, scope: Scope) -> WhySlowView | None:
        self._ask(f"why_slow {scope.invocation_id}")
        return None

    def unkept(self, ticket: Ticket, trace_id: str) -> None:
        return None

    def trace(self, ticket: Ticket, scope: Scope, limit: int = 0) -> tuple[str, list[SpanRow]]:
        self._ask(f"trace {scope.trace_id}")
        return "4bf92f3577b34da6a3ce929d0e0e4736", [] if self.empty else sample_spans()

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        self._ask(f"logs {text} {severity} {after_ns}")
        if self.empty:
            return []
        return [
            LogRow(
                timestamp_ns=NOW - 4 * S,
                severity="INFO",
                body="checkout of cart 7",
                function="checkout",
                invocation_id=CHECKOUT,
                trace_id="4bf92f35",
                span_id="a2",
            ),
            LogRow(
                timestamp_ns=NOW - 3 * S,
                severity="WARN",
                body="stale price list \x1b[31mred",
                function="checkout",
                invocation_id=CHECKOUT,
                trace_id="4bf92f35",
                span_id="a5",
            ),
            LogRow(
                timestamp_ns=NOW - 2 * S,
                severity="ERROR",
                body="sku missing [bold]markup[/bold]",
                function="checkout",
                invocation_id=CHECKOUT,
                trace_id="4bf92f35",
                span_id="a5",
                attributes={"relive.attempt": "2", "exception.stacktrace": TRACEBACK},
            ),
        ]

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameTree:
        self._ask(f"flame {scope.function} {scope.invocation_id} {weight}")
        return FlameTree() if self.empty else replace(sample_flame(), aggregate=not scope.invocation_id)

    def hot(self, ticket: Ticket, scope: Scope, weight: str) -> list[HotRow]:
        self._ask(f"hot {weight}")
        if self.empty:
            return []
        on_cpu = [  # of these two, the first one mostly waited
            HotRow("checkout", "load_cart", "/srv/app/cart.py", 40, 0.09, 0.1, 90.0, 180, 180, 0.09),
            HotRow("checkout", "price", "/srv/app/cart.py", 88, 0.01, 0.1, 10.0, 310, 310, 0.01),
        ]
        return (
            on_cpu
            if weight == "cpu"
            else [
                HotRow(
                    function="checkout",
                    name="price",
                    file="/srv/app/cart.py",
                    line=88,
                    self_s=0.31,
                    total_s=0.62,
                    self_pct=31.0,
                    samples=310,
                    self_cpu_s=0.01,
                ),
                HotRow(
                    function="checkout",
                    name="load_cart",
                    file="/srv/app/cart.py",
                    line=40,
                    self_s=0.18,
                    total_s=0.25,
                    self_pct=18.2,
                    samples=180,
                    self_cpu_s=0.09,
                ),
            ]
        )

    def sql(self, ticket: Ticket, text: str) -> Columns:
        self._ask(f"sql {text}")
        return Columns(["Function", "calls"], ["String", "UInt64"], [["checkout"], [7]])

    def schema(self, ticket: Ticket) -> Schema:
        self._ask("schema")
        return Schema({"invocations": (("Function", "String"), ("StartedAt", "DateTime64(9)"))})

    def compared(self, ticket: Ticket, scope: Scope, what: str, weight: str) -> Compared:
        self._ask(f"compared {scope.function} {what}")
        if what == "8,9":
            raise NotFound("versions 8 and 9 have no samples")
        return sample_difference()

    def source_lines(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        return [""] * 82 + list(CART)

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        self._ask(f"path {file}")
        return self.path

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        self._ask(f"export {kind} {target}")
        return f"{target}/exported.{kind}"

    def compare(self, ticket: Ticket, before: InvocationRow, after: InvocationRow) -> Comparison:
        self._ask("compare")
        hot = (HotChange("/srv/app/cart.py", 88, "price", 3.5, 9.25),)
        return Comparison(('{"qty": 1, "id": 7}', '{"qty": 2, "id": 7, "sku": "a"}'), hot, "few samples")

    def health(self) -> Health | None:
        return Health(True, 0.4, 0, 0, "2 busy 1 idle", "0 ready", "")

    def cancel(self, ticket: Ticket) -> None:
        self.cancelled.append(ticket)

    def close(self) -> None:
        self.asked.append("close")


@pytest.fixture
def sample() -> SampleSource:
    return SampleSource()


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """Waits until a state is reached; a deadline instead of a fixed sleep."""

    async def wait(pilot: Any, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not met():
                await pilot.pause(0.01)

    return wait
