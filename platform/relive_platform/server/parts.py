"""How the settings become the limits and options of the server's rooms."""

from __future__ import annotations

import os
from concurrent.futures import Executor

from relive_runtime.folder import build_runtime
from relive_store import DEFAULT_DAYS, Store, scaled_days
from relive_tracer.explore.otlp_settings import OtlpSettings, endpoint_settings

from relive_platform.engine.engine import EngineLimits
from relive_platform.engine.failed.heaps import HeapLimits
from relive_platform.engine.host import HostLimits
from relive_platform.engine.workers.cgroups.groups import CgroupLimits
from relive_platform.engine.workers.users import BLOCK, UserRange
from relive_platform.registry import Registry, SubprocessTrial
from relive_platform.registry.application import FunctionDefaults
from relive_platform.registry.packages.content import PackageLimits
from relive_platform.registry.packages.dependencies import Dependencies
from relive_platform.resources.queue.model import MessageLimits
from relive_platform.server.own_events import OUTBOX
from relive_platform.server.retention import Retention
from relive_platform.settings import Settings
from relive_platform.signals.handover.journal import Journal
from relive_platform.signals.handover.journal_place import (
    journal_place,
    leave_place,
    open_place,
    sweep_places,
)
from relive_platform.signals.handover.options import CollectorOptions
from relive_platform.signals.table import takes as signal_takes
from relive_platform.triggers.grpc.limits import WireLimits
from relive_platform.triggers.http.access import Access
from relive_platform.triggers.http.connections.listener import ListenerLimits
from relive_platform.triggers.http.sockets.limits import SocketLimits
from relive_platform.triggers.queue.model import QueueLimits

__all__ = [
    "access_of",
    "cgroup_limits",
    "collector_options",
    "engine_limits",
    "exports_metrics",
    "journal_of",
    "kept_days",
    "listener_limits",
    "message_limits",
    "plain_collector_options",
    "queue_limits",
    "registry_of",
    "retention_of",
    "socket_limits",
    "wire_limits",
]


def collector_options(settings: Settings, run: int = 0) -> CollectorOptions:
    """What the collector's process is started with. Raises OtlpSettingsError if export cannot work."""
    _check_otlp(settings)
    options = plain_collector_options(settings)
    options.run, options.run_dir = run, str(settings.run_dir)
    options.otlp, options.otlp_protocol = settings.otlp, settings.otlp_protocol
    options.otlp_headers = settings.header_pairs()
    options.otlp_timeout_s = settings.otlp_timeout_s
    options.otlp_queue_limit = settings.otlp_queue_limit
    return options


def plain_collector_options(settings: Settings) -> CollectorOptions:
    """For a process that exports nothing, and serves no server: it finishes what was left behind."""
    return CollectorOptions(
        store_url=settings.store_url,
        spool_dir=str(settings.home / "spool"),
        journal_dir=str(journal_place(settings.home, settings.journal_dir)),
        scenes_dir=str(settings.home / "scenes"),
        subscriptions_dir=str(settings.home / OUTBOX),
        subscription_bytes=settings.subscription_bytes,
        flush_s=settings.flush_s,
        flush_rows=settings.flush_rows,
        spool_bytes=settings.spool_bytes,
        scenes=settings.scenes,
        scenes_bytes=settings.scenes_bytes,
        scenes_days=settings.scenes_days,
        heap_bytes=settings.heap_archive_bytes,
        redact_keys=settings.redact_keys,
        days=kept_days(settings),
    )


def _otlp_of(settings: Settings) -> OtlpSettings | None:
    if settings.otlp:
        return endpoint_settings(settings.otlp, settings.otlp_protocol, env=os.environ)
    return OtlpSettings.from_environment(os.environ)


def exports_metrics(settings: Settings) -> bool:
    """Whether metrics go out over OTLP. Raises OtlpSettingsError."""
    found = _otlp_of(settings)
    return found is not None and found.metrics is not None


def _check_otlp(settings: Settings) -> None:
    found = _otlp_of(settings)
    for chosen in found.signals.values() if found is not None else ():
        chosen.check()


def journal_of(settings: Settings, run: int) -> Journal:
    """The journal of one run of the server."""
    place = journal_place(settings.home, settings.journal_dir)
    sweep_places(place)
    return Journal(
        place / f"{run:x}",
        settings.journal_bytes,
        open_place=lambda: open_place(place, settings.home),
        leave_place=lambda: leave_place(place),
    )


def users_of(settings: Settings, number: int) -> UserRange:
    """The users of one gateway, the server being number 1: each has its part of them, in whole blocks."""
    each = settings.uid_count // settings.gateways // BLOCK * BLOCK
    if settings.gateways == 1:
        each = settings.uid_count
    return UserRange(settings.uid_base + (number - 1) * each, each)


def engine_limits(settings: Settings, number: int = 1) -> EngineLimits:
    """Limits of all workers; `number`: of the gateway, the server being the first."""
    heap = HeapLimits(
        objects=settings.heap_objects,
        size_bytes=settings.heap_bytes,
        cpu_s=settings.heap_cpu_s,
        interval_s=settings.heap_interval_s,
        beside_s=settings.service_heap_s,
    )
    host = HostLimits(
        workers=settings.host_workers,
        starts=settings.worker_starts,
        frozen=settings.frozen_workers,
        frozen_s=settings.frozen_s,
        frozen_memory_mb=settings.frozen_memory_mb,
        debug_s=settings.debug_s,
        heap=heap,
        takes=signal_takes(),
    )
    users = users_of(settings, number)
    price = settings.warm_price if settings.warmth == "learned" else 0.0
    return EngineLimits(host, settings.zygote_timeout_s, users, cgroup_limits(settings), price)


