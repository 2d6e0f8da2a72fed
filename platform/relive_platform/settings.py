"""Every setting of the server, declared once: name, type, default, unit, bounds and what it is for.

The environment variable of a field is `RELIVE_` + its name in capitals. Flags of `relive serve` win over it.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import platformdirs

from relive_platform.addresses import Address, SettingsError, parse_address
from relive_platform.cores import check_gateways
from relive_platform.setting_values import Setting, convert

__all__ = [
    "CLIENT_VARIABLES",
    "Address",
    "Setting",
    "Settings",
    "SettingsError",
    "markdown_table",
    "parse_address",
    "settings",
    "unknown_variables",
]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_GIB: Final = 1024 * _MIB
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_MIN_TOKEN_CHARACTERS: Final = 16

CLIENT_VARIABLES: Final = ("RELIVE_SERVER", "RELIVE_READ_WAIT_S", "RELIVE_PURE_PYTHON")
"""RELIVE_* variables that belong to the command line or to the installation, not to the server."""

_HOST: Final = re.compile(
    r"\*|(?:\*?\.)?[A-Za-z0-9_-][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+"
)


def _set(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    **more: Any,
) -> Any:
    """A dataclass field that carries its own documentation and bounds."""
    metadata = {"doc": doc, "unit": unit, "low": low, "high": high, **more}
    return field(default=default, repr=not more.get("secret", False), metadata=metadata)


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("relive", appauthor=False))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The server's settings; build them with `from_environment`. A name says its unit."""

    # where
    home: Path = field(
        default_factory=_default_home,
        metadata={
            "doc": "Folder of everything Relive keeps. Default: the platform's user data folder.",
            "unit": "path",
        },
    )
    http: str = _set("127.0.0.1:8700", "Address of the HTTP gateway for functions.", unit="address")
    gateways: int = _set(
        1,
        "Processes that take HTTP requests, each with workers of its own: the server itself and, from 2 on,"
        " gateways beside it, which run the functions that are busy. At most four for each core.",
        low=1,
        high=1_024,
    )
    gateway_rate: float = _set(
        200.0,
        "Requests per second of a function from which on the gateways beside the server run it, too. 0: all"
        " that can be.",
        low=0,
    )
    gateway_silence_s: float = _set(
        10.0,
        "A gateway that says nothing for so long (it hangs) is ended and started again.",
        unit="s",
        low=1,
    )
    api: str = _set(
        "", "Address of the control API. Empty: the unix socket `run/api.sock` in the home.", unit="address"
    )
    token: str = _set(
        "",
        "Token that callers must send if an address is not loopback; at least 16 characters.",
        secret=True,
    )
    store: str = _set(
        "", "Store URL: `clickhouse://user:password@host:9000/db`. Empty: the embedded engine.", secret=True
    )
    # AWS's APIs
    lambda_api: str = _set(
        "",
        "Address on which AWS's APIs are served, for boto3, the AWS CLI and others; `relive aws credentials`"
        " prints how. Empty: they are served only if an application declares a queue or a bus, at the"
        " port after the gateway's or, if another program has that, at a free one that the home then keeps.",
        unit="address",
    )
    aws_account: str = _set("000000000000", "Account number in the ARNs of AWS's APIs: twelve digits.")
    aws_endpoints: tuple[str, ...] = _set(
        (),
        "Who answers, on the listener of Lambda's API, for services that Relive does not serve:"
        " `s3=http://127.0.0.1:9000`, `*=URL` for all others.",
        unit="names",
    )
    aws_clock_skew_s: float = _set(300.0, "How far a signer's clock may be from ours.", unit="s", low=1)
    aws_body_limit_bytes: int = _set(
        72 * _MIB, "Largest request to AWS's APIs; zips are base64 in JSON.", unit="bytes", low=_MIB
    )
    # metrics
    metrics: str = _set(
        "",
        "Address on which metrics are served for Prometheus, at `/metrics`: `127.0.0.1:9464`. Wider than this"
        " machine it wants the token. Empty: they are not served.",
        unit="address",
    )
    # OTLP
    otlp: str = _set(
        "",
        "OTLP endpoint that all spans, log lines and metrics are exported to. Empty: the standard"
        " `OTEL_EXPORTER_OTLP_*` variables say where and how, for all signals or each;"
        " without them there is no export.",
    )
    otlp_protocol: str = _set(
        "",
        "Protocol of the export to `RELIVE_OTLP`. Empty: HTTP for port 4318 or a path, else gRPC.",
        choices=("grpc", "http", "http/protobuf"),
    )
    otlp_headers: str = _set(
        "",
        "Headers of the export to `RELIVE_OTLP`: `name=value,name=value`.",
        secret=True,
    )
    otlp_grpc: str = _set(
        "auto",
        "Address on which OTLP is received over gRPC. `auto`: 127.0.0.1:4317 if the port is free. `off`:"
        " it is not received.",
        unit="address or off",
    )
    otlp_http: str = _set(
        "auto",
        "The same over HTTP. `auto`: 127.0.0.1:4318 if the port is free.",
        unit="address or off",
    )
    otlp_body_limit_bytes: int = _set(
        8 * _MIB, "Largest request of OTLP that is received, unpacked.", unit="bytes", low=64 * _KIB
    )
    otlp_spool_bytes: int = _set(
        256 * _MIB,
        "What was received over OTLP and the store does not have yet; with more, senders are told to wait.",
        unit="bytes",
        low=_MIB,
    )
    otlp_timeout_s: float = _set(
        10.0, "Time limit of one export request to `RELIVE_OTLP`.", unit="s", low=0.1, high=300
    )
    otlp_queue_limit: int = _set(
        50_000, "Spans, log lines and metrics that wait for export; more are dropped and counted.", low=100
    )
    # HTTP gateway
    body_limit_bytes: int = _set(
        6 * _MIB, "Largest body of a synchronous request.", unit="bytes", low=1, high=48 * _MIB
    )
    service_body_limit_bytes: int = _set(
        1_024 * _MIB,
        "Largest body of a request to a service, which reads it as it comes.",
        unit="bytes",
        low=1,
    )
    async_body_limit_bytes: int = _set(
        _MIB, "Largest body of an asynchronous event.", unit="bytes", low=1, high=48 * _MIB
    )
    result_limit_bytes: int = _set(6 * _MIB, "Largest result.", unit="bytes", low=1, high=48 * _MIB)
    bodies_limit_bytes: int = _set(
        256 * _MIB, "All large bodies in the gateway's memory together; then 503.", unit="bytes", low=_MIB
    )
    head_limit_bytes: int = _set(
        65_536, "Largest head of a request, with its line; then 431.", unit="bytes", low=1024, high=_MIB
    )
    target_limit_bytes: int = _set(
        16_384, "Longest path and query of a request; then 414.", unit="bytes", low=256, high=_MIB
    )
    header_limit: int = _set(200, "Headers of a request; then 431.", low=10, high=10_000)
    chunk_limit_bytes: int = _set(
        16_384,
        "Longest chunk extension, and all trailers, of a chunked body; then 431.",
        unit="bytes",
        low=256,
        high=_MIB,
    )
    connection_limit: int = _set(
        1_000,
        "Connections of the gateway. One more takes the place of the one that has been idle longest; if"
        " none is idle it is refused with 503.",
        low=1,
    )
    stream_limit_bytes: int = _set(
        256 * _MIB, "Largest answer of an HTTP function that is sent part by part.", unit="bytes", low=1024
    )
    allowed_hosts: tuple[str, ...] = _set(
        (),
        "More names that the gateway answers for, as the `Host` of requests says them: `shop.example`,"
        " `*.shop.example`; `*`: all. On loopback the default is this machine's own names, elsewhere all.",
        unit="names",
    )
    trusted_proxies: tuple[str, ...] = _set(
        ("127.0.0.0/8", "::1", "unix"),
        "Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count: addresses, networks, `unix`.",
        unit="names",
    )
    error_details: str = _set(
        "auto",
        "Whether callers over HTTP are told the type and message of a failure, if `relive.toml` does not"
        " say. `auto`: not on public routes.",
        choices=("auto", "on", "off"),
    )
    backlog: int = _set(512, "Connections that wait to be accepted.", low=1, high=65_535)
    header_timeout_s: float = _set(10.0, "Time for a client to send its request head.", unit="s", low=0.1)
    body_timeout_s: float = _set(30.0, "Time for a client to send its body; then 408.", unit="s", low=0.1)
    keep_alive_s: float = _set(60.0, "How long an idle connection stays open.", unit="s", low=0)
    websockets: int = _set(500, "Websockets of one function at once; then 503.", low=1)
    websocket_message_bytes: int = _set(
        16 * _MIB, "Largest message of a websocket's client; then 1009.", unit="bytes", low=1, high=48 * _MIB
    )
    websocket_idle_s: float = _set(3_600.0, "A websocket without a message for so long is closed.", unit="s")
    websocket_ping_s: float = _set(
        20.0, "Between pings of a websocket, and for answers; 0: none.", unit="s", low=0
    )
    websocket_compression: str = _set("on", "Whether websockets may compress.", choices=("on", "off"))
    grpc_connections: int = _set(500, "Connections of gRPC to one function at once.", low=1)
    grpc_idle_s: float = _set(
        3_600.0, "A connection of gRPC without a byte for so long is closed; 0: never.", unit="s", low=0
    )
    grpc_unread_s: float = _set(
        60.0, "Time for a client of gRPC to read what it was sent.", unit="s", low=0.1
    )
    grpc_header_bytes: int = _set(65_536, "Headers of one call of gRPC.", unit="bytes", low=1_024)
    grpc_control_burst: int = _set(
        1_000, "Resets, pings, settings and the like of one client of gRPC at once.", low=1
    )
    grpc_control_per_s: float = _set(200.0, "The same a second, for long.", low=0.1)
    # workers
    host_workers: int = _set(32, "Workers on this host, of all functions together.", low=1, high=10_000)
    worker_starts: int = _set(
        32,
        "Workers that may start at once, of all functions together: a burst has to wait.",
        low=1,
        high=10_000,
    )
    max_workers: int = _set(4, "Workers of one function, if `relive.toml` does not say.", low=1, high=1_000)
    waiting_workers: int = _set(2, "Workers that wait, ready, for each active function.", low=0, high=64)
    wait_limit_s: float = _set(10.0, "How long a request waits for a worker; then 429.", unit="s", low=0)
    waiting_requests: int = _set(
        1_000, "Requests of one function that wait for a worker; more get 429 at once.", low=0
    )
    warmth: str = _set(
        "learned",
        "How long idle workers are kept. `learned`: as long as a worker is worth its memory, by how often the"
        " function is invoked and how long it takes to start; `fixed`: for `RELIVE_IDLE_S`.",
        choices=("learned", "fixed"),
    )
    warm_price: float = _set(
        700.0,
        "How many GB-seconds of idle memory a second of a caller's waiting for a start is worth.",
        unit="GB-s/s",
        low=0.001,
    )
    idle_s: float = _set(
        300.0,
        "With `RELIVE_WARMTH=fixed`: a worker that was idle for this long leaves; a function scales to zero.",
        unit="s",
        low=0.1,
    )
    recycle_n: int = _set(
        100_000, "A worker is replaced after this many invocations; one whose memory grows, before.", low=1
    )
    recycle_memory_percent: int = _set(
        80, "A worker that holds this share of its limit is replaced.", unit="%", low=1, high=100
    )
    start_timeout_s: float = _set(
        30.0,
        "Time for a worker to load its handler; a function's `timeout_s` if that is longer.",
        unit="s",
        low=0.1,
    )
    init_timeout_s: float = _set(
        10.0, "Time for a program (kind `custom`) to ask for its first event.", unit="s", low=0.1
    )
    zygote_timeout_s: float = _set(60.0, "Time for a zygote to import its dependencies.", unit="s", low=0.1)
    stop_timeout_s: float = _set(5.0, "Time for running invocations when the server stops.", unit="s", low=0)
    isolation_tier: int = _set(
        1,
        "The highest isolation that is wanted: 0 own process group and limits, 1 also Landlock, seccomp and a"
        " private /tmp, 2 also process numbers, /proc, /dev and IPC of their own, and if the server is"
        " root, a user for each worker. A worker reaches what the machine offers of it.",
        low=0,
        high=2,
    )
    uid_base: int = _set(
        900_000,
        "The first number of the users, and groups, that tier 2 gives to workers if the server runs as"
        " root: of a range that nobody else on the machine uses.",
        low=65_536,
        high=4_000_000_000,
    )
    uid_count: int = _set(
        65_536,
        "How many users there are for workers: each dependency set that is in use takes 256 in each gateway.",
        low=256,
        high=100_000_000,
    )
    cgroups: str = _set(
        "auto",
        "Limits of the kernel's on each worker with all it has started, in any tier. `auto`: where the"
        " machine lets the server make cgroups (v2, else v1) below its own.",
        choices=("auto", "off"),
    )
    cgroup_margin_mb: int = _set(
        640,
        "Memory that a worker's cgroup may hold beyond its function's memory and its own /tmp. With less, the"
        " kernel may end a worker before Relive can save where it stood.",
        unit="MB",
        low=16,
        high=1_048_576,
    )
    cgroup_pids: int = _set(
        1_024,
        "Processes and threads of a worker's cgroup, all it has started included.",
        low=64,
        high=4_194_304,
    )
    cgroup_zygote_mb: int = _set(
        4_096,
        "Memory of a zygote's cgroup: its imports, and workers in their first milliseconds.",
        unit="MB",
        low=256,
        high=1_048_576,
    )
    unix_sockets: str = _set(
        "closed",
        "Unix sockets in the file system, for functions from tier 1 on. `open`: databases can be reached, and"
        " the Docker daemon, tmux and the SSH agent of this user.",
        choices=("closed", "open"),
    )
    observe_limit_s: float = _set(
        1.0, "All callbacks of observable instruments together; then one is cut.", unit="s", low=0.01, high=60
    )
    tmp_mb: int = _set(
        512,
        "Room in each worker's own /tmp, which is in memory and has what its files take; 0: none.",
        unit="MB",
        low=0,
        high=1_048_576,
    )
    core_mb: int = _set(
        0,
        "Largest core file that a crash may leave for pystack, which reads it and removes it; 0: none.",
        unit="MB",
        low=0,
        high=1_048_576,
    )
    frozen_workers: int = _set(2, "Failed workers that are kept frozen, for a debugger.", low=0, high=64)
    frozen_s: float = _set(600.0, "How long a failed worker is kept frozen.", unit="s", low=0)
    frozen_memory_mb: int = _set(
        256,
        "Memory available on the machine under which frozen workers are ended, oldest first.",
        unit="MB",
        low=0,
        high=1_048_576,
    )
    debug_s: float = _set(3_600.0, "Longest session in a frozen worker.", unit="s", low=1, high=86_400)
    call_depth: int = _set(
        16, "How many calls and events may lie above an invocation; a loop ends there.", low=1, high=1_000
    )
    # what a function gets if relive.toml does not say
    timeout_s: float = _set(3.0, "Time limit of an invocation.", unit="s", low=0.01, high=86_400)
    memory_mb: int = _set(256, "Memory limit of a worker.", unit="MB", low=16, high=1_048_576)
    output_limit_bytes: int = _set(
        _MIB,
        "Output and log records of one invocation; the rest is dropped and counted.",
        unit="bytes",
        low=1024,
    )
    profile: str = _set("sampled", "Profile of each invocation.", choices=("sampled", "precise", "off"))
    capture: str = _set(
        "full",
        "What a failure scene holds: `full` also a snapshot of the heap, `off` no values at all.",
        choices=("full", "frames", "off"),
    )
    heap_interval_s: float = _set(
        600.0, "The heap of the same failure is taken once in this time.", unit="s", low=0
    )
    service_heap_s: float = _set(
        0.0, "Once in this time a failing request has its service's heap taken. 0: never.", unit="s", low=0
    )
    heap_objects: int = _set(
        2_000_000, "Objects of a heap snapshot; the rest is left out.", low=1_000, high=4_000_000
    )
    heap_cpu_s: float = _set(10.0, "CPU time that a heap snapshot may use.", unit="s", low=0.1, high=300)
    heap_bytes: int = _set(
        256 * _MIB, "Size of a heap snapshot as the worker writes it.", unit="bytes", low=_MIB, high=2 * _GIB
    )
    heap_archive_bytes: int = _set(
        32 * _MIB,
        "Size of a heap snapshot in a scene; a larger one is left out.",
        unit="bytes",
        low=_MIB,
        high=48 * _MIB,
    )
    recording_bytes: int = _set(
        2_097_152,
        "What is kept of an invocation's calls, in the worker's memory, and of its files; 0: nothing.",
        unit="bytes",
        also=("RELIVE_CASSETTE_BYTES",),
        low=0,
        high=16_777_216,
    )
    recording_file_bytes: int = _set(1 << 20, "Largest file kept.", unit="bytes", low=0, high=1 << 24)
    redact_keys: tuple[str, ...] = _set((), "More key names to redact, comma-separated.", unit="names")
    # events
    retries: int = _set(2, "Retries of an asynchronous event after its first attempt.", low=0, high=100)
    max_age_s: float = _set(
        6 * _HOUR, "Oldest age at which an event is still tried.", unit="s", low=1, high=14 * _DAY
    )
    backoff_s: float = _set(1.0, "Wait before the first retry; doubles with each.", unit="s", low=0)
    backoff_limit_s: float = _set(300.0, "Longest wait before a retry.", unit="s", low=0)
    queue_events: int = _set(1_000_000, "Events of one function that wait or run; more are refused.", low=1)
    queue_bytes: int = _set(
        8 * _GIB,
        "Size of the events of one function that wait or run; more of it are refused.",
        unit="bytes",
        low=_MIB,
    )
    queue_backlog: int = _set(
        10_000, "Events of one function that wait for the queue's next commit; more are refused.", low=1
    )
    queue_ballast_bytes: int = _set(
        8 * _MIB, "Disk space kept back so that a full disk can be worked off.", unit="bytes", low=0
    )
    message_limit: int = _set(
        1_000_000, "Messages of one queue of `[resources]`, if it does not say; more are refused.", low=1
    )
    message_bytes: int = _set(
        8 * _GIB,
        "Size of the messages of one queue, if it does not say; more are refused.",
        unit="bytes",
        low=_MIB,
    )
    message_in_flight: int = _set(
        120_000, "Messages of one queue that are received and not deleted; a FIFO queue: 20,000.", low=1
    )
    message_queues: int = _set(
        1_000, "Queues that one application, or all other programs, may make by SQS's API.", low=1
    )
    message_backlog: int = _set(
        10_000, "Messages of one queue that wait for the next commit; more are refused.", low=1
    )
    dead_keep_s: float = _set(
        14 * _DAY, "How long a dead event is kept, to be tried again or discarded.", unit="s", low=0
    )
    dead_keep_events: int = _set(10_000, "Dead events of one function; the oldest leave first.", low=0)
    dead_keep_bytes: int = _set(
        256 * _MIB, "Size of the dead events of one function; the oldest leave first.", unit="bytes", low=0
    )
    lease_s: float = _set(30.0, "How long a lease lasts without a heartbeat.", unit="s", low=0.1)
    done_keep_s: float = _set(
        24 * _HOUR, "How long a finished event's id is remembered, to answer duplicates.", unit="s", low=0
    )
    done_keep_events: int = _set(
        100_000, "Finished events of one function that are remembered; the oldest leave first.", low=0
    )
    done_keep_bytes: int = _set(
        64 * _MIB,
        "Size of the results of one function's finished events; the oldest leave first, their ids stay.",
        unit="bytes",
        low=0,
    )
    timer_grace_s: float = _set(30.0, "A timer that is later than this counts as missed.", unit="s", low=0)
    # packages
    package_bytes: int = _set(250 * _MIB, "Largest package, unpacked.", unit="bytes", low=1024)
    package_entry_bytes: int = _set(100 * _MIB, "Largest file in a package.", unit="bytes", low=1024)
    package_entries: int = _set(20_000, "Files in a package.", low=1)
    package_ratio: int = _set(200, "Unpacked size over packed size of a zip entry.", low=1)
    install_timeout_s: float = _set(600.0, "Time for the installation of dependencies.", unit="s", low=1)
    trial_timeout_s: float = _set(30.0, "Time for a deploy's trial load of a handler.", unit="s", low=0.1)
    # telemetry and scenes
    scenes: int = _set(10_000, "Scene files kept; the oldest leave first.", low=1)
    scenes_bytes: int = _set(2 * _GIB, "Size of all scene files.", unit="bytes", low=_MIB)
    scenes_waiting: int = _set(
        4_096,
        "Scenes that wait to be written; of more failures there is no scene. One function gets half at most.",
        low=2,
    )
    pending_bytes: int = _set(
        128 * _MIB,
        "Size of what was recorded and is not on disk yet; more is dropped. One function gets half at most.",
        unit="bytes",
        low=_MIB,
    )
    scenes_days: float = _set(30.0, "Age of a scene file.", unit="days", low=0.01)
    retention_days: float = _set(
        30.0,
        "Age of invocations in the store; traces, logs and profiles are kept for 14/30 of it. On your own"
        " ClickHouse server only what differs from the default is set.",
        unit="days",
        low=1,
        high=36_500,
    )
    store_bytes: int = _set(
        20 * _GIB,
        "Size of the embedded store; over it the oldest days are dropped, never today's. 0: no limit.",
        unit="bytes",
        low=0,
    )
    spool_bytes: int = _set(
        _GIB, "Telemetry on disk while the store is down; then the oldest is dropped.", unit="bytes", low=_MIB
    )
    subscription_bytes: int = _set(
        64 * _MIB,
        "Records that wait to become events of functions that hear of them (`logs` and `failure` triggers);"
        " more are dropped and counted.",
        unit="bytes",
        low=_MIB,
    )
    journal_dir: str = _set(
        "",
        "Where telemetry on its way into the spool is kept in case that the server is killed. It is not"
        " redacted yet, so by default it is in memory: /dev/shm.",
        unit="path",
    )
    journal_bytes: int = _set(
        256 * _MIB,
        "Size of that; it grows from 4 MiB as needed.",
        unit="bytes",
        low=16 * _MIB,
    )
    flush_s: float = _set(0.25, "How often telemetry is written to the store.", unit="s", low=0.01, high=60)
    flush_rows: int = _set(10_000, "Rows after which telemetry is written at once.", low=1)
    store_wait_s: float = _set(
        30.0,
        "How long a server that starts waits for its store. Then it goes on without: what is recorded waits"
        " in the spool until the store is there.",
        unit="s",
        low=0,
    )
    query_timeout_s: float = _set(30.0, "Time limit of a query on the store.", unit="s", low=0.1)
    query_rows: int = _set(1_000_000, "Rows that a query may return.", low=1)
    backup_copy_s: float = _set(
        300.0,
        "How long `relive store backup` may take to copy one of the home's databases; read where it is run.",
        unit="s",
        low=1,
        high=86_400,
    )

    @classmethod
    def from_environment(
        cls, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
    ) -> Settings:
        """Settings from `env`; `overrides` (field -> value; None is ignored) win. Raises SettingsError."""
        given = {name: value for name, value in (overrides or {}).items() if value is not None}
        known = {item.field: item for item in settings()}
        values: dict[str, Any] = {}
        for name in given:
            if name not in known:
                raise SettingsError(
                    f"there is no setting {name!r}",
                    hint=_near(name, known) or "see docs/reference/settings.md",
                )
        for item in known.values():
            if item.field in given:
                values[item.field] = convert(item, given[item.field], item.field)
                continue
            for variable in (item.variable, *item.also):
                if env.get(variable, "") != "":
                    values[item.field] = convert(item, env[variable], variable)
                    break
        built = cls(**values)
        built.check()
        return built

    def check(self) -> None:
        """Raises SettingsError if settings do not fit each other or an address is open without a token."""
        if self.token and len(self.token) < _MIN_TOKEN_CHARACTERS:
            raise SettingsError(
                f"the token has {len(self.token)} characters, fewer than {_MIN_TOKEN_CHARACTERS}",
                where="RELIVE_TOKEN",
                hint="use a long random one, such as secrets.token_urlsafe() gives",
            )
        for name in ("http", "api", "lambda_api", "metrics", "otlp_grpc", "otlp_http"):
            text = getattr(self, name)
            if text in ("auto", "off"):
                continue
            variable = f"RELIVE_{name.upper()}"
            if text and not parse_address(text, name=variable).loopback and not self.token:
                raise SettingsError(
                    f"{text} can be reached from other machines, and no token is set",
                    where=variable,
                    hint="set RELIVE_TOKEN, or listen on 127.0.0.1",
                )
        if not re.fullmatch("[0-9]{12}", self.aws_account):
            raise SettingsError(
                f"{self.aws_account!r} is no account number",
                where="RELIVE_AWS_ACCOUNT",
                hint="write twelve digits, such as 000000000000",
            )
        self._check_gateway()
        check_gateways(self.gateways, self.uid_count)
        if self.backoff_limit_s < self.backoff_s:
            raise SettingsError(
                f"{self.backoff_limit_s} s is less than RELIVE_BACKOFF_S ({self.backoff_s} s)",
                where="RELIVE_BACKOFF_LIMIT_S",
                hint="raise it or lower RELIVE_BACKOFF_S",
            )

    def _check_gateway(self) -> None:
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise SettingsError(
                    f"{host!r} is not the name of a host",
                    where="RELIVE_ALLOWED_HOSTS",
                    hint="write shop.example, *.shop.example, [::1] or *, without scheme and port",
                )
        for proxy in self.trusted_proxies:
            try:
                proxy == "unix" or ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                raise SettingsError(
                    f"{proxy!r} is not an address or a network",
                    where="RELIVE_TRUSTED_PROXIES",
                    hint="write for example 127.0.0.1, 10.0.0.0/8 or unix",
                ) from None

    @property
    def run_dir(self) -> Path:
        """Sockets, token and lock of the running server."""
        return self.home / "run"

    @property
    def http_address(self) -> Address:
        """Where the gateway listens."""
        return parse_address(self.http, name="RELIVE_HTTP")

    @property
    def api_address(self) -> Address:
        """Where the control API listens."""
        return (
            parse_address(self.api, name="RELIVE_API")
            if self.api
            else Address(path=str(self.run_dir / "api.sock"))
        )

    @property
    def lambda_address(self) -> Address | None:
        """Where AWS's APIs listen; None if they do not."""
        return parse_address(self.lambda_api, name="RELIVE_LAMBDA_API") if self.lambda_api else None

    @property
    def metrics_address(self) -> Address | None:
        """Where Prometheus reads metrics; None if it does not."""
        return parse_address(self.metrics, name="RELIVE_METRICS") if self.metrics else None

    @property
    def embedded(self) -> bool:
        """Whether the store is the embedded engine in a process of its own."""
        return not self.store

    @property
    def store_url(self) -> str:
        """What the server opens: the configured URL or the store process's socket."""
        return self.store or f"unix://{self.run_dir / 'store.sock'}"

    def header_pairs(self) -> dict[str, str]:
        """`otlp_headers` as a mapping. Raises SettingsError if a pair has no `=`."""
        pairs: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in self.otlp_headers.split(","))):
            name, equals, value = part.partition("=")
            if not equals or not name.strip():
                raise SettingsError(
                    "a header is not name=value", where="RELIVE_OTLP_HEADERS", hint="write name=value"
                )
            pairs[name.strip()] = value.strip()
        return pairs


