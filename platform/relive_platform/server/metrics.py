"""The server's metrics: who measures, who keeps them by minute, and where they are served."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from relive_base.records import InvocationRecord
from relive_base.wire.messages import MetricData
from relive_store import Store
from relive_tracer.explore.health.platform import platform_columns

from relive_platform.api.metrics.gate import MetricsGate
from relive_platform.metrics.families import Family
from relive_platform.metrics.gauges import gauges_of, resident_bytes
from relive_platform.metrics.messages import metric_messages
from relive_platform.metrics.meter import Meter
from relive_platform.metrics.minutes import MinuteKeeper
from relive_platform.server.parts import exports_metrics, listener_limits
from relive_platform.settings import Settings
from relive_platform.triggers.http.access import Access
from relive_platform.triggers.http.connections.listener import HttpListener

__all__ = ["PlatformMetrics"]

_WRITE_S: Final = 20.0
Status = Callable[[], Awaitable[Mapping[str, Any]]]


class PlatformMetrics:
    """Of one server, on its event loop. `observe` is for whoever hears of attempts that have ended; None if
    nobody reads a meter: they cost nothing then."""

    def __init__(self, settings: Settings, store: Store, executor: Executor) -> None:
        self._settings = settings
        self._store = store
        self._executor = executor
        self._run = time.time_ns()
        self._status: Status | None = None
        self._listener: HttpListener | None = None
        self._keeper = MinuteKeeper(self.own, self._write)
        self.alerts: Callable[[], list[Family]] = list
        self._exports = exports_metrics(settings)
        self.send: Callable[[list[MetricData]], bool] | None = None  # into the store, and out over OTLP
        self.meter = Meter() if settings.metrics or self._exports else None

    @property
    def observe(self) -> Callable[[InvocationRecord], None] | None:
        """What is to be called with every attempt that has ended."""
        return self.meter.observe if self.meter is not None else None

    @property
    def address(self) -> str:
        """Where Prometheus reads them; "" if they are not served."""
        return f"{self._listener.address}/metrics" if self._listener is not None else ""

    async def start(self, status: Status) -> None:
        """Keep minutes, and serve if the settings say so. Raises AddressTaken."""
        self._status = status
        self._keeper.start()
        address = self._settings.metrics_address
        if address is None:
            return
        access = Access(
            loopback=address.loopback, token=self._settings.token, hosts=self._settings.allowed_hosts
        )
        listener = HttpListener(
            MetricsGate(self.read, access), listener_limits(self._settings), flag="--metrics"
        )
        if address.path:
            await listener.start_unix(address.path)
        else:
            await listener.start(address.host, address.port, loopback=address.loopback)
        self._listener = listener

    async def read(self) -> list[Family]:
        """All metrics as they are now: of the platform, and of the functions if there is a meter."""
        counted = self.meter.read() if self.meter is not None else []
        return [*counted, *await self.own()]

    async def own(self) -> list[Family]:
        """Those of the platform itself, as they are now."""
        if self._status is None:
            return []
        status = await self._status()
        memory = {
            name: resident_bytes(pid)
            for name, pid in (
                ("server", os.getpid()),
                ("collector", status["collector"]["pid"]),
                ("store", status["store"]["pid"]),
            )
            if pid
        }
        for entry in status["processes"]:
            if entry["name"].startswith("gateway") and "pid" in entry:
                memory[entry["name"]] = resident_bytes(entry["pid"])
        return [*gauges_of(status, memory), *self.alerts()]

    async def _write(self, minute_s: int, rows: list[Any]) -> None:
        if self._exports and self.send is not None:
            self.send(metric_messages(await self.read(), self._run, time.time_ns()))
        columns = platform_columns(minute_s, rows)
        token = f"platform-{self._run:x}-{minute_s}"

        def insert() -> None:
            self._store.insert("platform_1m", columns, token=token, timeout_s=_WRITE_S)

        await asyncio.get_running_loop().run_in_executor(self._executor, insert)

    async def close(self) -> None:
        """Serve and sample no more."""
        await self._keeper.close()
        if self._listener is not None:
            await self._listener.close()