def cgroup_limits(settings: Settings) -> CgroupLimits:
    """Limits of the cgroups of workers and zygotes."""
    return CgroupLimits(
        settings.cgroup_margin_mb,
        settings.cgroup_zygote_mb,
        settings.cgroup_pids,
        enabled=settings.cgroups == "auto",
    )


def queue_limits(settings: Settings) -> QueueLimits:
    """Limits of the event queue."""
    return QueueLimits(
        events=settings.queue_events,
        event_bytes=settings.queue_bytes,
        backlog=settings.queue_backlog,
        ballast_bytes=settings.queue_ballast_bytes,
        lease_s=settings.lease_s,
        dead_keep_s=settings.dead_keep_s,
        dead_keep_events=settings.dead_keep_events,
        dead_keep_bytes=settings.dead_keep_bytes,
        done_keep_s=settings.done_keep_s,
        done_keep_events=settings.done_keep_events,
        done_keep_bytes=settings.done_keep_bytes,
    )


def message_limits(settings: Settings) -> MessageLimits:
    """Limits of the queues of messages."""
    return MessageLimits(
        messages=settings.message_limit,
        bytes=settings.message_bytes,
        in_flight=settings.message_in_flight,
        in_flight_fifo=min(settings.message_in_flight, 20_000),
        queues=settings.message_queues,
        backlog=settings.message_backlog,
        ballast_bytes=settings.queue_ballast_bytes,
    )


def access_of(settings: Settings) -> Access:
    """Who may invoke over HTTP. The address that is bound has the last word: see HttpListener.start."""
    address = settings.http_address
    return Access(
        loopback=address.loopback,
        token=settings.token,
        hosts=(*settings.allowed_hosts, *([address.host] if settings.allowed_hosts else [])),
        proxies=settings.trusted_proxies,
    )


def listener_limits(settings: Settings) -> ListenerLimits:
    """Limits of the gateway's connections."""
    return ListenerLimits(
        connections=settings.connection_limit,
        backlog=settings.backlog,
        head_s=settings.header_timeout_s,
        body_s=settings.body_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        head_bytes=settings.head_limit_bytes,
        target_bytes=settings.target_limit_bytes,
        headers=settings.header_limit,
        chunk_bytes=settings.chunk_limit_bytes,
    )


def socket_limits(settings: Settings) -> SocketLimits:
    """Limits of websockets."""
    return SocketLimits(
        per_function=settings.websockets,
        message_bytes=settings.websocket_message_bytes,
        idle_s=settings.websocket_idle_s,
        ping_s=settings.websocket_ping_s,
        pong_s=settings.websocket_ping_s,
        compression=settings.websocket_compression == "on",
    )


def wire_limits(settings: Settings) -> WireLimits:
    """Limits of clients of gRPC."""
    return WireLimits(
        per_function=settings.grpc_connections,
        preface_s=settings.header_timeout_s,
        idle_s=settings.grpc_idle_s,
        unread_s=settings.grpc_unread_s,
        burst=settings.grpc_control_burst,
        per_s=settings.grpc_control_per_s,
        header_bytes=settings.grpc_header_bytes,
    )


def registry_of(settings: Settings) -> Registry:
    """The registry of the home. Blocks: it opens and reads its file."""
    return Registry(
        settings.home,
        defaults=FunctionDefaults(
            timeout_s=settings.timeout_s,
            memory_mb=settings.memory_mb,
            max_workers=settings.max_workers,
            profile=settings.profile,
            capture=settings.capture,
            retries=settings.retries,
            max_age_s=settings.max_age_s,
            output_limit_bytes=settings.output_limit_bytes,
            result_limit_bytes=settings.result_limit_bytes,
            isolation_tier=settings.isolation_tier,
            redact_keys=settings.redact_keys,
        ),
        limits=PackageLimits(
            total_bytes=settings.package_bytes,
            entry_bytes=settings.package_entry_bytes,
            entries=settings.package_entries,
            ratio=settings.package_ratio,
        ),
        trial=SubprocessTrial(
            timeout_s=settings.trial_timeout_s,
            extra_path=[str(build_runtime(settings.home))],
            sandbox_home=str(settings.home.absolute()) if settings.isolation_tier > 0 else "",
        ),
        dependencies=Dependencies(
            settings.home / "deps",
            timeout_s=settings.install_timeout_s,
            sandbox=settings.isolation_tier > 0,
        ),
    )


def kept_days(settings: Settings) -> dict[str, int]:
    """By table, where they are the server's to set; else {}."""
    chosen = settings.embedded or settings.retention_days != DEFAULT_DAYS["invocations"]
    return scaled_days(settings.retention_days) if chosen else {}


def retention_of(settings: Settings, store: Store, executor: Executor) -> Retention:
    """How long the store keeps what. On a ClickHouse server, which may serve others, nothing is dropped by
    size, and only a retention that was chosen is set."""
    return Retention(
        store,
        executor,
        days=kept_days(settings),
        limit_bytes=settings.store_bytes if settings.embedded else 0,
    )
