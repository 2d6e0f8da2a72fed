"""Log lines in JSON: level and fields; metrics that are embedded in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import LogLine
from relive_tracer.explore.emf import embedded_metrics
from relive_tracer.explore.json_lines import fields_of, structure


def line(fields: object, **more: Any) -> LogLine:
    body = fields if isinstance(fields, str) else json.dumps(fields)
    return LogLine(1_000, "INFO", body, "a" * 32, "b" * 16, **more)


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"level": "Warning"}, "WARN"),
        ({"severity": "CRITICAL"}, "FATAL"),
        ({"levelname": "debug"}, "DEBUG"),
        ({"level": 50}, "ERROR"),
        ({"level": True}, "INFO"),
        ({"level": "gold"}, "INFO"),
        ({"level": {"a": 1}}, "INFO"),
    ],
)
def test_the_level_of_a_printed_line(fields: dict[str, Any], severity: str) -> None:
    found = line(fields)
    structure(found)
    assert found.severity == severity


def test_fields_are_attributes_and_what_the_line_has_stays() -> None:
    # Given a record of the logging module whose text is JSON
    fields = {
        "message": "paid", "level": "ERROR",
        "order": {"id": 7, "to": {"at": {"deep": {"er": 1}}}, "none": {}},
        "cents": 12, "ok": True, "none": None,
        "tags": ["a"], "long": "x" * 9_000, "relive.source": "forged", "user": "forged",
        "trace_id": "a" * 32, "span_id": "c" * 16, "big": 2**70,
    }  # fmt: skip
    found = line(fields, source="logging", attributes={"user": "ada"})
    body = found.body
    structure(found)
    # I expect its own level and attributes to stay, its body too
    assert (found.severity, found.body, found.span_id) == ("INFO", body, "c" * 16)
    long = found.attributes.pop("long")
    assert isinstance(long, str)
    assert len(long) == 4_096
    assert found.attributes == {
        "order.id": 7, "order.to.at.deep": '{"er":1}', "order.none": "{}",
        "cents": 12, "ok": True, "tags": ["a"], "user": "ada", "big": str(2**70),
        "trace_id": "a" * 32, "span_id": "c" * 16,
    }  # fmt: skip


@given(st.text(max_size=40) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_what_is_no_object_stays_as_it_is(body: str) -> None:
    found = line(body)
    if fields_of(body) is None:
        assert structure(found) is None
        assert found == line(body)


def test_blanks_around_an_object_change_nothing() -> None:
    assert fields_of('  \t{"level": "error"} ') == {"level": "error"}


def test_a_line_that_is_nested_too_deep_stays_as_it_is() -> None:
    assert structure(line('{"a":' * 100_000 + "1" + "}" * 100_000)) is None


def test_embedded_metrics_are_counters_and_histograms() -> None:
    about = {
        "Timestamp": 1_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Shop",
                "Dimensions": [["service"], ["service", "env"]],
                "Metrics": [
                    {"Name": "Sold", "Unit": "Count"},
                    {"Name": "Took", "Unit": "Milliseconds"},
                    {"Name": "Gone"},
                ],
            },
            "nonsense",
        ],
    }
    fields = {"_aws": about, "service": "pay", "env": "prod", "Sold": 3, "Took": [1.5, 2, "x"]}
    sold, took = embedded_metrics(fields, line(fields))
    assert (sold.name, sold.kind, sold.unit, sold.scope) == ("Sold", "counter", "1", "Shop")
    assert (took.name, took.kind, took.unit) == ("Took", "histogram", "ms")
    [point] = took.points
    assert (point.values, point.time_ns) == ([1.5, 2], 1_000_000_000_000)
    assert (point.attributes, point.span_id) == ({"service": "pay", "env": "prod"}, "b" * 16)


def test_a_number_that_no_metric_can_have_is_none() -> None:
    # Given whole numbers of any length, as JSON may have them
    directive = {"Metrics": [{"Name": "huge"}, {"Name": "mixed"}]}
    fields = {"_aws": {"CloudWatchMetrics": [directive]}, "huge": 10**400, "mixed": [2**63, 2**63 - 1, True]}
    found = line(fields)
    read = structure(found)
    assert read is not None
    # I expect those that fit
    [mixed] = embedded_metrics(read, found)
    assert (mixed.name, mixed.points[0].values) == ("mixed", [2**63 - 1])


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "a"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(ANY, ANY, ANY)
def test_nonsense_is_no_metric(at: Any, directives: Any, value: Any) -> None:
    fields = {"_aws": {"Timestamp": at, "CloudWatchMetrics": directives}, "a": value}
    for metric in embedded_metrics(fields, line("")):
        assert metric.points[0].values
