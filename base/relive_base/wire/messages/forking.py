"""Between server and zygote: workers to be forked and reaped, and the function version that each is for."""

from __future__ import annotations

import msgspec

from relive_base.wire.messages.frame import Frame

__all__ = ["Exited", "Fork", "Forked", "FunctionSpec", "Stop", "ZygoteReady"]


class FunctionSpec(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Everything a worker has to know of its function version; it never changes for a worker's life."""

    name: str
    version: int
    handler: str  # "module:attribute"
    kind: str = "event"  # of handler: one of relive_runtime.adapters.table.KINDS
    source: str = ""  # absolute folder of the version's code
    app: str = ""
    code_hash: str = ""
    environment: dict[str, str] = {}
    timeout_s: float = 3.0
    memory_mb: int = 256
    core_mb: int = 0  # the largest core file that a crash may leave
    output_limit_bytes: int = 1_048_576  # stdout + stderr + log records of one invocation
    result_limit_bytes: int = 6_291_456
    profile: str = "sampled"  # "sampled" | "precise" | "off"
    profile_threads: bool = False  # whether the function's other threads are sampled, too
    precise_share: float = 0.0  # of the attempts, that are profiled precisely
    precise_after: str = ""  # "slow" | "failed" | "both": the attempt after such a one is, too
    capture: str = "full"  # "full" | "frames" | "off"
    isolation_tier: int = 1  # the tier wanted; Ready says which was reached
    scratch: str = ""  # a writable folder of the worker's own; HOME, and TMPDIR if it has no /tmp
    redact_keys: list[str] = []  # more key names to redact, from relive.toml
    call_depth: int = 16  # how deep functions may call each other
    load_timeout_s: float = 30.0  # for the import of the user's module
    in_app: list[str] = []  # folders whose frames count as the user's own; `source` always does
    recording: bool = True  # keep the calls of a failed invocation
    recording_bytes: int = 2_097_152  # of all of them, and of the files that it read; 0: none
    recording_file_bytes: int = 1_048_576  # of one file
    dependencies: str = ""  # hash of the dependency lock; "" for none
    unix_sockets: bool = False  # whether those of others in the file system may be reached from tier 1 on
    stream_limit_bytes: int = 268_435_456  # of an answer that is sent part by part
    replay: bytes = b""  # msgpack of a relive_capture.recording_format.ReplayInput: this worker replays
    tmp_mb: int = 512  # room in the worker's own /tmp; 0: it has none
    instance: str = ""  # the worker's own id: the `service.instance.id` of its telemetry
    resource: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the server
    relive_version: str = ""
    propagators: str = ""  # OTEL_PROPAGATORS of the server, if the function's environment has none
    command: list[str] = []  # of kind "custom": the program and its arguments; none: ./bootstrap
    runtime: str = ""  # of kind "custom": "nodejs", "provided"
    dependencies_dir: str = ""  # the folder of the dependency set; "" for none
    uid: int = 0  # the user and the group that the worker becomes; 0: it has its zygote's
    capacity: int = 0  # attempts that a worker of a service runs at once; 0: by its interface
    interface: str = ""  # of a service: "asgi" or "wsgi"; "": by what its application looks like
    idle_timeout_s: float = 300.0  # between two parts of a service's streamed answer
    disconnect_timeout_s: float = 5.0  # of a request of a service whose client has gone
    stop_timeout_s: float = 10.0  # for a service to shut down
    span_share: float = 1.0  # of unremarkable invocations that keep their own spans
    span_slow_ms: int = 0  # an invocation that takes longer is remarkable; 0: the slowest 5 %
    folders: list[str] = []  # absolute: those of its resources, which it may write to
    websockets: int = 0  # open ones that a worker of a service has at once; 0: the usual number
    observe_limit_ms: int = 1_000  # for all callbacks of observable instruments together
    service_heaps: bool = False  # whether a heap of a service may be taken for a request that has failed


class Fork(Frame, tag="fork"):
    """Fork a worker. `descriptors` come along (SCM_RIGHTS): frame socket, console, as a third one what its
    fault handler writes to, and as a fourth one its ring (see ring.py)."""

    worker_id: int
    spec: FunctionSpec
    descriptors: int = 2


class Stop(Frame, tag="stop"):
    """To a worker: leave after the current invocation. To a zygote: leave now, its workers go on."""


class ZygoteReady(Frame, tag="zygote_ready"):
    """The zygote has imported its dependencies and can fork."""

    pid: int
    python: str
    import_ns: int = 0
    failed_imports: dict[str, str] = {}
    command: list[str] = []  # of kind "custom": the program and its arguments; none: ./bootstrap
    runtime: str = ""  # of kind "custom": "nodejs", "provided"
    dependencies_dir: str = ""  # the folder of the dependency set; "" for none
    uid: int = 0  # the user that it runs as
    own_users: bool = False  # whether a worker can become the one that its FunctionSpec names


class Forked(Frame, tag="forked"):
    """The worker's process exists. pid 0 means that the fork failed; `error` says why."""

    worker_id: int
    pid: int
    forked_ns: int = 0
    error: str = ""


class Exited(Frame, tag="exited"):
    """A worker was reaped: `status` as os.waitpid gave it, the rest from its rusage."""

    worker_id: int
    pid: int
    status: int
    peak_rss_bytes: int = 0
    cpu_ns: int = 0
