"""Spans and log records by OpenTelemetry's semantic conventions: what a backend sees."""

from __future__ import annotations

import importlib
import math
import pkgutil
from typing import Any

import opentelemetry.semconv._incubating.attributes as semconv_incubating
import opentelemetry.semconv.attributes as semconv_stable
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.attributes import json_safe, type_code, typed_value, value_text
from relive_base.records import InvocationRecord
from relive_base.resource import parse_resource_attributes
from relive_base.wire.messages import ErrorInfo, OpenSpan, SpanData, SpanEvent, SpanLink, SpanUpdate
from relive_tracer.explore.failures import OpenSpans, failure_line
from relive_tracer.explore.invoke_spans import merged
from relive_tracer.explore.otlp_messages import column_tuples, logs_request, traces_request
from relive_tracer.explore.platform_rows import platform_columns, server_span
from relive_tracer.explore.rows import FunctionRef, log_columns, span_columns
from tracer_records import MS, NOW, failed_record, record

Wire = dict[str, Any]


def plain(value: Any) -> Any:
    """An AnyValue as the Python value that it stands for."""
    kind = value.WhichOneof("value")
    return [plain(x) for x in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


def on_the_wire(of: InvocationRecord, given: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """The platform's spans by name as OTLP has them, and the resource's attributes."""
    (group,) = traces_request(column_tuples("traces", platform_columns([of], given))).resource_spans
    spans = {span.name: span for scope in group.scope_spans for span in scope.spans}
    return spans, attributes(group.resource.attributes)


SCALARS = st.one_of(
    st.text(max_size=20), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.one_of(SCALARS, st.lists(SCALARS, max_size=4))))
def test_every_type_survives_from_a_span_to_otlp(values: dict[str, Any]) -> None:
    span = SpanData(
        "1" * 32, "2" * 16, "", "own", "Internal", NOW, NOW + MS, attributes=dict(values),
        events=[SpanEvent(NOW, "e", dict(values))], links=[SpanLink("3" * 32, "4" * 16, "", dict(values))],
    )  # fmt: skip
    columns = span_columns([(span, FunctionRef("f", 1))])
    assert all(type(x) is str for x in columns["SpanAttributes"][0].values())  # type: ignore[attr-defined]

    (group,) = traces_request(column_tuples("traces", columns)).resource_spans

    (sent,) = group.scope_spans[0].spans
    for found in (sent.attributes, sent.events[0].attributes, sent.links[0].attributes):
        assert [(k, type(v), v) for k, v in attributes(found).items()] == [
            (k, type(v), v) for k, v in values.items()
        ]


def test_a_text_that_looks_like_a_number_stays_text() -> None:
    span = SpanData(
        "1" * 32, "2" * 16, "", "own", "Internal", 1, 2, attributes={"server.port": "80", "n": "7"}
    )
    columns = span_columns([(span, FunctionRef("f", 1))])
    (group,) = traces_request(column_tuples("traces", columns)).resource_spans
    assert attributes(group.scope_spans[0].spans[0].attributes) == {"server.port": "80", "n": "7"}


@pytest.mark.parametrize(
    ("text", "code"), [("x", "i"), ("maybe", "b"), ("{}", "a"), ("[[1]]", "a"), ("9" * 30, "i")]
)
def test_text_that_is_not_of_its_type_stays_text(text: str, code: str) -> None:
    assert typed_value(text, code) == text


def test_numbers_that_json_has_not() -> None:
    assert math.isnan(typed_value(value_text(math.nan), type_code(math.nan)))  # type: ignore[arg-type]
    assert typed_value(value_text(-math.inf), "d") == -math.inf


HTTP: Wire = {
    "http_scheme": "https", "http_host": "shop.example", "http_query": "sku=A", "client": "203.0.113.9",
    "peer": "127.0.0.1", "peer_port": 54321, "user_agent": "curl/8", "instance": "w-1",
}  # fmt: skip


def test_a_server_span_says_who_asked_for_what() -> None:
    spans, resource = on_the_wire(record(**HTTP), "deployment.environment.name=prod,host.name=ours")
    server = attributes(spans["POST /checkout"].attributes)
    expected = {
        "faas.trigger": "http", "url.scheme": "https", "url.query": "sku=A", "url.path": "/fn/checkout/7",
        "server.address": "shop.example", "server.port": 443, "client.address": "203.0.113.9",
        "network.peer.address": "127.0.0.1", "network.peer.port": 54321, "user_agent.original": "curl/8",
        "http.response.status_code": 200,
    }  # fmt: skip
    assert expected.items() <= server.items()
    assert resource["service.instance.id"] == resource["faas.instance"] == "w-1"
    assert (resource["deployment.environment.name"], resource["host.name"]) == ("prod", "ours")
    assert {"telemetry.sdk.name", "telemetry.sdk.version", "telemetry.sdk.language"} <= resource.keys()
    assert resource["service.name"] == "checkout"


@pytest.mark.parametrize(
    ("host", "scheme", "address", "port"),
    [
        ("a:81", "http", "a", 81),
        ("a", "http", "a", 80),
        ("[::1]:9", "http", "::1", 9),
        ("a:x", "https", "a", 443),
    ],
)
def test_host_headers(host: str, scheme: str, address: str, port: int) -> None:
    spans, _ = on_the_wire(record(http_host=host, http_scheme=scheme))
    found = attributes(spans["POST /checkout"].attributes)
    assert (found["server.address"], found["server.port"]) == (address, port)


BAD_EVENT = ErrorInfo(type="BadEvent", message="x", kind="bad_event")


@pytest.mark.parametrize(
    ("more", "code", "error_type"),
    [
        ({"http_status": 200}, 0, None),
        ({"http_status": 404}, 0, None),
        ({"http_status": 503}, 2, "503"),
        ({"http_status": 500, "status": "error", "error": ErrorInfo(type="E", message="x")}, 2, "E"),
        ({"http_status": 400, "status": "error", "error": BAD_EVENT}, 0, None),
        # In the middle of an answer: its head had been sent.
        ({"http_status": 200, "status": "error", "error": ErrorInfo(type="E", message="x")}, 2, "E"),
        ({"http_status": 404, "status": "timeout"}, 2, "timeout"),
        ({"http_status": 504, "status": "timeout"}, 2, "timeout"),
    ],
)  # fmt: skip
def test_a_server_span_fails_by_its_http_status_or_midway(
    more: Wire, code: int, error_type: str | None
) -> None:
    spans, _ = on_the_wire(record(**more))
    server = spans["POST /checkout"]
    assert server.status.code == code
    assert attributes(server.attributes).get("error.type") == error_type


def test_nothing_of_ours_says_ok() -> None:
    records = [
        record(),
        record(dispatched_ns=NOW),
        record(trigger="call"),
        record(trigger="timer", attempt=2),
    ]
    codes = {code for of in records for code in platform_columns([of])["StatusCode"]}
    assert codes == {"Unset"}


def test_scopes_have_a_version() -> None:
    for of in (record(), record(dispatched_ns=NOW)):
        (group,) = traces_request(column_tuples("traces", platform_columns([of]))).resource_spans
        assert [(s.scope.name, bool(s.scope.version)) for s in group.scope_spans] == [("relive", True)]


def test_what_the_code_put_on_the_invoke_span_is_on_it() -> None:
    def update(whole: bool = False, **more: Any) -> SpanUpdate:
        return SpanUpdate(
            invocation_id="i", whole=whole, span=SpanData("", "", "", "", "Internal", 0, 0, **more)
        )

    span = merged(
        [
            update(attributes={"order": 1, "faas.name": "not mine"}),
            update(attributes={"order": 2}, events=[SpanEvent(NOW, "priced", {"rules": 3})]),
            update(status="Ok"),
        ]
    )
    spans, _ = on_the_wire(record(span=span))
    invoke = spans["checkout"]
    found = attributes(invoke.attributes)
    assert (found["order"], found["faas.name"]) == (2, "checkout")
    assert [(e.name, attributes(e.attributes)) for e in invoke.events] == [("priced", {"rules": 3})]
    assert invoke.status.code == 1  # the code said so itself

    # A failure is ours to tell, beside what was there.
    spans, _ = on_the_wire(failed_record(span=span))
    assert [e.name for e in spans["checkout"].events] == ["priced", "exception"]
    assert spans["checkout"].status.code == 2
    assert merged([update(attributes={"a": 1}), update(True, attributes={"b": 2})]).attributes == {"b": 2}


def test_a_timers_wait_lies_below_its_span() -> None:
    timer = {
        "trigger": "timer", "enqueued_ns": NOW - 5 * MS, "event_id": "t-1",
        "attributes": {"faas.cron": "*/5 * * * *", "faas.time": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    spans, _ = on_the_wire(record(**timer))
    trigger, queue = spans["timer checkout"], spans["queue"]
    assert queue.parent_span_id == trigger.span_id
    assert trigger.start_time_unix_nano <= queue.start_time_unix_nano
    assert queue.end_time_unix_nano <= trigger.end_time_unix_nano
    found = attributes(trigger.attributes)
    assert (found["faas.trigger"], found["faas.cron"]) == ("timer", "*/5 * * * *")
    assert found["faas.time"] == "2026-01-01T00:00:00Z"


def test_retries_are_numbered_and_do_not_overlap() -> None:
    # Given two attempts at one event; the second became due after the first had ended
    queued = {"trigger": "queue", "enqueued_ns": NOW, "event_id": "e", "link_span_id": "ab" * 8}
    first = record(NOW + MS, **queued, link_trace_id="1" * 32, trace_id="1" * 32)
    due = first.responded_ns + 50 * MS
    second = record(
        due + MS, **queued, attempt=2, ready_ns=due, link_trace_id="1" * 32, trace_id="1" * 32
    )  # fmt: skip
    one, _ = on_the_wire(first)
    two, _ = on_the_wire(second)
    assert max(s.end_time_unix_nano for s in one.values()) <= min(
        s.start_time_unix_nano for s in two.values()
    )
    assert {attributes(s.attributes)["relive.attempt"] for s in one.values()} == {1}
    assert {attributes(s.attributes)["relive.attempt"] for s in two.values()} == {2}
    assert second.queue_ns == second.dispatched_ns - due


def test_an_answer_that_came_first_has_a_server_span() -> None:
    span = server_span(record(http_status=202, **HTTP))
    assert (span.kind, span.status, span.name) == ("Server", "Unset", "POST /checkout")
    assert (span.attributes["http.response.status_code"], span.attributes["server.port"]) == (202, 443)
    refused = server_span(record(http_status=507, error=ErrorInfo(type="DiskFull", message="full")))
    assert (refused.status, refused.attributes["error.type"]) == ("Error", "DiskFull")


def test_an_uncaught_exception_is_a_log_record() -> None:
    failed = failed_record()
    assert failed.error is not None
    failed.error.module = "shop.cart"
    line = failure_line(failed)
    assert line is not None
    request = logs_request(column_tuples("logs", log_columns([(line, FunctionRef("checkout", 3))])))
    (sent,) = request.resource_logs[0].scope_logs[0].log_records
    found = attributes(sent.attributes)
    assert (sent.event_name, sent.severity_number, sent.trace_id.hex()) == ("exception", 17, failed.trace_id)
    assert (found["exception.type"], found["exception.message"]) == ("KeyError", "'sku'")
    assert found["exception.stacktrace"].startswith("Traceback")
    assert (found["code.function.name"], found["code.line.number"]) == ("shop.cart.price", 88)
    spans, _ = on_the_wire(failed)
    invoke = attributes(spans["checkout"].attributes)
    assert {k: invoke[k] for k in found if k.startswith("code.")} == {
        k: found[k] for k in found if k.startswith("code.")
    }
    assert failure_line(record()) is None


def test_spans_that_nobody_ended_end_with_their_process() -> None:
    opened = OpenSpans()
    of = failed_record(status="crash")
    outer = OpenSpan(of.trace_id, "aa" * 8, of.span_id, "outer", "Internal", NOW, "t")
    inner = OpenSpan(of.trace_id, "bb" * 8, "aa" * 8, "inner", "Client", NOW + MS, "t")
    opened.opened(of.invocation_id, 1, [outer, inner])
    opened.ended(of.invocation_id, 1, inner.span_id)

    (left,) = opened.left(of)

    assert (left.name, left.span_id, left.parent_span_id, left.status) == (
        "outer",
        "aa" * 8,
        of.span_id,
        "Error",
    )
    assert (left.end_ns, left.attributes["relive.unfinished"]) == (of.ended_ns, True)
    assert opened.left(of) == []
    # of an invocation that succeeded, a thread may end them later
    fine = record()
    opened.opened(fine.invocation_id, 1, [outer])
    assert opened.left(fine) == []


@given(st.text())
def test_resource_attributes_of_any_text(text: str) -> None:
    assert all(parse_resource_attributes(text).keys())


def test_numbers_that_json_has_not_are_text_in_a_scene() -> None:
    values = {"a": math.nan, "b": [1.5, math.inf], "c": {"d": -math.inf, "e": True, "f": "x"}}
    assert json_safe(values) == {"a": "nan", "b": [1.5, "inf"], "c": {"d": "-inf", "e": True, "f": "x"}}


def conventional_names() -> set[str]:
    """All attribute names of OpenTelemetry's published semantic conventions."""
    found: set[str] = set()
    for package in (semconv_stable, semconv_incubating):
        for module in pkgutil.iter_modules(package.__path__):
            names = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
            found |= {value for value in names.values() if isinstance(value, str) and "." in value}
    return found


def test_every_name_is_a_conventional_one_or_ours() -> None:
    known = conventional_names()
    records = [
        record(**HTTP),
        failed_record(status="crash", cold=True, init_started_ns=NOW, init_ended_ns=NOW + MS),
        record(trigger="queue", event_id="e", link_span_id="ab" * 8, enqueued_ns=NOW - MS, attempt=2),
        record(trigger="timer", event_id="t", attributes={"faas.cron": "* * * * *", "faas.time": "x"}),
        record(trigger="call", caller_invocation_id="i", event_id="e"),
    ]
    columns = platform_columns(records, "deployment.environment.name=x")
    line = failure_line(failed_record())
    assert line is not None
    logs = log_columns([(line, FunctionRef("f", 1, "app", "hash", "i", 2, "w"))])
    used = {
        name
        for column in (columns["SpanAttributes"], columns["ResourceAttributes"], logs["LogAttributes"])
        for attributes in column
        for name in attributes  # type: ignore[attr-defined]
    }
    assert {name for name in used - known if not name.startswith("relive.")} == set()
