"""What an attempt leaves behind: its record with what came with it, what its scene is made of, its heap."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from relive_base.parts import PartState
from relive_base.records import InvocationRecord
from relive_base.wire.messages import HttpRequest
from relive_capture.explore.parts import HealthyEvent

__all__ = ["Finished", "HeapFound", "SceneJob"]


class Finished(msgspec.Struct, array_like=True, tag="f"):
    """An invocation with all its frames in; `profiles` are Profile frames."""

    record: InvocationRecord
    profiles: list[bytes] = []
    redact_keys: list[str] = []
    span_updates: list[bytes] = []  # SpanUpdate frames


class SceneJob(msgspec.Struct, array_like=True, tag="s"):
    """What the server has for the scene of a failed invocation."""

    record: InvocationRecord
    scene: bytes = b""  # the worker's own Scene frame, if it could send one
    event: bytes = b""
    http: HttpRequest | None = None
    telemetry: list[bytes] = []
    profiles: list[bytes] = []
    members: dict[str, bytes] = {}  # of a dump from outside
    parts: dict[str, PartState] = {}
    redact_keys: list[str] = []
    handler: str = ""
    kind: str = ""
    python: str = ""
    redactions: list[str] = []  # places in `members`
    source: str = ""  # the folder of the function's code, and others whose files are its own
    in_app: list[str] = []
    healthy: HealthyEvent | None = None
    core: str = ""  # a core file to read, and to remove
    span_updates: list[bytes] = []  # SpanUpdate frames
    logs_left_out: int = 0  # lines before those in `telemetry`


@dataclass(frozen=True, slots=True)
class HeapFound:
    """What became of a heap snapshot. If it is not missing, `folder` has the worker's raw files, which nobody
    has looked at."""

    part: PartState
    folder: str = ""
    baseline: bool = False  # of a success: it belongs to no scene
