"""Metrics as plain data, in OpenTelemetry's terms: whoever sends them on makes its own form of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = [
    "COUNTER",
    "GAUGE",
    "HISTOGRAM",
    "Attributes",
    "Exemplar",
    "Family",
    "HistogramPoint",
    "NumberPoint",
    "attributes",
]

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"

Attributes = tuple[tuple[str, str], ...]


def attributes(**pairs: str) -> Attributes:
    """Sorted pairs; "__" in a name stands for a dot."""
    return tuple(sorted((name.replace("__", "."), value) for name, value in pairs.items()))


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement, and the trace that it was made in."""

    trace_id: str
    value: float
    time_ns: int


@dataclass(frozen=True, slots=True)
class NumberPoint:
    """The value of a counter, since the server began, or of a gauge, now."""

    attributes: Attributes
    value: float


@dataclass(frozen=True, slots=True)
class HistogramPoint:
    """`counts` has one number more than `bounds`: of what is above all of them. `exemplars`: one of each
    bucket, or None."""

    attributes: Attributes
    bounds: Sequence[float]
    counts: Sequence[int]
    total: float
    exemplars: Sequence[Exemplar | None] = ()

    @property
    def count(self) -> int:
        """Measurements."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its points. `name` is OpenTelemetry's ("faas.invoke_duration"), `unit` is UCUM's ("s",
    "By", "1")."""

    name: str
    kind: str
    unit: str
    doc: str
    numbers: list[NumberPoint] = field(default_factory=list)
    histograms: list[HistogramPoint] = field(default_factory=list)
