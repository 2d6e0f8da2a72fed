"""One invocation, task, request or run of a script that is being recorded."""

from __future__ import annotations

import os
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from relive_base.ids import new_invocation_ids
from relive_base.wire.messages import HttpRequest
from relive_tracer.record.noticed import Noticed

from relive_outside.record.log_lines import Lines
from relive_outside.record.recipes import Recipe

if TYPE_CHECKING:
    from relive_capture.record.recording import Recorded

__all__ = ["INTERNAL_ERROR", "Attempt"]

INTERNAL_ERROR: Final = 500
_ANSWER_BYTES: Final = 8_000


class Attempt:
    """From its beginning to its end. What it was called with is kept as it was then."""

    __slots__ = (
        "answer", "attributes", "body", "deadline_ns", "event", "event_cut", "event_lost", "http",
        "invocation_id", "lines", "noticed", "outer", "parent_span_id", "pid", "recipe", "recorded",
        "sampled", "slot", "span_id", "started_ns", "status", "thread", "told", "told_of", "trace_id",
    )  # fmt: skip

    def __init__(self, recipe: Recipe, event: bytes, http: HttpRequest | None) -> None:
        self.recipe = recipe
        self.event = event
        self.event_lost = ""
        self.event_cut = 0
        self.http = http
        self.body = bytearray()  # of the request, as far as it has been read
        self.answer = bytearray()  # of one that says that it has failed, the beginning
        self.invocation_id, self.trace_id, self.span_id, _ = new_invocation_ids()
        self.parent_span_id = ""
        self.sampled = True
        self.started_ns = time.time_ns()
        self.deadline_ns = 0  # monotonic; 0: none
        self.lines = Lines()
        self.noticed = Noticed()
        self.noticed.begin(http is not None)
        self.recorded: Recorded | None = None
        self.outer: Attempt | None = None  # that was running in this context before
        self.told = False  # its scene is on its way
        self.told_of: int = 0  # id of an exception of something inside of it that has a scene of its own
        self.pid = os.getpid()
        self.thread = get_ident()
        self.slot = -1
        self.status = 0  # of its answer over HTTP
        self.attributes: dict[str, Any] = {}  # of its span

    def answers(self, part: object) -> None:
        """A part of its answer over HTTP."""
        left = _ANSWER_BYTES - len(self.answer)
        if self.status >= INTERNAL_ERROR and left > 0 and isinstance(part, (bytes, bytearray, memoryview)):
            self.answer += bytes(part[:left])
