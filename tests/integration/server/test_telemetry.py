"""What a backend sees of real invocations: the trace of a request through three functions, and failures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from server_harness import Served, served, write_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOURCE = """
import json, os, logging
import relive
from opentelemetry import baggage, propagate, trace

tracer = trace.get_tracer("shop", "2.0")

def carried():
    headers = {}
    propagate.inject(headers)
    return {"baggage": dict(baggage.get_all()), "headers": headers}

def web(request):
    trace.get_current_span().set_attribute("cart.items", 3)
    with tracer.start_as_current_span("total") as span:
        span.set_attributes({"vip": True, "sum": 9.5, "skus": ["a", "b"]})
        token = None
        called = relive.invoke("price", {"sku": "A"})
        relive.send("order", {"total": 7})
    return {"own": carried(), "called": called}

def price(event, context):
    return carried()

def order(event, context):
    logging.getLogger("order").warning(json.dumps(carried()), extra={"number": 41})

def unavailable(request):
    return "later", 503

def dies(event, context):
    with tracer.start_as_current_span("pack"):
        with tracer.start_as_current_span("weigh"):
            pass
        with tracer.start_as_current_span("label"):
            print("printing the label")
            with tracer.start_as_current_span("stick"):
                os._exit(3)

def fails(event, context):
    raise KeyError("sku")

def shaky(event, context):
    raise ValueError("again")
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\n{more}'
    for name, more in {
        "web": 'kind = "http"\n',
        "price": "",
        "order": "",
        "unavailable": 'kind = "http"\n',
        "dies": "",
        "fails": "",
        "shaky": "retries = 1\n",
    }.items()
)
CALLER = "1" * 32, "2" * 16
SPANS = """
SELECT SpanName, SpanKind, ServiceName, SpanId, ParentSpanId, SpanAttributes, ResourceAttributes, StatusCode,
    TraceState, toInt64(toUnixTimestamp64Nano(Timestamp)), Duration, Links.SpanId, ScopeVersion,
    AttributeTypes, TraceFlags
FROM otel_traces WHERE TraceId = '{trace}' ORDER BY Timestamp
"""
COLUMNS = (
    "name", "kind", "service", "id", "parent", "attributes", "resource", "status", "state", "start",
    "duration", "links", "scope_version", "types", "flags",
)  # fmt: skip
Span = dict[str, Any]


async def spans_of(running: Served, trace_id: str) -> list[Span]:
    rows = await running.rows(SPANS.replace("{trace}", trace_id))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


async def settled(running: Served) -> None:
    """Wait until the queue is empty."""
    for _ in range(6_000):
        counts = await asyncio.wrap_future(running.server.queue.counts())
        if not counts.ready + counts.leased:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("events are left")


def named(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span["name"] == name]
    return found


