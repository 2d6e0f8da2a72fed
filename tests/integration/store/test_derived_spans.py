"""The spans that the store makes of an invocation's row are those that `platform_rows` makes."""

from __future__ import annotations

from typing import Any

import pytest
from relive_base.records import InvocationRecord
from relive_base.wire.messages import SpanData
from relive_store import Store
from relive_tracer.explore.invocation_rows import invocation_columns
from relive_tracer.explore.platform_rows import derives_spans, platform_columns
from tracer_records import MS, NOW, failed_record, record

SPANS = """
SELECT Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
       mapSort(ResourceAttributes), ScopeName, ScopeVersion, mapSort(SpanAttributes), Duration, StatusCode,
       StatusMessage, length(Events.Name), length(Links.SpanId), InvocationId, IsError, HttpStatus
FROM otel_traces ORDER BY SpanId
"""


def warm(**more: Any) -> InvocationRecord:
    """It did not have to wait for a worker."""
    return record(dispatched_ns=NOW + MS // 2, **more)


GIVEN = "deployment.environment.name=prod"
ORDINARY = (
    warm(),
    warm(parent_span_id="ca" * 8),
    warm(http_route="", http_path="/fn/checkout/ü?", http_status=404),
    warm(http_method="GET", function="preis ü", version=4_000_000_000),
    warm(app="", code_hash=""),
    warm(code_hash="ab" * 32, cold=True, memory_limit_bytes=0),
    warm(http_status=0),
    warm(responded_ns=0),
    warm(ended_ns=0),
    warm(ended_ns=NOW, responded_ns=NOW - MS),  # a clock that went back
    warm(
        http_scheme="https",
        http_host="shop.example:8443",
        http_query="sku=ü&n=1",
        client="203.0.113.9",
        peer="127.0.0.1",
        peer_port=54321,
        user_agent='Mozilla/5.0 ("quoted", \\)',
        instance="w-1",
        resource="team=blau%20weiß",
    ),
    warm(http_scheme="http", http_host="[::1]", peer="::1", peer_port=7),
)


def test_ordinary_invocations_have_the_same_spans_from_the_store(store: Store) -> None:
    # Given ordinary invocations of every shape, and spans made of them here
    assert all(map(derives_spans, ORDINARY))
    store.insert("otel_traces", platform_columns(ORDINARY, GIVEN))
    made_here = list(store.query(SPANS).rows())
    store.execute("TRUNCATE TABLE otel_traces")
    # When only their rows are inserted
    store.insert("invocations", invocation_columns(ORDINARY, derived=[True] * len(ORDINARY), given=GIVEN))
    # I expect the same spans
    assert list(store.query(SPANS).rows()) == made_here
    assert len(made_here) == 2 * len(ORDINARY)


def test_rows_of_other_invocations_make_no_spans(store: Store) -> None:
    others = [
        failed_record(),
        record(),  # it waited for a worker
        warm(attempt=2),
        warm(trigger="api"),
        warm(trace_state="a=b"),
        warm(sampled=False),
        warm(attributes={"own": "1"}),
        warm(http_status=503),
        warm(span=SpanData("", "", "", "", "Internal", 0, 0)),
        warm(init_started_ns=NOW, init_ended_ns=NOW + 1, cold=True),
    ]
    assert not any(map(derives_spans, others))

    store.insert("invocations", invocation_columns(others))

    assert store.query("SELECT count() FROM otel_traces").scalar() == 0


@pytest.mark.parametrize("times", [2, 3])
def test_a_batch_that_is_sent_again_makes_its_spans_once(store: Store, times: int) -> None:
    columns = invocation_columns(ORDINARY, derived=[True] * len(ORDINARY))

    for _ in range(times):
        store.insert("invocations", columns, token="batch-1")

    counts = "SELECT (SELECT count() FROM otel_traces), (SELECT sum(Spans) FROM otel_traces_red_1m)"
    assert next(store.query(counts).rows()) == (2 * len(ORDINARY), 2 * len(ORDINARY))
