"""Meters and instruments of OpenTelemetry's API: each measurement goes to `Measuring`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.metrics import (
    Counter,
    Histogram,
    Meter,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.metrics import _Gauge as Gauge

from relive_tracer.record.measuring import Instrument, Measuring

__all__ = ["RecordingMeter"]


class _Measured:
    """What all synchronous instruments are made of."""

    def __init__(self, instrument: Instrument, measuring: Measuring) -> None:
        self._instrument = instrument
        self._measure = measuring.measure


class _Counter(_Measured, Counter):
    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(self._instrument, amount, attributes, context)


class _UpDownCounter(_Measured, UpDownCounter):
    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(self._instrument, amount, attributes, context)


class _Histogram(_Measured, Histogram):
    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(self._instrument, amount, attributes, context)


class _LastValue(_Measured, Gauge):
    def set(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        self._measure(self._instrument, amount, attributes, context)


class _Observed:
    """What observable instruments are: their callbacks are asked elsewhere."""

    def __init__(self) -> None:
        pass


class _ObservableCounter(_Observed, ObservableCounter):
    pass


class _ObservableUpDownCounter(_Observed, ObservableUpDownCounter):
    pass


class _ObservableGauge(_Observed, ObservableGauge):
    pass


class RecordingMeter(Meter):
    """A meter whose instruments record."""

    def __init__(self, name: str, version: str | None, schema_url: str | None, measuring: Measuring) -> None:
        super().__init__(name, version=version, schema_url=schema_url)
        self._measuring = measuring
        self._scope = (name, version or "")

    def _instrument(
        self, name: object, kind: str, unit: object, description: object, bounds: object = None
    ) -> Instrument:
        limits = self._measuring.limits
        return Instrument(name, kind, unit, description, self._scope, limits, bounds)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """As in the API."""
        return _Counter(self._instrument(name, "counter", unit, description), self._measuring)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """As in the API."""
        return _UpDownCounter(self._instrument(name, "up_down_counter", unit, description), self._measuring)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """As in the API."""
        bounds = explicit_bucket_boundaries_advisory
        return _Histogram(self._instrument(name, "histogram", unit, description, bounds), self._measuring)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """As in the API."""
        return _LastValue(self._instrument(name, "gauge", unit, description), self._measuring)

    def create_observable_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        """As in the API."""
        self._measuring.observe(self._instrument(name, "counter", unit, description), callbacks)
        return _ObservableCounter()

    def create_observable_up_down_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        """As in the API."""
        self._measuring.observe(self._instrument(name, "level", unit, description), callbacks)
        return _ObservableUpDownCounter()

    def create_observable_gauge(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        """As in the API."""
        self._measuring.observe(self._instrument(name, "gauge", unit, description), callbacks)
        return _ObservableGauge()
