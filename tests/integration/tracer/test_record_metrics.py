"""The Metrics API and the Logs API of OpenTelemetry in a worker, in a real process over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_every_instrument_records_with_its_span(run_worker: Run) -> None:
    # Given a meter that a library got before the worker was there, and observable instruments
    recorded = run_worker("""
        from opentelemetry import metrics, trace
        loaded = "relive_tracer.record.instruments" in sys.modules
        def sizes(options):
            yield metrics.Observation(50 + len(seen), {"pool": "a"})
            seen.append(1)
        def broken(options):
            raise ValueError("no")
        def written():
            options = yield
            while True:
                options = yield [metrics.Observation(3, {})]
        seen = []
        meter = metrics.get_meter("shop.cart", "2.1")
        sold = meter.create_counter("sold", "{piece}", "Pieces sold")
        open_carts = meter.create_up_down_counter("carts")
        took = meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[0.1, 1])
        level = meter.create_gauge("level")
        meter.create_observable_counter("reads", [sizes])
        meter.create_observable_up_down_counter("size", [broken, written()])
        meter.create_observable_gauge("heat", [sizes])
        for number in (1, 2):
            telemetry.begin(invoke(number))
            with trace.get_tracer("t").start_as_current_span("pay") as span:
                sold.add(2, {"kind": "book", "n": 3})
            sold.add(-1)
            sold.add("many")
            sold.add(float("inf"))
            level.set(float("nan"))
            open_carts.add(-1)
            took.record(0.25)
            level.set(7)
            counts = telemetry.end()
        tell((loaded, counts.dropped, threading.active_count()))
        metrics.get_meter("opentelemetry-sdk").create_counter("own").add(1)
        metrics.set_meter_provider(metrics.NoOpMeterProvider())
        metrics.get_meter("theirs").create_counter("theirs").add(1)
    """)
    # I expect each measurement at once, under its invocation and span
    first = {metric.name: metric for invocation, metric in recorded.measured if invocation == "invocation-1"}
    assert list(first) == ["sold", "carts", "took", "level", "reads", "size", "heat"]
    kinds = ["counter", "up_down_counter", "histogram", "gauge", "counter", "level", "gauge"]
    assert [metric.kind for metric in first.values()] == kinds
    sold, pay = first["sold"], recorded.span("pay")
    assert (sold.unit, sold.description) == ("{piece}", "Pieces sold")
    assert (sold.scope, sold.scope_version) == ("shop.cart", "2.1")
    [point] = sold.points
    assert (point.values, point.attributes) == ([2], {"kind": "book", "n": 3})
    assert (point.trace_id, point.span_id) == (pay.trace_id, pay.span_id)
    assert first["took"].bounds == [0.1, 1.0]
    assert [first[name].points[0].values for name in ("carts", "took", "level")] == [[-1], [0.25], [7]]
    # ... of what is observed the difference if it is counted, else what it is
    reads = [m.points[0].values[0] for _, m in recorded.measured if m.name == "reads"]
    assert reads == [50, 2]
    assert [m.points[0].values[0] for _, m in recorded.measured if m.name == "heat"] == [51, 53]
    # ... what can be no measurement counted, no thread, nothing of the SDK's own, and the function's own
    # provider to have the last word
    assert "(False, 5, 1)" in recorded.console
    assert {metric.name for _, metric in recorded.measured} == set(first)


def test_a_flood_is_added_up_and_nothing_of_it_is_lost(run_worker: Run) -> None:
    recorded = run_worker(
        """
        from opentelemetry import metrics
        meter = metrics.get_meter("m")
        count, took = meter.create_counter("count"), meter.create_histogram("took")
        telemetry.begin(invoke())
        def work():
            for number in range(5_000):
                count.add(1, {"even": number % 2 == 0})
                took.record(number)
        threads = [threading.Thread(target=work) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        telemetry.end()
        """,
        env={
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"
        },
    )
    values = {"count": [0, 0], "took": [0, 0]}
    for _, metric in recorded.measured:
        for point in metric.points:
            values[metric.name][0] += sum(point.values)
            values[metric.name][1] += len(point.values)
        assert metric.exponential is (metric.name == "took")
    assert values["count"][0] == 10_000
    assert values["count"][1] < 5_000
    assert values["took"] == [2 * sum(range(5_000)), 10_000]


def test_a_callback_that_hangs_is_cut_off_and_not_asked_again(run_worker: Run) -> None:
    """Given three observable instruments of which the second hangs in code that catches everything, when two
    invocations end, I expect what the others observe, one line that names the instrument, the second
    invocation to end without it, and the timer's next owner to be interrupted by its own deadline only."""
    recorded = run_worker("""
        from opentelemetry import metrics
        from relive_runtime.worker.limits.deadline import DeadlineTimer
        timer = DeadlineTimer(lambda: False)
        telemetry.interrupt_by(timer.cut, timer.disarm)
        SPEC.observe_limit_ms = 1_000
        def hangs(options):
            tell(options.timeout_millis)
            while True:
                try:
                    time.sleep(60)
                except Exception:
                    pass
        meter = metrics.get_meter("m")
        for name, callback in (("before", lambda _: [metrics.Observation(1)]), ("stuck", hangs),
                               ("behind", lambda _: [metrics.Observation(2)])):
            meter.create_observable_gauge(name, [callback])
        for number in (1, 2):
            telemetry.begin(invoke(number))
            counts = telemetry.end()
            tell(("dropped", counts.dropped))
            telemetry._tracing._meters._measuring._asked_ns = 0  # a second later
        time.sleep(1.3)
        tell(timer.raised)
    """)
    told = [(invocation, metric.name) for invocation, metric in recorded.measured]
    assert told == [("invocation-1", "before"), ("invocation-2", "before"), ("invocation-2", "behind")]
    [(invocation, line)] = recorded.lines
    assert (invocation, line.severity) == ("invocation-1", "WARN")
    assert "the instrument 'stuck' was interrupted after 1 s" in line.body
    said = [text for text in recorded.console.split("\n") if text]
    assert said == ["1000.0", "('dropped', 1)", "('dropped', 0)", "None"]


def test_what_was_measured_survives_a_kill(run_worker: Run) -> None:
    recorded = run_worker("""
        from opentelemetry import metrics
        telemetry.begin(invoke())
        metrics.get_meter("m").create_counter("paid").add(5)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert recorded.returncode == -9
    [(invocation, metric)] = recorded.measured
    assert (invocation, metric.points[0].values) == ("invocation-1", [5])


def test_the_logs_api_records_lines(run_worker: Run) -> None:
    # Given a logger from before, an event, and the SDK's bridge from the logging module
    recorded = run_worker("""
        from opentelemetry import trace
        from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
        from opentelemetry.sdk._logs import LoggingHandler
        logger = get_logger("shop.audit")
        for name in ("bridged", "apart"):
            logging.getLogger(name).addHandler(LoggingHandler())
        logging.getLogger("apart").propagate = False
        telemetry.begin(invoke(3))
        with trace.get_tracer("t").start_as_current_span("pay"):
            logger.emit(LogRecord(severity_number=SeverityNumber.WARN2, severity_text="notice",
                                  body={"cents": 12}, attributes={"user.id": 7}, event_name="paid"))
        try:
            raise KeyError("sku")
        except KeyError as error:
            logger.emit(body="no price", severity_number=SeverityNumber.ERROR, exception=error)
        logging.getLogger("bridged").info("once")
        logging.getLogger("apart").error("here too", extra={"sku": "A1"})
        telemetry.end()
    """)
    if "exception" in recorded.errors:
        pytest.fail(recorded.errors)
    assert recorded.bodies == ['{"cents":12}', "no price", "once", "here too"]
    event, error, _, apart = (line for _, line in recorded.lines)
    assert (apart.severity, apart.attributes["sku"], apart.source) == ("ERROR", "A1", "logging")
    pay = recorded.span("pay")
    assert (event.severity, event.severity_number, event.event_name, event.source) == (
        "WARN",
        14,
        "paid",
        "otel",
    )
    assert (event.trace_id, event.span_id) == (pay.trace_id, pay.span_id)
    assert event.attributes == {"logger.name": "shop.audit", "user.id": 7, "log.severity_text": "notice"}
    assert (error.severity, error.attributes["exception.type"]) == ("ERROR", "KeyError")
    assert {invocation for invocation, _ in recorded.lines} == {"invocation-3"}
