"""OpenTelemetry's Metrics API in a worker. Here is only who stands in for the provider: the instruments are
loaded when the function's code, or a library of its, asks for a meter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import opentelemetry.metrics as metrics_api
from opentelemetry.metrics import Meter, MeterProvider, NoOpMeter
from relive_base.wire.messages import AnyFrame, FunctionSpec

from relive_tracer.record.limits import TelemetryLimits
from relive_tracer.record.state import InvocationState, Whereabouts

if TYPE_CHECKING:
    from relive_tracer.record.measuring import Measuring

__all__ = ["Interrupt", "Meters"]

Interrupt = tuple[Callable[[Callable[[], object], int], None], Callable[[], None]]
"""Calls something on the main thread that is interrupted after so many ns; and has that end for good."""

_internal = cast(Any, metrics_api)._internal
_SDK = "opentelemetry-sdk"  # the scope under which the SDK counts its own spans


class Meters(MeterProvider):
    """The global provider, in such a way that the user's code can still set its own, which then has them."""

    def __init__(
        self,
        send: Callable[[AnyFrame], bool],
        spec: FunctionSpec,
        limits: TelemetryLimits,
        where: Whereabouts,
    ) -> None:
        self._send = send
        self._spec = spec
        self._limits = limits
        self._where = where
        self._measuring: Measuring | None = None
        self._meters: dict[tuple[str, str | None, str | None], Meter] = {}
        self.interrupt: Interrupt | None = None
        self._detached = False

    def install(self) -> None:
        """Proxies that libraries have got before become meters of ours."""
        _internal._METER_PROVIDER = self
        _internal._PROXY_METER_PROVIDER.on_set_meter_provider(self)

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Meter:
        """As in the API. A version of it that we do not fit gets a meter that does nothing, as before."""
        key = (name, version, schema_url)
        found = self._meters.get(key)
        if found is None:
            found = self._meters[key] = self._meter(name, version, schema_url)
        return found

    def _meter(self, name: str, version: str | None, schema_url: str | None) -> Meter:
        if name == _SDK or not isinstance(name, str):
            return NoOpMeter(str(name), version=version, schema_url=schema_url)
        try:
            from relive_tracer.record.instruments import RecordingMeter
            from relive_tracer.record.measuring import Measuring

            if self._measuring is None:
                self._measuring = Measuring(self._send, self._spec, self._limits, self._where)
                self._measuring.interrupt = self.interrupt
                if self._detached:
                    self._measuring.detach()
            return RecordingMeter(name, version, schema_url, self._measuring)
        except Exception:
            return NoOpMeter(name, version=version, schema_url=schema_url)

    def finish(self, state: InvocationState, *, beside: bool = False) -> None:
        """An invocation has ended: what was added up leaves, observable instruments are asked. Of those that
        run `beside` each other, not each of them asks. Raises nothing of its own."""
        if self._measuring is not None:
            self._measuring.finish(state, beside)

    @property
    def asks_in_thread(self) -> bool:
        """Whether the end of an invocation in this thread asks callbacks that nothing can interrupt."""
        return self._measuring is not None and self._measuring.asks_in_thread()

    def detach(self) -> None:
        """In a child that the user's code forked: the way out is the parent's."""
        self._detached = True
        if self._measuring is not None:
            self._measuring.detach()

    def uninstall(self) -> None:
        """Undo `install`, for tests."""
        if _internal._METER_PROVIDER is self:
            _internal._METER_PROVIDER = None
