"""What happened in an invocation, and where its time went."""

from __future__ import annotations

import msgspec

from relive_base.attributes import Attribute
from relive_base.wire.messages.frame import Frame

__all__ = [
    "CallCount",
    "Costs",
    "LogLine",
    "Logs",
    "OpenSpan",
    "Profile",
    "SpanData",
    "SpanEvent",
    "SpanLink",
    "SpanUpdate",
    "Spans",
    "StackFrames",
]


class SpanEvent(msgspec.Struct, array_like=True):
    """An event on a span."""

    timestamp_ns: int
    name: str
    attributes: dict[str, Attribute] = {}


class SpanLink(msgspec.Struct, array_like=True):
    """A link from a span to another one."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, Attribute] = {}


class SpanData(msgspec.Struct, array_like=True):
    """A finished span. Attribute values keep their type (`relive_base.attributes`)."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str  # "Internal" | "Server" | "Client" | "Producer" | "Consumer"
    start_ns: int
    end_ns: int
    status: str = "Unset"  # "Unset" | "Ok" | "Error"
    status_message: str = ""
    attributes: dict[str, Attribute] = {}
    events: list[SpanEvent] = []
    links: list[SpanLink] = []
    scope: str = ""
    scope_version: str = ""
    trace_state: str = ""


class OpenSpan(msgspec.Struct, array_like=True):
    """A span that has begun and not ended, told with the first of its children that has ended: what lies
    below it has a parent even if the process ends before it does."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    scope: str = ""


class Spans(Frame, tag="spans"):
    """Spans of the user's own, as soon as each is finished."""

    invocation_id: str
    spans: list[SpanData]
    open: list[OpenSpan] = []


class SpanUpdate(Frame, tag="span_update"):
    """What the function's code has put on the invoke span just now. Its ids and times are the platform's.

    Attributes are set, events and links added; name, status and its message are as they are now.
    `whole`: all there is of it, in place of what was told before."""

    invocation_id: str
    span: SpanData
    whole: bool = False


class LogLine(msgspec.Struct, array_like=True):
    """One line. `source`: "stdout", "stderr", "logging", "otel" (its Logs API) or "console" (written past
    Python)."""

    timestamp_ns: int
    severity: str  # "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL"
    body: str
    trace_id: str = ""
    span_id: str = ""
    source: str = "stdout"
    attributes: dict[str, Attribute] = {}
    event_name: str = ""  # what kind of thing it tells, such as "exception"; "" for an ordinary line
    severity_number: int = 0  # 1 to 24; 0: the first one of the severity's range


class Logs(Frame, tag="logs"):
    """Log lines, as soon as each is written. `dropped` counts lines that the limit cut off."""

    invocation_id: str
    lines: list[LogLine]
    dropped: int = 0


class StackFrames(msgspec.Struct, array_like=True):
    """A stack, sent the first time a worker sees it: outermost frame first, parallel lists."""

    stack_hash: int  # unsigned, 64 bits
    functions: list[str]
    files: list[str]
    lines: list[int]


class Costs(msgspec.Struct, array_like=True):
    """What the process was charged while an invocation ran, beside its stacks; -1: not known."""

    gc_ns: int = -1  # in the garbage collector
    collections: int = -1
    runqueue_ns: int = -1  # able to run, and without a CPU: others had it, or its quota was used up
    system_ns: int = -1  # CPU time in the kernel
    waits: int = -1  # times that it gave up the CPU to wait (voluntary context switches)
    preemptions: int = -1  # times that the CPU was taken from it
    major_faults: int = -1  # pages read from the disk
    read_bytes: int = -1  # from the disk
    written_bytes: int = -1  # to files on a disk
    memory_bytes: int = -1  # resident at its end
    growth_bytes: int | None = None  # resident at its end less that at its beginning; None: not known
    peak_bytes: int = -1  # the most that was resident; -1: no more than in an invocation before


class CallCount(msgspec.Struct, array_like=True):
    """Calls of one invocation to one place, "http://pricing:80" or "function pricing"."""

    target: str
    count: int
    failed: int = 0  # an exception, or a status from 500 on
    wait_ns: int = 0  # until their answers began
    retried: int = 0  # that failed and were made again: the same method, host and path
    retry_ns: int = 0  # that these took
    pause_ns: int = 0  # from their ends until the next ones began, whatever was done meanwhile


class Profile(Frame, tag="profile"):
    """One invocation's profile of one phase: parallel lists, one entry a stack, or one a stack and span."""

    invocation_id: str
    phase: str = "invoke"  # "invoke" | "init"
    engine: str = "sampled"  # "sampled" | "precise"
    started_ns: int = 0
    duration_ns: int = 0
    stack_hashes: list[int] = []
    counts: list[int] = []
    wall_ns: list[int] = []
    cpu_ns: list[int] = []
    new_stacks: list[StackFrames] = []
    dropped: int = 0
    costs: Costs | None = None  # None: not measured
    calls: list[CallCount] | None = None  # None: not recorded
    spans: list[str] = []  # ids of spans in which samples were taken, but for the invoke span
    stack_spans: list[int] = []  # of each entry: 1 + the index of its span; 0: none. Empty: none at all
