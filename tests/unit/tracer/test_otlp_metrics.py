"""Rows of the metrics' tables as OTLP messages."""

from __future__ import annotations

from relive_base.wire.messages import MetricData, MetricPoint
from relive_tracer.explore.metric_rows import metric_tables
from relive_tracer.explore.otlp_metrics import metric_row_dicts, metrics_request
from relive_tracer.explore.rows import FunctionRef

REF = FunctionRef("cart", 3, "shop", invocation_id="i-1")


def test_every_kind_goes_out_as_what_it_is() -> None:
    # Given one metric of each kind, one of them with two points and a span
    points = [MetricPoint(20, [3.5, 0.5], {"n": 3}, "ab" * 16, "cd" * 8, start_ns=10)]
    metrics = [
        MetricData("sold", "counter", "{piece}", "Pieces", [*points, MetricPoint(30, [1])], "shop", "2"),
        MetricData("level", "gauge", points=points, scope="shop", scope_version="2"),
        MetricData("took", "histogram", points=points, bounds=[1, 2], scope="shop", scope_version="2"),
        MetricData("fine", "histogram", points=points, exponential=True, scope="shop", scope_version="2"),
    ]
    tables = metric_tables((metric, REF) for metric in metrics)
    # When they are made messages of, table by table
    request = metrics_request(row for table in tables for row in metric_row_dicts(table.columns))
    # I expect one resource and scope, and each metric with its data
    [resource] = request.resource_metrics
    assert any(pair.key == "service.name" for pair in resource.resource.attributes)
    [scope] = resource.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("shop", "2")
    found = {metric.name: metric for metric in scope.metrics}
    sold, took, fine = found["sold"], found["took"].histogram, found["fine"].exponential_histogram
    assert (sold.unit, sold.description) == ("{piece}", "Pieces")
    assert (sold.sum.aggregation_temporality, sold.sum.is_monotonic) == (1, True)
    first, second = sold.sum.data_points
    assert (first.as_double, second.as_double) == (4.0, 1.0)
    assert (first.start_time_unix_nano, first.time_unix_nano) == (10, 20)
    assert first.attributes[0].value.int_value == 3
    assert first.exemplars[0].trace_id.hex() == "ab" * 16
    assert found["level"].gauge.data_points[0].as_double == 0.5
    assert list(took.data_points[0].bucket_counts) == [1, 0, 1]
    assert list(took.data_points[0].explicit_bounds) == [1, 2]
    assert (fine.data_points[0].count, fine.data_points[0].max) == (2, 3.5)
    assert sum(fine.data_points[0].positive.bucket_counts) == 2


def test_a_summary_goes_out_too() -> None:
    [request] = metrics_request(
        metric_row_dicts(
            {
                "ServiceName": ["s"], "ResourceAttributes": [{}], "ScopeName": [""], "ScopeVersion": [""],
                "MetricName": ["m"], "MetricUnit": [""], "MetricDescription": [""], "Attributes": [{}],
                "AttributeTypes": [{}], "StartTimeUnix": [1], "TimeUnix": [2], "Flags": [0], "Count": [4],
                "Sum": [2.0], "ValueAtQuantiles.Quantile": [[0.5]], "ValueAtQuantiles.Value": [[7.0]],
            }
        )
    ).resource_metrics  # fmt: skip
    [point] = request.scope_metrics[0].metrics[0].summary.data_points
    assert (point.count, point.quantile_values[0].value) == (4, 7.0)
