"""What the application's process hands to the one that makes a scene of it, through memory alone."""

from __future__ import annotations

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import HttpRequest, LogLine, Scene

__all__ = ["Ended", "Handed", "HostFacts"]


class HostFacts(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Who ran the code. `name`: "lambda", "asgi", "wsgi", "uvicorn", "gunicorn", "celery", "script" or
    "call"; `details`: what else is known of it, such as the region."""

    name: str = ""
    details: dict[str, str] = {}
    python: str = ""
    implementation: str = ""
    platform: str = ""
    handler: str = ""
    kind: str = ""
    source: str = ""  # the folder of the application's code
    process_started_ns: int = 0


class Ended(msgspec.Struct, array_like=True):
    """An invocation, for its span."""

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    kind: str  # "Server", "Consumer" or "Internal"
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int | float | bool]
    error_type: str = ""
    message: str = ""


class Handed(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Everything. Nothing of it is redacted but what is in `scene.members`. It is never written to a disk,
    and never in the arguments of a process."""

    record: InvocationRecord | None = None  # None: there are spans only
    host: HostFacts = msgspec.field(default_factory=HostFacts)
    scene: Scene | None = None  # None: the process was killed
    event: bytes = b""
    event_lost: str = ""  # why there is none, as a code of relive_base.parts
    event_cut: int = 0  # bytes of the body that a limit left out
    http: HttpRequest | None = None
    logs: list[LogLine] = []
    logs_left_out: int = 0
    path: list[str] = []  # sys.path, to find what is installed
    redact_keys: list[str] = []
    source_bytes: int = 0
    to: str = ""
    token: str = ""
    folder_scenes: int = 0
    folder_bytes: int = 0
    spans: list[Ended] = []
    otlp: str = ""
