"""Spans of the user's own, from a real process over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relive_base.wire.messages import Spans

Run = Callable[..., Any]


def test_a_span_is_a_child_of_the_invoke_span(run_worker: Run) -> None:
    # Given a handler that makes two nested spans with the ordinary API
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke(7))
        tracer = trace.get_tracer("shop.cart", "2.1")
        with tracer.start_as_current_span("load", kind=trace.SpanKind.CLIENT) as outer:
            outer.set_attributes({"s": "text", "b": True, "i": 7, "f": 0.5, "l": [1, "a"], "h": 2**200})
            outer.add_event("cache miss", {"key": "k1"})
            with tracer.start_as_current_span("parse"):
                pass
        tell(telemetry.end())
    """)
    # I expect both under the invoke span, with their attributes of the types they had
    load, parse = recorded.span("load"), recorded.span("parse")
    assert (load.trace_id, load.parent_span_id) == (f"{7:032x}", f"{7:016x}")
    assert (parse.trace_id, parse.parent_span_id) == (load.trace_id, load.span_id)
    assert load.attributes == {
        "s": "text",
        "b": True,
        "i": 7,
        "f": 0.5,
        "l": [1, "a"],
        "h": str(2**200),
    }
    assert [(e.name, e.attributes) for e in load.events] == [("cache miss", {"key": "k1"})]
    assert (load.kind, load.scope, load.scope_version, load.status) == ("Client", "shop.cart", "2.1", "Unset")
    assert load.start_ns <= parse.start_ns <= parse.end_ns <= load.end_ns
    assert {invocation for invocation, _ in recorded.spans} == {"invocation-7"}
    assert "spans=2" in recorded.console


def test_an_exception_is_an_event_and_an_error_status(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke())
        try:
            with trace.get_tracer("t").start_as_current_span("price"):
                raise KeyError("sku")
        except KeyError:
            pass
        telemetry.end()
    """)
    span = recorded.span("price")
    assert span.status == "Error"
    assert span.status_message == "KeyError: 'sku'"
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes["exception.type"] == "KeyError"
    assert event.attributes["exception.stacktrace"].endswith("KeyError: 'sku'\n")


def test_a_span_that_ended_before_kill_9_is_in_the_socket(run_worker: Run) -> None:
    # Given a worker that is killed inside an open span, right after an inner one ended
    recorded = run_worker("""
        from opentelemetry import trace
        telemetry.begin(invoke())
        tracer = trace.get_tracer("t")
        with tracer.start_as_current_span("outer"):
            with tracer.start_as_current_span("finished"):
                print("last words")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    # I expect the inner span and the line, and to know of the outer one
    assert recorded.returncode == -9
    opened = {span.name: span for f in recorded.frames if isinstance(f, Spans) for span in f.open}
    outer = opened["outer"]
    assert outer.parent_span_id == f"{1:016x}"
    assert outer.span_id == recorded.span("finished").parent_span_id
    assert [s.name for _, s in recorded.spans] == ["finished"]
    assert recorded.bodies == ["last words"]


def test_spans_of_threads_and_tasks_are_below_the_invocation(run_worker: Run) -> None:
    recorded = run_worker("""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        from opentelemetry import trace
        tracer = trace.get_tracer("t")
        def work(number):
            with tracer.start_as_current_span(f"thread {number}"):
                print(f"line {number}")
        async def job(number):
            with tracer.start_as_current_span(f"task {number}"):
                await asyncio.sleep(0.01)
                with tracer.start_as_current_span(f"inner {number}"):
                    await asyncio.sleep(0)
        async def main():
            with tracer.start_as_current_span("main"):
                await asyncio.gather(*(job(i) for i in range(5)))
        telemetry.begin(invoke(3))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(20)))
        asyncio.run(main())
        tell(telemetry.end())
    """)
    spans = {s.name: s for _, s in recorded.spans}
    assert len(spans) == 31
    assert {s.trace_id for s in spans.values()} == {f"{3:032x}"}
    assert {spans[f"thread {i}"].parent_span_id for i in range(20)} == {f"{3:016x}"}
    assert {spans[f"task {i}"].parent_span_id for i in range(5)} == {spans["main"].span_id}
    assert all(spans[f"inner {i}"].parent_span_id == spans[f"task {i}"].span_id for i in range(5))
    lines = {line.body: line.span_id for _, line in recorded.lines}
    assert lines == {f"line {i}": spans[f"thread {i}"].span_id for i in range(20)}
    assert "spans=31, logs=20, dropped=0" in recorded.console


