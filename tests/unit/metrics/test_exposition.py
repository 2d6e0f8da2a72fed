"""What Prometheus reads, read by its own client library's parsers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from relive_platform.metrics.exposition import exposition, wants_openmetrics
from relive_platform.metrics.families import COUNTER, GAUGE, HISTOGRAM, Exemplar, Family, HistogramPoint
from relive_platform.metrics.families import NumberPoint as Number
from relive_platform.metrics.messages import metric_messages

FAMILIES = [
    Family("faas.invocations", COUNTER, "1", "All.", numbers=[Number((("faas.name", "checkout"),), 7)]),
    Family("relive.store.lag", GAUGE, "s", "Behind.", numbers=[Number((), 0.25)]),
    Family(
        "faas.invoke_duration",
        HISTOGRAM,
        "s",
        "Time.",
        histograms=[
            HistogramPoint(
                (("faas.name", "checkout"),),
                (0.01, 0.1),
                (3, 0, 1),
                1.5,
                (Exemplar("ab" * 16, 0.004, 1_700_000_000_123_000_000), None, None),
            )
        ],
    ),
    Family("relive.nothing", GAUGE, "1", "Left out."),
]


def samples(families: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


@pytest.mark.parametrize(
    ("parse", "flag"), [(openmetrics, True), (prometheus, False)], ids=["openmetrics", "text"]
)
def test_both_forms_say_the_same(parse: Any, flag: bool) -> None:
    # Given a counter, a gauge and a histogram, when their text is parsed by Prometheus's own library
    families = list(parse(exposition(FAMILIES, openmetrics=flag)))
    # I expect their values, and nothing of the family without points
    name = (("faas_name", "checkout"),)
    assert samples(families) == {
        ("faas_invocations_total", name): 7,
        ("relive_store_lag_seconds", ()): 0.25,
        ("faas_invoke_duration_seconds_bucket", (*name, ("le", "0.01"))): 3,
        ("faas_invoke_duration_seconds_bucket", (*name, ("le", "0.1"))): 3,
        ("faas_invoke_duration_seconds_bucket", (*name, ("le", "+Inf"))): 4,
        ("faas_invoke_duration_seconds_count", name): 4,
        ("faas_invoke_duration_seconds_sum", name): 1.5,
    }
    assert {family.type for family in families} == {"counter", "gauge", "histogram"}


def test_openmetrics_has_units_and_exemplars() -> None:
    families = {family.name: family for family in openmetrics(exposition(FAMILIES, openmetrics=True))}
    found = families["faas_invoke_duration_seconds"]
    assert found.unit == "seconds"
    exemplars = [sample.exemplar for sample in found.samples if sample.exemplar]
    assert [(one.labels, one.value) for one in exemplars] == [({"trace_id": "ab" * 16}, 0.004)]
    assert float(exemplars[0].timestamp) == 1_700_000_000.123


@given(st.lists(st.text(max_size=40), max_size=4), st.text(max_size=60), st.floats())
def test_no_text_breaks_out_of_its_place(values: list[str], doc: str, number: float) -> None:
    pairs = tuple((f"l{at}", value) for at, value in enumerate(values))
    family = Family("a.b", GAUGE, "1", doc.strip() or "x", numbers=[Number(pairs, number)])
    [found] = openmetrics(exposition([family], openmetrics=True))
    [sample] = found.samples
    assert len(sample.labels) == len(values)
    assert sample.value == number or number != number


def test_as_messages_counters_have_a_beginning_and_gauges_none() -> None:
    told = {one.name: one for one in metric_messages(FAMILIES, 5, 9)}
    assert set(told) == {"faas.invocations", "relive.store.lag"}
    counter, gauge = told["faas.invocations"], told["relive.store.lag"]
    assert (counter.kind, counter.points[0].values, counter.points[0].start_ns) == ("total", [7], 5)
    assert counter.points[0].attributes == {"faas.name": "checkout"}
    assert (gauge.kind, gauge.unit, gauge.points[0].time_ns, gauge.points[0].start_ns) == ("gauge", "s", 9, 0)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1", True),
        ("text/plain", False),
        ("", False),
        ("application/openmetrics-text; q=0, text/plain", False),
    ],
)
def test_what_a_client_accepts(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) == wanted
