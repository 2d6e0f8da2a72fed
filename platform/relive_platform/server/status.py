"""What `relive status` prints: one dict of plain values."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from relive_base.addresses import without_password
from relive_base.errors import ReliveError
from relive_base.resource import relive_version
from relive_base.within import within
from relive_runtime.isolation import gaps
from relive_store import Store

from relive_platform.engine.engine import Engine
from relive_platform.server.alerts import Alerts
from relive_platform.server.functions import Functions
from relive_platform.server.gateways.keeper import Gateways
from relive_platform.server.inbox import InboxWatch
from relive_platform.server.metrics import PlatformMetrics
from relive_platform.server.processes import ProcessTimes, Usage
from relive_platform.server.resources import Resources
from relive_platform.server.store_keeper import StoreKeeper
from relive_platform.settings import Settings
from relive_platform.signals.handover.collector import Collector
from relive_platform.triggers.destinations.router import Destinations
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.events import EventQueue

__all__ = ["status_of"]


class _Describing(Protocol):
    def describe(self) -> Sequence[SourceState]: ...


class _Server(Protocol):
    """What a status is made of."""

    settings: Settings
    home: Path
    started_ns: int
    http_address: str
    api_address: str
    aws_address: str
    aws_problem: str
    alerts: Alerts
    inbox: InboxWatch
    collector: Collector
    destinations: Destinations
    engine: Engine
    functions: Functions
    gateways: Gateways
    listener: HttpListener
    metrics: PlatformMetrics
    queue: EventQueue
    resources: Resources
    store: Store
    store_keeper: StoreKeeper
    times: ProcessTimes

    @property
    def described(self) -> Sequence[_Describing]: ...


async def status_of(server: _Server) -> dict[str, Any]:
    """Version, pid, store, isolation tier, functions, workers, queue, OTLP, and what was dropped."""
    await server.collector.refresh()
    collector = server.collector.stats
    ack = collector.ack
    try:
        counts = await within(asyncio.wrap_future(server.queue.counts()), 2.0)
        due_ns = await within(asyncio.wrap_future(server.queue.next_due_ns()), 2.0)
        file_bytes, spare_bytes = await within(asyncio.wrap_future(server.queue.file_bytes()), 2.0)
        queue: dict[str, Any] = {
            "ready": counts.ready,
            "leased": counts.leased,
            "dead": counts.dead,
            "dead_dropped": sum(counts.dead_dropped.values()),
            "done": counts.done,
            "age_s": _age_s(due_ns),
            "file_bytes": file_bytes,
            "spare_bytes": spare_bytes,
        }
    except (ReliveError, TimeoutError) as error:
        queue = {"ready": 0, "leased": 0, "dead": 0, "error": str(error)}
    queue["disk_full"] = server.queue.disk_full
    keeper = server.store_keeper
    engine = server.engine.status()
    usage, per_s = server.times.usage()
    return {
        "version": relive_version(),
        "pid": os.getpid(),
        "home": str(server.home),
        "http": server.http_address,
        "api": server.api_address,
        "uptime_s": round((time.time_ns() - server.started_ns) / 1e9, 1) if server.started_ns else 0.0,
        "store": {
            "state": keeper.health.state,
            "reason": keeper.health.reason,
            "engine": server.store.engine,
            "address": without_password(server.settings.store_url),
            "pid": keeper.pid,
            "restarts": keeper.restarts,
            "lag_s": round(ack.lag_s, 3),
            "buffered_rows": ack.buffered_rows,
            "spooled_rows": ack.spooled_rows,
            "written_rows": ack.written_rows,
            "dropped_rows": ack.dropped_rows + collector.dropped_items,
            "last_error": ack.last_error,
        },
        "collector": {
            "pid": collector.pid,
            "restarts": collector.restarts,
            "pending_bytes": collector.pending_bytes,
            "journal": _journal(server),
            "lost_attempts": ack.lost,
        },
        "signals": _signals(server),
        "isolation_tier": min(engine.tiers, default=server.settings.isolation_tier),
        "isolation_gaps": _gaps(server, engine.gaps),
        "cgroups": engine.cgroups,
        "functions": len(server.functions.serving),
        "workers": server.gateways.workers(engine.workers),
        "zygotes": engine.zygotes + server.gateways.total(lambda load: load.zygotes),
        "connections": server.listener.connections + server.gateways.total(lambda load: load.connections)
        if server.http_address
        else 0,
        "invocations_per_s": per_s,
        "processes": _processes(server, usage),
        "aws": {"address": server.aws_address, "problem": server.aws_problem},
        "metrics": server.metrics.address,
        "alerts": server.alerts.counts(),
        "inbox": server.inbox.counts(),
        "queue": queue,
        "destinations": {
            "made": server.destinations.made,
            "loops": server.destinations.loops,
            "dropped": server.queue.then_refused,
        },
        "resources": await _resources(server),
        "sources": [state.as_json() for one in server.described for state in one.describe()],
        "scenes": {
            "written": ack.scenes_written,
            "failed": ack.scenes_failed,
            "dropped": collector.dropped_scenes.total(),
            "over_limit": ", ".join(f"{over}: {count}" for over, count in collector.dropped_scenes.items()),
        },
        "otlp": {
            "sent": ack.otlp_sent,
            "failed": ack.otlp_failed,
            "dropped": ack.otlp_dropped,
            "queued": ack.otlp_queued,
            "last_error": ack.otlp_error,
            "skipped": ack.otlp_skipped,
            "off": ack.otlp_off,
        },
        "otlp_in": server.otlp_in.status() if hasattr(server, "otlp_in") else {},
    }


def _processes(server: _Server, usage: Mapping[str, Usage]) -> list[dict[str, Any]]:
    """CPU time of each process, in all and for each invocation of the last ten seconds; of gateways beside
    the server how they stand, too."""
    beside = server.gateways.describe()
    return [
        {
            "type": "process",
            "name": name,
            **({"state": "ok"} if used is not None else {"state": "not running"}),
            **({"pid": used.pid, "cpu_s": used.cpu_s} if used is not None else {}),
            **({"cpu_us_per_invocation": used.cpu_us_per_invocation} if used is not None else {}),
            **beside.get(name, {}),
        }
        for name in ("server", *beside, "collector", *(["store"] if server.store_keeper.pid else []))
        for used in [usage.get(name)]
    ]


def _age_s(due_ns: int | None) -> float:
    """How long the oldest event that is due has waited."""
    return round(max(time.time_ns() - due_ns, 0) / 1e9, 3) if due_ns else 0.0


async def _resources(server: _Server) -> list[dict[str, Any]]:
    """Name, type and state of each, and what it holds."""
    try:
        states = await within(server.resources.listing(), 2.0)
    except (ReliveError, TimeoutError) as error:
        return [{"name": "*", "type": "", "state": "failed", "detail": str(error)}]
    return [
        {"name": state.name, "type": state.type, "state": state.state, **state.figures} for state in states
    ]


def _signals(server: _Server) -> dict[str, dict[str, int]]:
    """What each stage of the pipeline has taken and dropped, in their order."""
    collector = server.collector
    followed = collector.followers.counts
    stages = {
        "server": (collector.stats.taken_items, collector.stats.dropped_items, 0),
        **collector.stats.ack.stages,
        "followers": (followed.taken, followed.dropped, followed.late),
    }
    return {
        name: dict(zip(("taken", "dropped", "late"), counts, strict=True)) for name, counts in stages.items()
    }


def _journal(server: _Server) -> str:
    journal = server.collector.journal
    return (journal.problem or "ok") if journal is not None else "none"


def _gaps(server: _Server, told: list[str]) -> list[str]:
    """What is not kept apart here, and what the workers that run say of themselves."""
    found = gaps(server.settings.isolation_tier, server.settings.unix_sockets == "open")
    return list(dict.fromkeys([*found, *told]))
