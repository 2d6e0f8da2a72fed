"""The platform's spans and the columns of every table."""

from __future__ import annotations

from typing import Any

import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, LogLine, SpanData
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.platform_rows import (
    add_platform_spans,
    derives_spans,
    platform_columns,
    platform_spans,
    producer_span,
)
from relive_tracer.explore.rows import SPAN_COLUMNS, FunctionRef, SpanColumns, log_columns, span_columns
from tracer_records import MS, NOW, failed_record, record


def spans_of(of: InvocationRecord) -> dict[str, dict[str, Any]]:
    columns = platform_spans(of)
    assert tuple(columns) == SPAN_COLUMNS
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return {row["SpanName"]: row for row in rows}


def test_a_cold_http_invocation_has_four_spans() -> None:
    cold = record(
        init_started_ns=NOW + MS, init_ended_ns=NOW + 2 * MS, dispatched_ns=NOW + 2 * MS,
        cold=True, parent_span_id="ca" * 8,
    )  # fmt: skip
    spans = spans_of(cold)
    trigger, queue, init, invoke = (spans[n] for n in ("POST /checkout", "queue", "init", "checkout"))
    assert (trigger["SpanKind"], trigger["ParentSpanId"], trigger["SpanId"]) == (
        "Server", "ca" * 8, cold.trigger_span_id,
    )  # fmt: skip
    assert {s["ParentSpanId"] for s in (queue, init, invoke)} == {cold.trigger_span_id}
    assert {s["TraceId"] for s in spans.values()} == {cold.trace_id}
    assert len({s["SpanId"] for s in spans.values()}) == 4
    assert (trigger["Timestamp"], trigger["Duration"]) == (NOW, 13 * MS)
    assert (queue["Duration"], init["Duration"], invoke["Duration"]) == (MS, MS, 10 * MS)
    assert trigger["SpanAttributes"]["http.response.status_code"] == "200"
    assert trigger["SpanAttributes"]["http.route"] == "/checkout"
    assert invoke["SpanAttributes"] | {"faas.invocation_id": ""} == {
        "faas.invocation_id": "", "faas.name": "checkout", "faas.version": "3", "faas.coldstart": "true",
        "faas.trigger": "http", "faas.max_memory": str(256 << 20), "relive.status": "ok",
    }  # fmt: skip
    assert all(s["SpanAttributes"]["faas.invocation_id"] == cold.invocation_id for s in spans.values())
    assert invoke["ResourceAttributes"]["service.namespace"] == "shop"


