"""What a scene shows: exceptions with frames, other stacks, calls, logs.

Times are ns since the epoch, 0 if something did not happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relive_base.values import ValueNode

    from relive_views.records import LogRow
    from relive_views.scenes.differences import EventDiff

__all__ = ["CallView", "ExceptionView", "FrameView", "SceneFacts", "SceneView", "StackView"]


@dataclass(frozen=True, slots=True)
class FrameView:
    """A frame of a captured stack. `source` are lines around `line`, the first one is `source_first_line`.

    The failing expression is `line`:`column` to `end_line`:`end_column`, in UTF-8 bytes from 0; -1: unknown.
    """

    file: str
    line: int
    function: str
    in_app: bool = True
    locals: tuple[tuple[str, ValueNode], ...] = ()
    source: tuple[str, ...] = ()
    source_first_line: int = 1
    end_line: int = 0
    column: int = -1
    end_column: int = -1


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """One exception of a chain, a member of a group, or what such a member was raised from; frames outermost
    first.

    `relation`: "" (raised), "cause", "context", "group" or "signal". `depth` counts the groups around it;
    `members` are in this group, `members_cut` of them were not kept. `frames_cut` frames are missing after
    frame `frames_cut_at`. `suppressed`: `raise ... from None` hid what follows. `details` are (name, text) of
    what its type has to tell; `place` are the lines that Python prints before a SyntaxError.
    """

    type: str
    message: str
    relation: str = ""
    frames: tuple[FrameView, ...] = ()
    notes: tuple[str, ...] = ()
    module: str = ""
    depth: int = 0
    members: int = 0
    members_cut: int = 0
    frames_cut: int = 0
    frames_cut_at: int = 0
    suppressed: bool = False
    attributes: tuple[tuple[str, ValueNode], ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackView:
    """Another stack of the process at the failure. `kind`: "thread", "task"; `state`: "pending" or the like;
    `awaits`: the type that it waits for; `exception`: what it failed with."""

    kind: str
    name: str
    frames: tuple[FrameView, ...] = ()
    state: str = ""
    exception: ExceptionView | None = None
    awaits: str = ""


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that the function made. `status` 0: none came; `took_ns` 0: not known; `error` is why it
    failed; `answer`: in words, of a call without a status."""

    started_ns: int
    what: str  # "GET https://example.org/a" or "call pricing"
    status: int = 0
    took_ns: int = 0
    error: str = ""
    answer: str = ""

    @property
    def failed(self) -> bool:
        """Whether the caller had something to handle."""
        return bool(self.error) or self.status >= 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFacts:
    """What a scene says of the process and of itself; 0 or "" for what it does not say. `damaged`: why parts
    could not be read. `redactions`: the places."""

    peak_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    timeout_ns: int = 0
    cpu_ns: int = 0
    capture_ns: int = 0
    python: str = ""
    system: str = ""
    pid: int = 0
    cold: bool = False
    file_bytes: int = 0
    file_members: int = 0
    redactions: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SceneView:
    """A failure scene. `exceptions[0]` was raised; what caused it and the members of groups follow in the
    order of a traceback. `parts`: (name, state, why). `result`: (path, reason, value) of a result that could
    not be sent. `difference`: from the event of the last success, if the scene has that."""

    invocation_id: str
    attempt: int
    function: str
    kind: str
    exceptions: tuple[ExceptionView, ...]
    version: int = 0
    trace_id: str = ""
    span_id: str = ""
    captured_ns: int = 0
    fingerprint: str = ""
    event: str = ""
    parts: tuple[tuple[str, str, str], ...] = ()
    note: str = ""  # why this is less than a scene
    stacks: tuple[StackView, ...] = ()
    logs: tuple[LogRow, ...] = ()
    result: tuple[str, str, ValueNode | None] | None = None
    facts: SceneFacts = field(default_factory=SceneFacts)
    difference: EventDiff | None = None
    has_heap: bool = False
    heap_elsewhere: str = ""  # the invocation of the same failure that has one
    calls: tuple[CallView, ...] = ()  # in the order in which they were made
    host: str = ""  # that ran it, if Relive did not: "uvicorn", "lambda"
