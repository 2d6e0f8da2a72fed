"""What a part of a scene is: its state, how it is made, read and shown. `table` has all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from relive_base.parts import PartState
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import (
    ErrorInfo,
    HttpRequest,
    LogLine,
    Profile,
    Scene,
    SpanData,
    StackFrames,
)

from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line

__all__ = ["BRIEF", "FULL", "Extent", "HealthyEvent", "SceneInput", "SceneMembers", "ScenePart", "always"]


class HealthyEvent(msgspec.Struct, array_like=True):
    """The event of the newest success of the same function version."""

    invocation_id: str
    started_ns: int
    trigger: str = "api"
    event: bytes = b""
    http: HttpRequest | None = None


@dataclass(slots=True, kw_only=True)
class SceneInput:
    """Everything that is known of one failed attempt. `scene` is None if the process could save nothing;
    `members` and `parts` then come from outside (external.dump)."""

    record: InvocationRecord
    scene: Scene | None = None
    error: ErrorInfo | None = None  # if neither `scene` nor `record` has one
    captured_ns: int = 0
    event: bytes = b""
    http: HttpRequest | None = None
    healthy: HealthyEvent | None = None
    logs: Sequence[LogLine] = ()
    logs_left_out: int = 0  # lines before those in `logs`
    spans: Sequence[SpanData] = ()
    profiles: Sequence[Profile] = ()
    stacks: Mapping[int, StackFrames] = field(default_factory=dict)  # by hash, those of earlier invocations
    members: Mapping[str, bytes] = field(default_factory=dict)
    parts: Mapping[str, PartState] = field(default_factory=dict)
    redactions: Sequence[str] = ()  # places that were redacted in `members`
    redact_keys: Sequence[str] = ()
    python: str = ""


@dataclass(slots=True)
class SceneMembers:
    """Archive members by name, parts by name, redacted places."""

    files: dict[str, bytes]
    parts: dict[str, PartState]
    redactions: list[str]
    redactor: Redactor = field(default_factory=Redactor)  # which knows the scene's secrets


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of each is shown. `width`: cells of a line; `wide`: of one that `--full` leaves whole."""

    width: int = 120
    wide: int = 120
    locals: int = 20
    local_lines: int = 12  # of one value
    depth: int = 1  # of values that do not fit one line
    frames: int = 12
    calls: int = 8
    event_lines: int = 24
    changes: int = 12
    logs: int = 10
    every_frame: bool = False  # each with its line and its locals
    bodies: bool = False  # of calls


BRIEF = Extent()
FULL = Extent(
    locals=10_000,
    local_lines=10_000,
    depth=10,
    calls=10_000,
    event_lines=100_000,
    changes=10_000,
    logs=1_000_000,
    every_frame=True,
    bodies=True,
)


def always(part: PartState) -> Callable[[SceneInput], PartState]:
    """The same state, whatever the failure was."""
    return lambda _: PartState(part.state, list(part.reasons))


def _collect_nothing(_source: SceneInput, _built: SceneMembers) -> None:
    """Its members come from the worker, or from who read it from outside, or there are none."""


def _render_nothing(_scene: SceneFile, _extent: Extent) -> list[Line]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePart:
    """One part. Members of an archive belong to it by their name: `NAME.json`, `NAME/...`.

    `absent` is its state, and why, if nobody gives it. `collect` makes its members and says its state; what
    a worker or a reader from outside has given is there already. `read` is what machines get of it, under
    `json_key`; it may raise SceneError. `render` is what people read of it, none if it has nothing to show.
    """

    name: str
    absent: Callable[[SceneInput], PartState]
    collect: Callable[[SceneInput, SceneMembers], None] = _collect_nothing
    json_key: str = ""
    read: Callable[[SceneFile], Any] | None = None
    render: Callable[[SceneFile, Extent], list[Line]] = _render_nothing
