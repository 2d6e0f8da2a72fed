"""One attempt among those that run beside each other."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from relive_base.wire.messages import Invoke
from relive_profiler.record import Look
from relive_tracer.record import InvocationState

from relive_runtime.adapters.base import Attempt
from relive_runtime.worker.limits.deadline import HandlerTimeout

if TYPE_CHECKING:
    from relive_capture.record.recording import Recorded

__all__ = ["BesideAttempt"]

_BLOCKS: int = 8


class BesideAttempt(Attempt):
    """Everything that is kept of it. It ends in three steps, each at most once: it is answered, its code
    comes to an end, its last word is told."""

    __slots__ = (
        "abandoned",
        "answered",
        "blocked_before_ns",
        "blocked_ns",
        "blocking_ns",
        "blocks",
        "body_moves",
        "code",
        "context",
        "cpu_ns",
        "deadline_ns",
        "ended_ns",
        "failed",
        "gone",
        "headers",
        "http_status",
        "look",
        "over",
        "raised",
        "recorded",
        "started_ns",
        "state",
        "streaming",
        "task",
        "thread",
    )

    def __init__(self, invoke: Invoke, context: Context | None, started_ns: int, cpu_ns: float) -> None:
        self.invoke = invoke
        self.streamed_bytes = 0
        self.context = context  # that its code runs in; None: that of its task
        self.started_ns = started_ns
        self.ended_ns = 0  # its answer was there
        self.cpu_ns = cpu_ns  # of the worker's account when it began
        self.deadline_ns = invoke.deadline_monotonic_ns  # to the answer's beginning, then to its next part
        self.state: InvocationState | None = None
        self.look: Look | None = None
        self.recorded: Recorded | None = None  # what it reads from outside
        self.code: Any = None  # the coroutine to look at, if that of its task cannot be looked into
        self.task: Any = None  # of asyncio, that its code runs in
        self.thread = 0  # ... or the thread
        self.answered = False  # its Result has been sent
        self.streaming = False  # its answer has begun, and goes on
        self.over = False  # its Done has been sent
        self.failed = False
        self.gone = False  # its client has left
        self.abandoned = False  # ... and so its code was cancelled
        self.raised: HandlerTimeout | None = None  # its time limit has struck
        self.http_status = 0
        self.headers: list[tuple[str, str]] = []  # of its Result, if it fails
        self.body_moves = False
        self.blocks: list[dict[str, Any]] = []  # who has kept it waiting, and where
        self.blocked_ns = 0  # in all
        self.blocked_before_ns = 0  # ... of that, before it could begin
        self.blocking_ns = 0  # that it has kept others waiting

    @property
    def invocation_id(self) -> str:
        """Its invocation's."""
        return self.invoke.invocation_id

    def blocked(self, block: dict[str, Any], ns: int) -> None:
        """Somebody else has kept the event loop for itself, for so long."""
        self.blocked_ns += ns
        if len(self.blocks) < _BLOCKS:
            self.blocks.append(block)
