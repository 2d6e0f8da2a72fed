"""Measurements become rows: sums, buckets, the last value, and exemplars that lead to a span."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import MetricData, MetricPoint
from relive_tracer.explore.histograms import bucket_counts, exponential
from relive_tracer.explore.metric_rows import CUMULATIVE, DELTA, metric_tables
from relive_tracer.explore.rows import FunctionRef

REF = FunctionRef("cart", 3, "shop", invocation_id="i-1")


def rows_of(*metrics: MetricData) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table in metric_tables((metric, REF) for metric in metrics):
        columns = table.columns
        values = zip(*columns.values(), strict=True)
        found[table.table] = [dict(zip(columns, row, strict=True)) for row in values]
    return found


def test_measurements_with_the_same_attributes_are_one_row() -> None:
    # Given three measurements of a counter, two of them with the same attributes
    red: dict[str, Any] = {"color": "red", "big": True}
    points = [
        MetricPoint(10, [1], red, "a" * 32, "b" * 16),
        MetricPoint(30, [2, 3], dict(red), "c" * 32, "d" * 16, start_ns=20),
        MetricPoint(15, [7], {"color": "blue"}),
    ]
    # When they become rows
    [first, second] = rows_of(MetricData("sold", "counter", "{piece}", "Pieces", points))["otel_metrics_sum"]
    # I expect sums of what is new, the time they span, and the last span
    assert (first["Value"], first["StartTimeUnix"], first["TimeUnix"]) == (6.0, 10, 30)
    assert (first["AggregationTemporality"], first["IsMonotonic"]) == (DELTA, True)
    assert first["Attributes"] == {"color": "red", "big": "true"}
    assert first["AttributeTypes"] == {"big": "b"}
    assert (first["Exemplars.TraceId"], first["Exemplars.Value"]) == (["c" * 32], [3.0])
    assert (first["ServiceName"], first["InvocationId"], first["MetricUnit"]) == ("cart", "i-1", "{piece}")
    assert (second["Value"], second["Exemplars.TraceId"]) == (7.0, [])


def test_each_kind_has_its_table() -> None:
    points = [MetricPoint(1, [3, 1.5])]
    tables = rows_of(
        *(MetricData(kind, kind, points=points) for kind in ("up_down_counter", "gauge", "total", "level")),
        MetricData("histogram", "histogram", points=points, bounds=[1, 2]),
        MetricData("fine", "histogram", points=points, exponential=True),
        MetricData("unknown", "nonsense", points=points),
        MetricData("nothing", "counter", points=[MetricPoint(1, [])]),
        MetricData("not a number", "histogram", points=[MetricPoint(1, [float("nan"), float("inf")])]),
    )
    sums = {row["MetricName"]: row for row in tables["otel_metrics_sum"]}
    assert {name: (row["Value"], row["AggregationTemporality"]) for name, row in sums.items()} == {
        "up_down_counter": (4.5, DELTA),
        "total": (1.5, CUMULATIVE),
        "level": (1.5, CUMULATIVE),
    }
    assert [row["IsMonotonic"] for row in sums.values()] == [False, True, False]
    assert [row["Value"] for row in tables["otel_metrics_gauge"]] == [1.5]
    [row] = tables["otel_metrics_histogram"]
    assert (row["Count"], row["Sum"], row["Min"], row["Max"]) == (2, 4.5, 1.5, 3.0)
    assert (row["ExplicitBounds"], row["BucketCounts"]) == ([1, 2], [0, 1, 1])
    [row] = tables["otel_metrics_exponential_histogram"]
    assert (row["Count"], row["ZeroCount"], sum(row["PositiveBucketCounts"])) == (2, 0, 2)


def test_no_sum_is_nan_or_infinite_and_a_gauge_may_be_infinite() -> None:
    # Given what a worker's channel brings: NaN, infinities, and numbers whose sum is too large
    nan, inf = float("nan"), float("inf")
    points = [MetricPoint(1, [nan], {}, "a" * 32, "b" * 16), MetricPoint(2, [inf, 3], {}, "c" * 32, "d" * 16)]
    tables = rows_of(
        MetricData("sum", "counter", points=points),
        MetricData("last", "level", points=[MetricPoint(1, [5, nan])]),
        MetricData("none", "counter", points=points[:1]),
        MetricData("large", "counter", points=[MetricPoint(1, [1e308, 1e308])]),
        MetricData("far", "gauge", points=[MetricPoint(1, [inf], {}, "e" * 32, "f" * 16), points[0]]),
        MetricData("spread", "histogram", points=points),
    )
    # I expect the finite ones added up, exemplars that are numbers, and the gauge as it is
    sums = {row["MetricName"]: row["Value"] for row in tables["otel_metrics_sum"]}
    assert sums == {"sum": 3.0, "last": 5.0, "large": 1.7976931348623157e308}
    [gauge] = tables["otel_metrics_gauge"]
    assert (gauge["Value"], gauge["Exemplars.TraceId"]) == (inf, ["e" * 32])
    [row] = tables["otel_metrics_histogram"]
    assert (row["Count"], row["Sum"], row["Exemplars.Value"]) == (1, 3.0, [3.0])


def test_bounds_that_make_no_buckets_are_not_taken() -> None:
    points = [MetricPoint(1, [3])]
    for bounds in ([2.0, 1.0], [float("nan")], [float(n) for n in range(10_000)]):
        metric = MetricData("m", "histogram", points=points, bounds=bounds)
        [row] = rows_of(metric)["otel_metrics_histogram"]
        assert len(row["ExplicitBounds"]) == 15


VALUES = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50)


@given(VALUES)
def test_an_exponential_histogram_holds_every_value_in_its_bucket(values: list[float]) -> None:
    found = exponential(values)
    base = 2 ** (2.0**-found.scale) if found.scale > -10 else None
    assert found.zero_count + sum(found.positive_counts) + sum(found.negative_counts) == len(values)
    assert max(len(found.positive_counts), len(found.negative_counts)) <= 160
    positive = [value for value in values if value > 0]
    if positive and base is not None and found.positive_offset + len(found.positive_counts) < 1_000 * 2**20:
        low, high = min(positive), max(positive)
        try:
            assert base**found.positive_offset <= low * (1 + 1e-6)
            assert base ** (found.positive_offset + len(found.positive_counts)) >= high * (1 - 1e-6)
        except OverflowError:
            return


@given(VALUES, st.lists(st.floats(-1e6, 1e6), unique=True, max_size=20).map(sorted))
def test_a_bucket_holds_what_is_up_to_its_bound(values: list[float], bounds: list[float]) -> None:
    counts = bucket_counts(values, bounds)
    edges = [float("-inf"), *bounds, float("inf")]
    assert counts == [sum(low < value <= high for value in values) for low, high in pairwise(edges)]
