"""What the server hands to the collector's process, and what comes back."""

from __future__ import annotations

import msgspec
from relive_base.frames import HttpRequest
from relive_base.records import InvocationRecord
from relive_capture.explore.members import HealthyEvent

__all__ = ["Ack", "Batch", "Finished", "HeapJob", "SceneJob", "Source", "Telemetry"]


class Source(msgspec.Struct, array_like=True, frozen=True):
    """The function version that telemetry comes from."""

    name: str
    version: int
    app: str = ""
    code_hash: str = ""
    redact_keys: list[str] = []
    instance: str = ""  # the worker's id
    resource: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the function


class Telemetry(msgspec.Struct, array_like=True, gc=False):
    """A Spans or Logs frame as the worker sent it."""

    source: int  # index into the batch's sources
    invocation_id: str
    attempt: int
    payload: bytes
    sampled: bool = True  # the flag of its trace


class Finished(msgspec.Struct, array_like=True):
    """An invocation with all its frames in; `profiles` are Profile frames."""

    record: InvocationRecord
    profiles: list[bytes] = []
    redact_keys: list[str] = []
    span_updates: list[bytes] = []  # SpanUpdate frames


class SceneJob(msgspec.Struct, array_like=True):
    """What the server has for the scene of a failed invocation."""

    record: InvocationRecord
    scene: bytes = b""  # the worker's own Scene frame, if it could send one
    event: bytes = b""
    http: HttpRequest | None = None
    telemetry: list[bytes] = []
    profiles: list[bytes] = []
    members: dict[str, bytes] = {}  # of a dump from outside
    parts: dict[str, tuple[str, str]] = {}
    redact_keys: list[str] = []
    handler: str = ""
    kind: str = ""
    python: str = ""
    redactions: list[str] = []  # places in `members`
    source: str = ""  # the folder of the function's code, and others whose files are its own
    in_app: list[str] = []
    healthy: HealthyEvent | None = None
    core: str = ""  # a core file to read, and to remove


class HeapJob(msgspec.Struct, array_like=True):
    """A heap snapshot for a scene that was written before, or for a baseline. `folder` has the worker's
    files; who works on the job removes it."""

    record: InvocationRecord
    state: str
    reason: str = ""
    folder: str = ""
    baseline: bool = False
    redact_keys: list[str] = []


class Batch(msgspec.Struct, array_like=True):
    """One message to the collector's process. `flush_s` > 0 asks to have everything in the store first."""

    number: int
    sources: list[Source] = []
    telemetry: list[Telemetry] = []
    finished: list[Finished] = []
    scenes: list[SceneJob] = []
    flush_s: float = 0.0
    heaps: list[HeapJob] = []


class Ack(msgspec.Struct, array_like=True):
    """The collector's process has taken over the batch. The rest is for `relive status`."""

    number: int
    flushed: bool = True
    lag_s: float = 0.0
    buffered_rows: int = 0
    spooled_rows: int = 0
    written_rows: int = 0
    dropped_rows: int = 0
    last_error: str = ""
    otlp_sent: int = 0
    otlp_failed: int = 0
    otlp_dropped: int = 0
    scenes: int = 0
    scenes_failed: int = 0
    otlp_queued: int = 0
    otlp_error: str = ""
    otlp_skipped: int = 0
    otlp_off: str = ""
