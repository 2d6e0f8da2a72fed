"""What is in log lines: one that cannot be looked into costs nothing but its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from relive_base.wire.messages import LogLine, Logs, MetricData, Metrics
from relive_platform.signals.processors import structure
from relive_platform.signals.processors.structure import Structure
from relive_platform.signals.signal import Arrival, Flow, ref_of
from relive_tracer.explore.emf import embedded_metrics
from tracer_records import record

BODIES = (
    '{"bad": 1, "_aws": {}}',
    "plain",
    '{"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "took"}]}]}, "took": 3, "huge": %s}' % ("9" * 400),
)


def test_one_bad_line_costs_nothing_but_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a line that nobody has thought of, before one that is as it should be
    def fails(fields: Mapping[str, Any], line: LogLine) -> list[MetricData]:
        if "bad" in fields:
            raise OverflowError("int too large to convert to float")
        return embedded_metrics(fields, line)

    monkeypatch.setattr(structure, "embedded_metrics", fails)
    flow, processor = Flow([Logs, Metrics]), Structure()
    frame = Logs(invocation_id="i", lines=[LogLine(1, "INFO", body, "", "") for body in BODIES])
    flow.arrivals[Logs].append(Arrival(frame, ref_of(record()), []))
    processor(flow)
    # I expect all lines to stay, the metrics of the good one, and the bad one counted
    assert [line.body for line in frame.lines] == list(BODIES)
    assert [arrival.frame.metrics[0].name for arrival in flow.arrivals[Metrics]] == ["took"]
    assert (processor.counts.taken, processor.counts.dropped) == (1, 1)
