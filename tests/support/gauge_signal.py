"""A signal of its own, as ARCHITECTURE.md says to add one: gauges that a function sets. What a real one has
in three files stands here in one: the message, the signal, and its line in the table.

As a program it is the collector's process with this signal in its table.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Frame
from relive_base.wire.sink import FrameSink
from relive_platform.evidence import Take
from relive_platform.signals.signal import Arrival, Flow, Rows, Signal
from relive_platform.signals.table import SIGNALS

__all__ = ["LIMIT_BYTES", "RECORD_SIDE", "Gauges", "register"]

LIMIT_BYTES = 4_096


class Gauge(msgspec.Struct, array_like=True):
    """One value of a metric."""

    timestamp_ns: int
    name: str
    value: float


class Gauges(Frame, tag="gauges"):
    """Gauges, as they are set."""

    invocation_id: str
    points: list[Gauge]


class GaugeSignal(Signal):
    """Rows of `otel_metrics_gauge`."""

    message: ClassVar[type[Frame]] = Gauges
    take: ClassVar[Take | None] = Take("gauges", LIMIT_BYTES)

    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        for point in arrival.frame.points:
            point.name = redactor.text(point.name)

    def rows(self, flow: Flow) -> Iterable[Rows]:
        found = [(point, one.ref) for one in flow.arrivals[Gauges] for point in one.frame.points]
        if found:
            yield Rows(
                "otel_metrics_gauge",
                {
                    "ServiceName": [ref.name for _, ref in found],
                    "ResourceAttributes": [ref.resource for _, ref in found],
                    "Attributes": [{"faas.invocation_id": ref.invocation_id} for _, ref in found],
                    "MetricName": [point.name for point, _ in found],
                    "TimeUnix": [point.timestamp_ns for point, _ in found],
                    "Value": [point.value for point, _ in found],
                },
            )


def gauge(context: Any, name: str, value: float) -> None:
    """Set a gauge from a function: the record side."""
    import gc

    [sink] = [found for found in gc.get_objects() if isinstance(found, FrameSink)]
    sink.record(Gauges(invocation_id=context.aws_request_id, points=[Gauge(time.time_ns(), name, value)]))


RECORD_SIDE = "\n\n".join(
    [
        "import time\nfrom typing import Any\nimport msgspec\nfrom relive_base.wire.messages import Frame",
        "from relive_base.wire.sink import FrameSink",
        *map(inspect.getsource, (Gauge, Gauges, gauge)),
    ]
)
"""A module for the folder of a function."""


def register() -> None:
    """Put it into the table."""
    SIGNALS["gauges"] = GaugeSignal


if __name__ == "__main__":
    from relive_platform.signals.handover.process import main

    register()
    main(sys.argv[1:])