def test_a_span_that_ends_late_keeps_its_invocation(run_worker: Run) -> None:
    # Given a span and a task begun in the first invocation that end during the second
    recorded = run_worker("""
        import contextvars
        from opentelemetry import trace
        tracer = trace.get_tracer("t")
        telemetry.begin(invoke(1))
        late = tracer.start_span("late")
        context = contextvars.copy_context()
        telemetry.end()
        telemetry.begin(invoke(2))
        def straggle():
            with tracer.start_as_current_span("straggler"):
                print("from the first")
        thread = threading.Thread(target=context.run, args=(straggle,)); thread.start(); thread.join()
        late.end()
        with tracer.start_as_current_span("own"):
            pass
        telemetry.end()
    """)
    owners = {s.name: (invocation, s.trace_id) for invocation, s in recorded.spans}
    first, second = ("invocation-1", f"{1:032x}"), ("invocation-2", f"{2:032x}")
    assert owners == {"late": first, "straggler": first, "own": second}
    assert [(i, line.body) for i, line in recorded.lines] == [("invocation-1", "from the first")]


def test_a_context_left_attached_does_not_reach_the_next_invocation(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import context, trace
        tracer = trace.get_tracer("t")
        telemetry.begin(invoke(1))
        context.attach(trace.set_span_in_context(tracer.start_span("never ended")))
        telemetry.end()
        telemetry.begin(invoke(2))
        tracer.start_span("clean").end()
        telemetry.end()
    """)
    assert recorded.span("clean").parent_span_id == f"{2:016x}"


def test_limits_cut_and_count(run_worker: Run) -> None:
    recorded = run_worker(
        """
        from opentelemetry import trace
        tracer = trace.get_tracer("t")
        telemetry.begin(invoke())
        with tracer.start_as_current_span("big") as span:
            for i in range(50):
                span.set_attribute(f"k{i}", "v" * 100)
                span.add_event(f"e{i}")
                span.add_link(trace.SpanContext(1, i + 1, True))
        for i in range(10):
            tracer.start_span(f"s{i}").end()
        tell(telemetry.end())
        """,
        attributes=5, events=4, links=3, value_chars=10, spans=6,
    )  # fmt: skip
    big = recorded.span("big")
    assert len([k for k in big.attributes if k.startswith("k")]) == 5
    assert big.attributes["k49"] == "v" * 9 + "…"
    assert big.attributes["otel.dropped_attributes_count"] == 45
    assert big.attributes["otel.dropped_events_count"] == 46
    assert (len(big.events), len(big.links)) == (4, 3)
    assert len(recorded.spans) == 6
    assert "spans=6, logs=0, dropped=5" in recorded.console


def test_spans_that_are_never_ended_are_forgotten_oldest_first(run_worker: Run) -> None:
    # Given room for 5 open spans, and many more that are begun and never ended
    recorded = run_worker(
        """
        from opentelemetry import trace
        tracer = trace.get_tracer("t")
        telemetry.begin(invoke(1))
        leaked = [tracer.start_span(f"leak {i}") for i in range(500)]
        late = tracer.start_span("late")
        telemetry.end()
        telemetry.begin(invoke(2))
        late.end()
        tell(len(telemetry._tracing._sender._open))
        """,
        open_spans=5,
    )
    # I expect the newest to keep its invocation, and memory to stay bounded
    assert [(i, s.name) for i, s in recorded.spans] == [("invocation-1", "late")]
    assert recorded.console.strip() == "4"


def test_ids_do_not_draw_from_the_random_module(run_worker: Run) -> None:
    recorded = run_worker("""
        import random
        from opentelemetry import trace
        telemetry.begin(invoke())
        random.seed(42)
        before = random.getstate()
        for _ in range(100):
            trace.get_tracer("t").start_span("s").end()
        tell(random.getstate() == before)
    """)
    assert recorded.console.strip() == "True"
    assert len({s.span_id for _, s in recorded.spans}) == 100


def test_a_forked_child_sends_nothing_into_the_parents_socket(run_worker: Run) -> None:
    # Given a handler that forks a child which prints, logs and makes spans as the parent does
    recorded = run_worker("""
        from opentelemetry import trace
        tracer = trace.get_tracer("t")
        telemetry.begin(invoke())
        child = os.fork()
        who = "parent" if child else "child"
        for i in range(200):
            with tracer.start_as_current_span(who):
                print(f"{who} {i}")
        if not child:
            tell(f"threads {threading.active_count()}")
            os._exit(0)
        os.waitpid(child, 0)
        tell(telemetry.end())
    """)
    # I expect the child's lines on the console, and the parent's frames whole
    assert {s.name for _, s in recorded.spans} == {"parent"}
    assert recorded.bodies == [f"parent {i}" for i in range(200)]
    assert [x for x in recorded.console.splitlines() if x.startswith("child")] == [
        f"child {i}" for i in range(200)
    ]
    assert "threads 1" in recorded.console
    assert "spans=200, logs=200, dropped=0" in recorded.console


def test_the_users_own_provider_is_used_and_recorded(run_worker: Run) -> None:
    # Given a function that sets its own TracerProvider when it is imported
    recorded = run_worker("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider, SpanProcessor
        class Own(SpanProcessor):
            seen = []
            def on_end(self, span): self.seen.append(span.name)
        provider = TracerProvider()
        provider.add_span_processor(Own())
        trace.set_tracer_provider(provider)
        for number in (1, 2):
            telemetry.begin(invoke(number))
            trace.get_tracer("t").start_span(f"span {number}").end()
            telemetry.end()
        tell(Own.seen)
        tell(trace.get_tracer_provider() is provider)
    """)
    # I expect it to see its spans, and each to be recorded once
    assert recorded.console.splitlines() == ["['span 1', 'span 2']", "True"]
    assert [(i, s.name) for i, s in recorded.spans] == [
        ("invocation-1", "span 1"),
        ("invocation-2", "span 2"),
    ]
    assert recorded.lines == []


def test_the_sampled_flag_is_handed_on_and_all_is_recorded(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        for number, sampled in ((1, False), (2, True)):
            telemetry.begin(invoke(number, sampled=sampled, trace_state="vendor=x"))
            with trace.get_tracer("t").start_as_current_span("s"):
                headers = {}
                TraceContextTextMapPropagator().inject(headers)
                tell(headers["traceparent"][-2:] + " " + headers["tracestate"])
            telemetry.end()
    """)
    flags = [int(line.split()[0], 16) & 1 for line in recorded.console.splitlines()]
    assert flags == [0, 1]
    assert all(line.endswith("vendor=x") for line in recorded.console.splitlines())
    assert len(recorded.spans) == 2


def test_a_broken_sdk_costs_spans_and_nothing_else(run_worker: Run) -> None:
    # Given an OpenTelemetry of the function's own that does not fit
    recorded = run_worker(
        """
        telemetry.begin(invoke())
        print("still here")
        tell(telemetry.end())
        """,
        env={"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "not a number"},
    )
    # I expect the invocation to be recorded without them, and the reason in the log
    assert recorded.returncode == 0
    assert "spans of this function are not recorded: ValueError" in recorded.bodies[0]
    assert recorded.bodies[1] == "still here"