def test_spans_of_many_invocations_are_those_of_each() -> None:
    plain = [
        record(dispatched_ns=NOW + MS // 2, http_path=f"/{i}", parent_span_id="ca" * 8) for i in range(3)
    ]
    records = [*plain, failed_record(), record(attempt=2), record(trigger="api"), record(http_route="")]
    one_by_one = SpanColumns()
    for item in records:
        add_platform_spans(one_by_one, item)

    assert rows_of(platform_columns(records)) == rows_of(one_by_one.columns)


def rows_of(columns: dict[str, list[Any]]) -> list[str]:
    return sorted(map(str, zip(*columns.values(), strict=True)))


def test_a_request_that_fails_in_the_middle_of_its_answer_is_an_error() -> None:
    # Given an invocation that raised after the head of its answer, with status 200, had been sent
    broken = failed_record(http_status=200)

    # When its spans are made
    server = spans_of(broken)["POST /checkout"]

    # I expect the server's to be an error, of that exception
    assert (server["StatusCode"], server["StatusMessage"]) == ("Error", "KeyError: 'sku'")
    assert server["SpanAttributes"]["error.type"] == "KeyError"
    assert server["SpanAttributes"]["http.response.status_code"] == "200"


def test_a_request_that_is_no_event_is_its_clients_error() -> None:
    # Given a request whose body is not JSON, which was answered with 400
    error = ErrorInfo(type="BadEvent", message="the event is not JSON", kind="bad_event")
    refused = failed_record(http_status=400, error=error)

    # I expect the server's span not to be an error, and the invocation's to be one
    spans = spans_of(refused)
    assert (spans["POST /checkout"]["StatusCode"], spans["checkout"]["StatusCode"]) == ("Unset", "Error")


@pytest.mark.parametrize("plain", [True, False])
def test_what_was_not_sampled_is_written_as_such(plain: bool) -> None:
    # Given an invocation whose caller does not sample
    told = record(sampled=False) if plain else failed_record(sampled=False)

    # I expect its spans to be written, and not to be left to the store, which takes them for sampled
    assert {span["TraceFlags"] for span in spans_of(told).values()} == {0}
    assert not derives_spans(told)
    assert {span["TraceFlags"] for span in spans_of(record()).values()} == {1}


def test_a_wait_that_was_none_has_no_span() -> None:
    spans = spans_of(record(dispatched_ns=NOW + MS // 2))
    assert set(spans) == {"POST /checkout", "checkout"}


def test_deriving_twice_gives_the_same_rows() -> None:
    one = failed_record()
    assert platform_spans(one) == platform_spans(one)


def test_a_queued_event_is_linked_to_and_below_its_producer() -> None:
    queued = record(
        trigger="queue", enqueued_ns=NOW - 50 * MS, event_id="e7",
        link_span_id="aa" * 8, link_trace_id="bb" * 16, trace_id="bb" * 16,
    )  # fmt: skip
    spans = spans_of(queued)
    consumer, wait = spans["process checkout"], spans["queue"]
    assert (consumer["SpanKind"], consumer["ParentSpanId"]) == ("Consumer", "aa" * 8)
    assert (consumer["Links.TraceId"], consumer["Links.SpanId"]) == (["bb" * 16], ["aa" * 8])
    assert consumer["SpanAttributes"]["messaging.message.id"] == "e7"
    assert (wait["ParentSpanId"], wait["Timestamp"], wait["Duration"]) == ("aa" * 8, NOW - 50 * MS, 51 * MS)
    assert spans["checkout"]["SpanAttributes"]["faas.trigger"] == "pubsub"
    # and in another trace: linked only
    elsewhere = spans_of(record(trigger="queue", link_span_id="aa" * 8, link_trace_id="bb" * 16))
    assert elsewhere["process checkout"]["ParentSpanId"] == ""
    assert elsewhere["process checkout"]["Links.TraceId"] == ["bb" * 16]


def test_a_failure_is_on_the_invoke_span_and_its_trigger() -> None:
    spans = spans_of(failed_record())
    invoke, trigger = spans["checkout"], spans["POST /checkout"]
    assert (invoke["StatusCode"], invoke["StatusMessage"]) == ("Error", "KeyError: 'sku'")
    assert (trigger["StatusCode"], trigger["SpanAttributes"]["error.type"]) == ("Error", "KeyError")
    assert invoke["Events.Name"] == ["exception"]
    assert invoke["Events.Attributes"][0]["exception.stacktrace"].startswith("Traceback")
    assert invoke["SpanAttributes"]["code.file.path"] == "cart.py"
    assert invoke["SpanAttributes"]["code.line.number"] == "88"


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"status": "rejected", "dispatched_ns": 0, "started_ns": 0, "ended_ns": 0}, {"timer checkout"}),
        ({"status": "crash", "started_ns": 0, "ended_ns": 0}, {"timer checkout", "queue", "checkout"}),
        (
            {
                "status": "init_error",
                "started_ns": 0,
                "init_started_ns": NOW + MS,
                "init_ended_ns": NOW + 2 * MS,
            },
            {"timer checkout", "queue", "init"},
        ),
    ],
)
def test_what_did_not_happen_has_no_span(more: dict[str, Any], names: set[str]) -> None:
    spans = spans_of(record(trigger="timer", **more))
    assert set(spans) == names
    assert all(s["Duration"] >= 0 for s in spans.values())
    if "checkout" in spans:  # the process died: from its dispatch to the answer
        assert (spans["checkout"]["Timestamp"], spans["checkout"]["Duration"]) == (NOW + MS, 12 * MS)


def test_the_producers_span() -> None:
    span = producer_span(
        function="orders", trace_id="a" * 32, span_id="b" * 16, parent_span_id="c" * 16,
        start_ns=5, end_ns=3, event_id="e",
    )  # fmt: skip
    assert (span.name, span.kind, span.end_ns, span.status) == ("publish orders", "Producer", 5, "Unset")
    assert span.attributes["messaging.destination.name"] == "orders"


def test_own_spans_and_lines_carry_their_invocation() -> None:
    ref = FunctionRef("checkout", 3, "shop", "h1", "inv", 2)
    span = SpanData("t", "s", "p", "n", "Internal", 5, 9, attributes={"k": "v"})
    columns = span_columns([(span, ref)])
    assert columns["SpanAttributes"] == [{"k": "v", "faas.invocation_id": "inv", "relive.attempt": "2"}]
    assert span.attributes == {"k": "v"}
    assert (columns["Duration"], columns["ServiceName"]) == ([4], ["checkout"])
    line = LogLine(7, "WARN", "careful", "t", "s", "logging", {"logger.name": "shop.cart"})
    logs = log_columns([(line, ref)])
    assert {len(column) for column in logs.values()} == {1}
    assert (logs["SeverityNumber"], logs["ScopeName"], logs["Body"]) == ([13], ["shop.cart"], ["careful"])
    assert logs["LogAttributes"] == [
        {
            "relive.source": "logging",
            "logger.name": "shop.cart",
            "faas.invocation_id": "inv",
            "relive.attempt": "2",
        }
    ]


def test_invocation_columns_are_complete_and_even() -> None:
    columns = invocation_columns([record(), failed_record(cold=True)])
    assert {len(column) for column in columns.values()} == {2}
    assert columns["ErrorType"] == ["", "KeyError"]
    assert columns["Cold"] == [0, 1]
    assert columns["TotalNs"] == [13 * MS, 13 * MS]
    assert columns["RecordVersion"] == [NOW + 13 * MS] * 2