def orphans(spans: list[Span], *known: str) -> list[Span]:
    ids = {span["id"] for span in spans} | {*known, ""}
    return [span for span in spans if span["parent"] not in ids]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One server with the application in service, for all tests here."""
    folder = tmp_path_factory.mktemp("telemetry")
    async with served(folder / "home") as server:
        await server.deploy(write_app(folder / "app", SOURCE, FUNCTIONS))
        yield server


async def test_a_trace_goes_on_to_callees_and_queues(running: Served) -> None:
    # Given a request of somebody who does not sample, with state and baggage
    headers = {
        "traceparent": f"00-{CALLER[0]}-{CALLER[1]}-00",
        "tracestate": "vendor=1",
        "baggage": "user=42,tier=gold",
        "user-agent": "test/1",
    }
    answer = await running.http("GET", "/fn/web/cart?sku=A&n=1", headers=headers)
    await settled(running)
    spans = await spans_of(running, CALLER[0])
    [(body, flags, trace_id, attributes, types)] = await running.rows(
        "SELECT Body, TraceFlags, TraceId, LogAttributes, AttributeTypes FROM otel_logs"
        " WHERE TraceId = {trace:String}",
        trace=CALLER[0],
    )

    # I expect all three functions to see what the caller sent, and to hand on what is theirs
    assert answer.headers["traceparent"].endswith("-00")
    told = json.loads(answer.body)
    for seen in (told["own"], told["called"], json.loads(body)):
        assert seen["baggage"] == {"user": "42", "tier": "gold"}
        assert seen["headers"]["tracestate"] == "vendor=1"
        assert seen["headers"]["traceparent"].startswith(f"00-{CALLER[0]}-")
        assert seen["headers"]["traceparent"].endswith("-00")

    # ... one trace without orphans, in which each span is its own service's
    assert not orphans(spans, CALLER[1])
    assert {span["state"] for span in spans} == {"vendor=1"}
    publish, process = named(spans, "publish order"), named(spans, "process order")
    assert (publish["kind"], publish["service"]) == ("Producer", "web")
    assert (process["kind"], process["service"], process["links"]) == ("Consumer", "order", [publish["id"]])
    assert [span["service"] for span in spans if span["kind"] == "Producer"] == ["web"]

    # ... and the server's span to say who asked for what
    server = next(span for span in spans if span["kind"] == "Server" and span["service"] == "web")
    seen = server["attributes"]
    assert (seen["url.path"], seen["url.query"], seen["url.scheme"]) == ("/fn/web/cart", "sku=A&n=1", "http")
    assert (seen["server.address"], seen["user_agent.original"]) == ("localhost", "test/1")
    assert (seen["client.address"], seen["network.peer.address"]) == ("127.0.0.1", "127.0.0.1")
    assert int(seen["network.peer.port"]) > 0
    assert seen["faas.trigger"] == "http"
    assert all(span["resource"]["host.name"] and span["resource"]["service.instance.id"] for span in spans)
    assert all(span["scope_version"] for span in spans)

    # ... with what the code put on spans, and on its current span
    invoke, total = named(spans, "web"), named(spans, "total")
    assert (invoke["attributes"]["cart.items"], invoke["types"]["cart.items"]) == ("3", "i")
    assert total["attributes"]["skus"] == '["a","b"]'
    assert total["types"] == {"vip": "b", "sum": "d", "skus": "a"}
    assert {span["status"] for span in spans} == {"Unset"}

    # ... all of them as not sampled
    assert {span["flags"] for span in spans} == {0}

    # ... and the line of the log to say where it was written
    assert (trace_id, attributes["number"], types["number"]) == (CALLER[0], "41", "i")
    assert attributes["code.function.name"] == "app.order"
    assert attributes["code.file.path"] == "app.py"
    assert flags == 0


async def test_a_request_whose_event_is_queued_has_a_server_span(running: Served) -> None:
    answer = await running.http("POST", "/fn/order/", b"{}", {"prefer": "respond-async"})
    await settled(running)
    trace_id = json.loads(answer.body)["trace_id"]
    spans = await spans_of(running, trace_id)

    assert answer.status == 202
    server, publish = spans[0], named(spans, "publish order")
    assert (server["kind"], server["parent"], server["name"]) == ("Server", "", "POST order")
    assert server["attributes"]["http.response.status_code"] == "202"
    assert publish["parent"] == server["id"]
    assert not orphans(spans)


async def test_an_answer_of_503_is_an_error_of_the_server(running: Served) -> None:
    answer = await running.http("GET", "/fn/unavailable/")
    spans = await spans_of(running, answer.headers["traceparent"].split("-")[1])

    assert answer.status == 503
    server = spans[0]
    assert (server["kind"], server["status"], server["attributes"]["error.type"]) == (
        "Server",
        "Error",
        "503",
    )
    assert server["attributes"]["http.response.status_code"] == "503"


async def test_nothing_is_an_orphan_where_the_process_ends_itself(running: Served) -> None:
    outcome = await running.invoke("dies")
    spans = await spans_of(running, outcome.record.trace_id)
    lines = await running.rows("SELECT SpanId FROM otel_logs WHERE Body = 'printing the label'")

    assert outcome.record.status == "crash"
    assert not orphans(spans)
    pack, weigh, label = (named(spans, name) for name in ("pack", "weigh", "label"))
    assert weigh["parent"] == label["parent"] == pack["id"]
    assert (pack["status"], label["status"], weigh["status"]) == ("Error", "Error", "Unset")
    assert pack["attributes"]["relive.unfinished"] == "true"
    assert pack["parent"] == outcome.record.span_id
    assert lines == [(label["id"],)]
    assert named(spans, "stick")["parent"] == label["id"]


async def test_an_uncaught_exception_is_in_the_log(running: Served) -> None:
    outcome = await running.invoke("fails")
    [(name, severity, body, attributes, span_id)] = await running.rows(
        "SELECT EventName, SeverityText, Body, LogAttributes, SpanId FROM otel_logs"
        " WHERE TraceId = {trace:String}",
        trace=outcome.record.trace_id,
    )
    spans = await spans_of(running, outcome.record.trace_id)

    assert (name, severity, body) == ("exception", "ERROR", "KeyError: 'sku'")
    assert attributes["exception.type"] == "KeyError"
    assert "app.py" in attributes["exception.stacktrace"]
    assert span_id == outcome.record.span_id
    invoke = named(spans, "fails")["attributes"]
    for place in ("code.file.path", "code.function.name", "code.line.number"):
        assert invoke[place] == attributes[place]
    assert (invoke["code.file.path"], invoke["code.function.name"]) == ("app.py", "app.fails")


async def test_retries_are_numbered_and_follow_each_other(running: Served) -> None:
    answer = await running.http("POST", "/fn/shaky/", b"{}", {"x-amz-invocation-type": "Event"})
    await settled(running)
    spans = await spans_of(running, json.loads(answer.body)["trace_id"])

    assert not orphans(spans)
    attempts = [[s for s in spans if s["attributes"].get("relive.attempt") == n] for n in ("1", "2")]
    assert [{s["name"] for s in attempt} >= {"process shaky", "queue", "shaky"} for attempt in attempts]
    ends = [max(s["start"] + s["duration"] for s in attempt) for attempt in attempts]
    assert ends[0] <= min(s["start"] for s in attempts[1])
