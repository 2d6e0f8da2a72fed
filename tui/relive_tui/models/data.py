"""The rows that the screens show. The data source fills them from what the other rooms answer.

They are the part of the other rooms' rows that is looked at here, with defaults, so that a model can be
tested with a line of plain data. Times are ns since the epoch, 0 if something did not happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "CallView",
    "EventChange",
    "EventDiff",
    "EventView",
    "ExceptionView",
    "FailureGroup",
    "FlameView",
    "FrameView",
    "FunctionRow",
    "HeapRef",
    "HotLine",
    "InvocationRow",
    "KeptView",
    "LogRow",
    "Preview",
    "ReplayView",
    "SceneView",
    "SpanRow",
    "StackView",
    "ValueView",
]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures with one fingerprint; `invocation_id` is the newest of them. `state`: "open", "resolved",
    "ignored", or "regression": it was resolved, and has failed since."""

    fingerprint: str
    function: str
    error_type: str
    message: str = ""
    kind: str = "exception"
    file: str = ""
    line: int = 0
    count: int = 1
    first_ns: int = 0
    last_ns: int = 0
    invocation_id: str = ""
    attempt: int = 1
    spark: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    state: str = "open"


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function over the scope's time range."""

    name: str
    invocations: int = 0
    errors: int = 0
    rps: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    cold_starts: int = 0
    max_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    last_failure_ns: int = 0
    spark: tuple[int, ...] = ()
    hot_line: str = ""  # "cart.py:88 31%"


@dataclass(frozen=True, slots=True)
class InvocationRow:
    """One attempt at one event."""

    invocation_id: str
    function: str
    attempt: int = 1
    version: int = 0
    trigger: str = ""
    status: str = "ok"
    cold: bool = False
    started_ns: int = 0
    queue_ns: int = 0
    init_ns: int = 0
    duration_ns: int = 0
    cpu_ns: int = 0
    peak_rss_bytes: int = 0
    memory_limit_bytes: int = 0
    trace_id: str = ""
    span_id: str = ""
    error_type: str = ""
    error_message: str = ""
    error_file: str = ""
    error_line: int = 0
    error_function: str = ""
    http_status: int = 0
    spans: int = 0
    logs: int = 0
    has_scene: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is something to explain."""
        return self.status not in ("ok", "rejected")


@dataclass(frozen=True, slots=True)
class EventView:
    """An event on a span."""

    timestamp_ns: int
    name: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span of a trace."""

    span_id: str
    parent_span_id: str
    name: str
    start_ns: int
    duration_ns: int
    trace_id: str = ""
    kind: str = "Internal"
    service: str = ""
    status: str = "Unset"
    status_message: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    events: tuple[EventView, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the span says so itself."""
        return self.status == "Error"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line that a function wrote. `traceback` is that of the exception that was logged with it."""

    timestamp_ns: int
    severity: str
    body: str
    function: str = ""
    invocation_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: str = ""
    attempt: int = 1
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class ValueView:
    """A captured value. `children`: (name, value); `more` of them were cut. `address` is its id(), or 0."""

    type: str
    text: str
    length: int = -1
    children: tuple[tuple[str, ValueView], ...] = ()
    more: int = 0
    redacted: bool = False
    ref: bool = False
    address: int = 0


@dataclass(frozen=True, slots=True)
class FrameView:
    """A frame of a captured stack. `source` are lines around `line`, the first one is `source_first_line`.

    The failing expression is `line`:`column` to `end_line`:`end_column`, in UTF-8 bytes from 0; -1: unknown.
    """

    file: str
    line: int
    function: str
    in_app: bool = True
    locals: tuple[tuple[str, ValueView], ...] = ()
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
    attributes: tuple[tuple[str, ValueView], ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    place: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackView:
    """Another stack of the process at the failure. `kind`: "thread" or "task"; `state`: what it waits for;
    `exception`: what it failed with."""

    kind: str
    name: str
    frames: tuple[FrameView, ...] = ()
    state: str = ""
    exception: ExceptionView | None = None


@dataclass(frozen=True, slots=True)
class CallView:
    """A call that the function made. `status` 0: none came; `took_ns` 0: not known; `error` is why it
    failed."""

    started_ns: int
    what: str  # "GET https://example.org/a" or "call pricing"
    status: int = 0
    took_ns: int = 0
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the caller had something to handle."""
        return bool(self.error) or self.status >= 400


@dataclass(frozen=True, slots=True)
class KeptView:
    """The failed process, still there. `left_s`: until it is ended."""

    pid: int
    left_s: float
    attached: bool = False


@dataclass(frozen=True, slots=True)
class EventChange:
    """`change`: "added", "removed", "changed" or "type" (another kind of value); texts are JSON."""

    path: str
    change: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class EventDiff:
    """From the function's last successful event to the failed one; `more` changes were left out."""

    changes: tuple[EventChange, ...] = ()
    more: int = 0
    invocation_id: str = ""  # of the success
    started_ns: int = 0


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
    result: tuple[str, str, ValueView | None] | None = None
    facts: tuple[tuple[str, str], ...] = ()  # (what, text): memory, Python, worker, redacted places
    difference: EventDiff | None = None
    has_heap: bool = False
    heap_elsewhere: str = ""  # the invocation of the same failure that has one
    calls: tuple[CallView, ...] = ()  # in the order in which they were made


@dataclass(frozen=True, slots=True)
class ReplayView:
    """What the last replay of a failure came to. `outcome`: "same", "other", "passed", "unrecorded" or
    "mixed"; `code`: what was run, in words; `counts`: how many of the `runs` had which outcome."""

    outcome: str
    at_ns: int
    code: str = ""
    runs: int = 1
    counts: tuple[tuple[str, int], ...] = ()
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the cursor's failure looks like without opening it."""

    title: str
    place: str = ""
    source: str = ""
    locals: tuple[tuple[str, str], ...] = ()
    line: int = 0
    around: tuple[
        tuple[int, list[tuple[str, str]]], ...
    ] = ()  # (number, coloured line) of the lines about it


@dataclass(frozen=True, slots=True)
class HeapRef:
    """A heap that another one can be compared with; `file` is that of a healthy invocation's."""

    invocation_id: str
    attempt: int
    captured_ns: int
    title: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class HotLine:
    """A line (or function) and the time spent in it; `self_pct` of all samples."""

    function: str
    name: str
    file: str
    line: int
    self_s: float = 0.0
    total_s: float = 0.0
    self_pct: float = 0.0
    samples: int = 0
    self_cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FlameView:
    """A flame graph as flat arrays, a frame each, parents before children; `start` and `width` in ns."""

    name: list[str] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    width: list[float] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    note: str = ""  # how far it can be trusted
    aggregate: bool = True  # False: of one invocation

    def __len__(self) -> int:
        return len(self.name)
