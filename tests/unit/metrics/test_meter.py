"""Attempts that have ended, counted by function."""

from __future__ import annotations

from typing import Any

from relive_base.records import InvocationRecord
from relive_platform.metrics.families import Family
from relive_platform.metrics.meter import OTHER, Meter

MS = 1_000_000


def attempt(function: str = "checkout", **more: Any) -> InvocationRecord:
    """It waited 2 ms for its worker and took 30 ms."""
    given: dict[str, Any] = {
        "accepted_ns": 10 * MS,
        "dispatched_ns": 12 * MS,
        "started_ns": 13 * MS,
        "ended_ns": 43 * MS,
        "responded_ns": 44 * MS,
        "cpu_ns": 20 * MS,
        "peak_rss_bytes": 40 * 1024 * 1024,
        "trigger": "http",
        "trace_id": "ab" * 16,
        **more,
    }
    return InvocationRecord(
        invocation_id="i", function=function, version=1, span_id="s", trigger_span_id="t", **given
    )


def by_name(meter: Meter) -> dict[str, Family]:
    return {family.name: family for family in meter.read()}


def values(family: Family) -> dict[tuple[str, ...], float]:
    return {tuple(value for _, value in point.attributes): point.value for point in family.numbers}


def test_attempts_are_counted_by_what_became_of_them() -> None:
    # Given attempts of every kind
    meter = Meter()
    for one in (
        attempt(),
        attempt(trigger="timer"),
        attempt(status="error"),
        attempt(status="timeout", cold=True, init_started_ns=11 * MS, init_ended_ns=12 * MS),
        attempt(status="rejected", dispatched_ns=0, started_ns=0),
    ):
        meter.observe(one)
    # I expect them in their counters; who was rejected did not run
    found = by_name(meter)
    assert values(found["faas.invocations"]) == {("checkout", "http"): 3, ("checkout", "timer"): 1}
    assert values(found["faas.errors"]) == {("error", "checkout"): 1, ("timeout", "checkout"): 1}
    assert values(found["faas.timeouts"]) == {("checkout",): 1}
    assert values(found["faas.coldstarts"]) == {("checkout",): 1}
    assert values(found["relive.rejected"]) == {("checkout",): 1}
    [durations] = found["faas.invoke_duration"].histograms
    assert (durations.count, round(durations.total, 6)) == (4, 0.12)
    [waited] = found["relive.waited"].histograms
    assert waited.counts[:3] == (1, 3, 0)  # up to 1, 2.5 and 5 ms: a cold start is no waiting
    [init] = found["faas.init_duration"].histograms
    assert (init.count, init.total) == (1, 0.001)


def test_an_exemplar_is_of_a_trace_that_is_kept() -> None:
    meter = Meter()
    meter.observe(attempt(sampled=False))
    [durations] = by_name(meter)["faas.invoke_duration"].histograms
    assert not any(durations.exemplars)
    meter.observe(attempt())
    [durations] = by_name(meter)["faas.invoke_duration"].histograms
    assert [one.trace_id for one in durations.exemplars if one] == ["ab" * 16]


def test_there_are_no_more_functions_than_the_limit() -> None:
    # Given a meter for two functions, when four are invoked
    meter = Meter(max_functions=2)
    for name in ("a", "b", "c", "d", "c", "a"):
        meter.observe(attempt(name))
    # I expect the others together
    counted = values(by_name(meter)["faas.invocations"])
    assert counted == {("a", "http"): 2, ("b", "http"): 1, (OTHER, "http"): 3}