def settings() -> list[Setting]:
    """Every setting, in the order of the declaration."""
    listed = []
    for item in fields(Settings):
        more = dict(item.metadata)
        default = "" if item.default is MISSING else _shown(item.default)
        variable = f"RELIVE_{item.name.upper()}"
        listed.append(
            Setting(field=item.name, variable=variable, type=str(item.type), default=default, **more)
        )
    return listed


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default)


def _near(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""


def unknown_variables(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """RELIVE_* variables that nobody reads, each with the name that was probably meant (or "")."""
    known = [*(name for item in settings() for name in (item.variable, *item.also)), *CLIENT_VARIABLES]
    found = []
    for name in sorted(env):
        if name.startswith("RELIVE_") and name not in known and not name.startswith("RELIVE_RECORD"):
            found.append((name, next(iter(difflib.get_close_matches(name, known, n=1)), "")))
    return found


def markdown_table() -> str:
    """The table of docs/reference/settings.md."""
    lines = ["| variable | default | unit | what it is |", "| --- | --- | --- | --- |"]
    for item in settings():
        doc = item.doc
        if item.choices:
            doc += f" One of {', '.join(f'`{choice}`' for choice in item.choices)}."
        if item.also:
            doc += f" Also {', '.join(f'`{name}`' for name in item.also)}."
        default = f"`{item.default}`" if item.default else ""
        lines.append(f"| `{item.variable}` | {default} | {item.unit} | {doc} |")
    return "\n".join(lines) + "\n"
