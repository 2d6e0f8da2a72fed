"""What is deployed becomes what runs: a pool for each function version in service, and the routes to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
from relive_base.resource import relive_version
from relive_base.wire.messages import FunctionSpec
from relive_runtime.adapters.service.capacity import ASGI_CAPACITY, WSGI_CAPACITY
from relive_runtime.adapters.table import BESIDE, has_python

from relive_platform.engine.engine import Engine
from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.qualifiers import AliasTarget
from relive_platform.engine.workers.zygote import Confinement, ZygoteKey
from relive_platform.registry.aliases import Alias
from relive_platform.registry.model import FunctionVersion
from relive_platform.server.orders import Orders
from relive_platform.settings import Settings
from relive_platform.triggers.queue.names import QueueNames

__all__ = ["Functions"]

_START_SLACK_S: Final = 1.0
_PROGRAM_SLACK_S: Final = 8.0  # a program that does not start in time is asked where it stands


class Functions:
    """Applies the registry's state. Everything runs on the event loop."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        environment: Callable[[FunctionVersion], dict[str, str]] | None = None,
        folders: Callable[[FunctionVersion], list[str]] | None = None,
    ) -> None:
        """`environment`: what a version's workers get, with what it is told of resources; `folders`: those
        that they may write to."""
        self.serving: dict[str, FunctionVersion] = {}
        self._queues = QueueNames()
        self._orders: Mapping[str, Orders] = {}
        self._settings = settings
        self._engine = engine
        self._environment = environment or (lambda version: dict(version.spec.environment))
        self._folders = folders or (lambda version: [])

    def apply(
        self,
        versions: Sequence[FunctionVersion],
        aliases: Sequence[Alias] = (),
        named: Sequence[FunctionVersion] = (),
        orders: Mapping[str, Orders] | None = None,
        *,
        warm: bool = True,
    ) -> None:
        """Serve exactly these versions; what they replace is drained. `named`: further versions, which
        `aliases` lead to. `orders`: what was said of functions since they were deployed."""
        self._orders = orders or {}
        names = {version.name for version in versions}
        self._engine.qualifiers.apply(_targets(aliases))
        for version in versions:
            self._serve(version, warm)
        for name in [name for name in self.serving if name not in names]:
            del self.serving[name]
            self._engine.withdraw(name)
        for version in named:
            if version.name in names:
                self.prepare(version)
        for name in names:
            self._engine.release(name)
            self._limit(name)
        self._queues.apply(versions)

    def names(self) -> list[str]:
        """What an event can be sent to: functions and queues, by name."""
        return sorted({*self.serving, *self._queues.names()})

    def receiver(self, name: str) -> FunctionVersion | None:
        """Who works on events sent to `name`: the function of that name, else the one whose queue it is."""
        found = self.serving.get(name) or self.serving.get(self._queues.function_of(name))
        orders = self._orders.get(found.name) if found is not None else None
        return orders.of_events(found) if orders is not None and found is not None else found

    def _limit(self, name: str) -> None:
        """Pools get the limits that they have now."""
        orders = self._orders.get(name, _NO_ORDERS)
        serving = self.serving[name]
        for pool in self._engine.pools_of(name):
            deployed = _limits(serving, self._settings)
            if pool.spec.version == serving.version:
                limits = deployed
            else:  # an alias's
                limits = replace(pool.limits, reserved=deployed.reserved, provisioned=0)
            pool.limit(orders.of_workers(limits, pool.spec.version, deployed.max_workers))

    def applications(self) -> set[str]:
        """Whose functions are in service."""
        return {version.spec.app for version in self.serving.values()}

    def _serve(self, version: FunctionVersion, warm: bool) -> None:
        current = self.serving.get(version.name)
        self.serving[version.name] = version
        if current is not None and current.version == version.version:
            return
        spec, key = self.worker_of(version)
        self._engine.deploy(spec, self._engine.forked(key), _limits(version, self._settings), warm=warm)

    def prepare(self, version: FunctionVersion) -> None:
        """Have a version that is not in service ready for events that ask for it."""
        spec, key = self.worker_of(version)
        self._engine.prepare(spec, self._engine.forked(key), _limits(version, self._settings))

    def worker_of(self, version: FunctionVersion) -> tuple[FunctionSpec, ZygoteKey]:
        """What a worker of this version runs, within the server's limits, and which zygote forks it."""
        settings = self._settings
        spec = msgspec.structs.replace(
            version.spec,
            environment=self._environment(version),
            folders=self._folders(version),
            isolation_tier=min(version.spec.isolation_tier, settings.isolation_tier),
            result_limit_bytes=min(version.spec.result_limit_bytes, settings.result_limit_bytes),
            stream_limit_bytes=settings.stream_limit_bytes,
            call_depth=settings.call_depth,
            recording_bytes=settings.recording_bytes,
            recording_file_bytes=settings.recording_file_bytes,
            core_mb=settings.core_mb,
            unix_sockets=settings.unix_sockets == "open",
            tmp_mb=settings.tmp_mb,
            service_heaps=settings.service_heap_s > 0,
            observe_limit_ms=int(settings.observe_limit_s * 1_000),
            load_timeout_s=self._load_timeout_s(version),
            resource=os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""),
            relive_version=relive_version(),
            propagators=os.environ.get("OTEL_PROPAGATORS", ""),
        )
        return spec, ZygoteKey(
            sys.executable,
            version.deps_dir,
            tuple(version.preload) if has_python(spec.kind) else (),
            confined=Confinement.of(spec, version.deps_dir),
            tier=settings.isolation_tier,
            code_root=str(settings.home.absolute() / "code"),
            folders=tuple(spec.folders),
        )

    def _load_timeout_s(self, version: FunctionVersion) -> float:
        settings = self._settings
        if has_python(version.spec.kind):
            return settings.start_timeout_s
        return version.config.init_timeout_s or settings.init_timeout_s


_NO_ORDERS: Final = Orders()


def _targets(aliases: Sequence[Alias]) -> dict[str, dict[str, AliasTarget]]:
    targets: dict[str, dict[str, AliasTarget]] = {}
    for alias in aliases:
        targets.setdefault(alias.function, {})[alias.name] = AliasTarget(alias.version, alias.weights)
    return targets


def _capacity(version: FunctionVersion) -> int:
    """Until a worker of it has told its own."""
    if version.spec.kind not in BESIDE:
        return 1
    known = WSGI_CAPACITY if version.config.interface == "wsgi" else ASGI_CAPACITY
    return version.config.capacity or known


def _limits(version: FunctionVersion, settings: Settings) -> PoolLimits:
    return PoolLimits(
        max_workers=version.config.reserved_concurrency or version.config.max_workers,
        reserved=bool(version.config.reserved_concurrency),
        provisioned=version.config.min_workers,
        capacity=_capacity(version),
        waiting_workers=settings.waiting_workers,
        waiting_requests=settings.waiting_requests,
        wait_limit_s=settings.wait_limit_s,
        idle_s=settings.idle_s,
        recycle_n=settings.recycle_n,
        recycle_memory_percent=settings.recycle_memory_percent,
        # the worker knows the limit too, and can say where it stood: it comes first
        start_timeout_s=max(
            settings.start_timeout_s,
            version.config.timeout_s,
            version.config.init_timeout_s or settings.init_timeout_s,
        )
        + (_START_SLACK_S if has_python(version.spec.kind) else _PROGRAM_SLACK_S),
    )
