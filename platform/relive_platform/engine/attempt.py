"""One attempt at an invocation, and its life: which states there are, and what each step does to its record.

    waiting -> running -> answered -> finished
      ^  |      ^   |
      |  v      |   v
     ahead ------  waiting, as it has not begun

Nobody but `Attempt` writes these attributes; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Done, ErrorInfo, Exited, Result

from relive_platform.engine.evidence import Evidence
from relive_platform.engine.invocation import InvokeRequest, Waiter

__all__ = [
    "AHEAD",
    "ANSWERED",
    "ATTEMPT_STEPS",
    "FINISHED",
    "RUNNING",
    "WAITING",
    "Attempt",
    "WrongAttemptStep",
]

WAITING: Final = "waiting"  # for a worker
AHEAD: Final = "ahead"  # sent to a worker that has others to do first
RUNNING: Final = "running"
ANSWERED: Final = "answered"  # its outcome is known; the rest of what there is to tell is on its way
FINISHED: Final = "finished"  # its record is complete, and handed on

ATTEMPT_STEPS: Final[Mapping[str, frozenset[str]]] = {
    WAITING: frozenset((AHEAD, RUNNING, ANSWERED, FINISHED)),  # at once: rejected, or its caller has gone
    AHEAD: frozenset((RUNNING, WAITING)),
    RUNNING: frozenset((ANSWERED, WAITING)),  # waiting: it came too late to begin
    ANSWERED: frozenset((ANSWERED, FINISHED)),  # again: it is known by now where it stood
    FINISHED: frozenset(),
}

KEPT_BODY_BYTES: Final = 65_536
"""Of a request's body that comes in parts."""
_HELD_UP_NS: Final = 50_000_000
"""Between sending and beginning: what is shorter is waking up, or turns of a loop that is busy."""
_NO_REQUEST: Final = InvokeRequest(function="")


class WrongAttemptStep(RuntimeError):
    """A fault of ours: an attempt cannot get from the one state to the other."""


class Attempt(msgspec.Struct, kw_only=True, eq=False):
    """One attempt from its acceptance to its last message. `mono` are seconds of the monotonic clock."""

    request: InvokeRequest
    record: InvocationRecord
    waiter: Waiter
    timeout_s: float
    accepted_mono: float
    profile: str = ""  # the engine that was asked for; it stays if the event is sent to another worker
    state: str = WAITING
    began_mono: float = 0.0  # its turn in its worker
    start_before_mono: float = 0.0  # sent ahead, behind a running one; 0: it was sent to run at once
    deadline_mono: float = 0.0
    capture_until_mono: float = 0.0  # its timeout is being captured; until then it may take
    result: Result | None = None  # of its worker; None if that could not answer
    gathered: Evidence | None = None  # None: nothing has come in but its answer, as of most

    @property
    def evidence(self) -> Evidence:
        """What has come in of it beside its answer, to add to."""
        if self.gathered is None:
            self.gathered = Evidence()
        return self.gathered

    def _become(self, state: str) -> None:
        if state not in ATTEMPT_STEPS[self.state]:
            raise WrongAttemptStep(f"an attempt that is {self.state} cannot become {state}")
        self.state = state

    # ------------------------------------------------------------ to a worker

    def dispatch(self, now_ns: int, pid: int, worker_id: int, instance: str, tier: int) -> None:
        """A worker was found for it; `tier` is the isolation it has reached."""
        record = self.record
        record.dispatched_ns = now_ns
        record.worker_pid, record.worker_id = pid, worker_id
        record.instance, record.isolation_tier = instance, tier

    def started_cold(self, started_ns: int, loaded_ns: int) -> None:
        """It has waited for its worker to load the module, from `started_ns` on."""
        record = self.record
        record.cold = True
        record.init_started_ns = max(started_ns, record.accepted_ns)
        record.init_ended_ns = loaded_ns

    def found_waiting(self) -> None:
        """Its worker is new, and had been ready before it came."""
        self.record.pooled = True

    def use_profile(self, engine: str) -> None:
        """Somebody wants a profile of the next one, and this is it."""
        self.profile = engine

    def begin(self, now_mono: float) -> None:
        """A worker runs it from now on."""
        if self.state == WAITING:
            self.start_before_mono = 0.0
            self.deadline_mono = now_mono + self.timeout_s
        elif self.state != AHEAD:
            self._become(RUNNING)
        self.state = RUNNING
        self.began_mono = now_mono

    def send_ahead(self, now_mono: float, wait_s: float) -> None:
        """A worker has it, behind others; it begins within `wait_s` or not at all."""
        if self.state != WAITING:
            self._become(AHEAD)
        self.state = AHEAD
        self.start_before_mono = now_mono + wait_s
        self.deadline_mono = now_mono + wait_s + self.timeout_s

    def give_back(self) -> None:
        """Its worker has not begun it, and will not: another one may."""
        self._become(WAITING)

    # ------------------------------------------------------------ its end

    def answer(self, result: Result) -> None:
        """Its worker has told how it ended."""
        if self.state != RUNNING:
            self._become(ANSWERED)
        self.state = ANSWERED
        self.result = result
        record = self.record
        record.status = result.status
        record.error = result.error
        record.started_ns = result.started_ns
        record.ended_ns = result.ended_ns
        record.result_bytes = len(result.body) + result.streamed_bytes
        if record.http_method and (result.status == "ok" or result.answered):
            record.http_status = result.http_status

    def waited_in_worker(self) -> None:
        """Its worker runs others beside it, whose code may have kept it from beginning: it has waited."""
        record = self.record
        if record.started_ns - record.dispatched_ns >= _HELD_UP_NS and record.dispatched_ns:
            record.dispatched_ns = record.started_ns

    def body_came(self, data: bytes) -> None:
        """Its request's body goes on; its beginning is kept for a scene."""
        record, http = self.record, self.request.http
        record.event_bytes += len(data)
        if http is not None and len(http.body) < KEPT_BODY_BYTES:
            http.body += data[: KEPT_BODY_BYTES - len(http.body)]

    def body_moves(self, now_mono: float) -> None:
        """Until its request's body is whole, its time limit begins anew with each part."""
        self.deadline_mono = max(self.deadline_mono, now_mono + self.timeout_s)

    def client_left(self) -> None:
        """Its client did not wait for its end."""
        record = self.record
        record.attributes = {**record.attributes, "relive.client_disconnected": "true"}

    def moves(self, until_mono: float) -> None:
        """A part of its answer has come: the next one may take until then."""
        self.deadline_mono = until_mono

    def postpone(self, by_s: float) -> None:
        """Its worker stood still for so long, and by our own doing."""
        self.deadline_mono += by_s

    def capture_until(self, until_mono: float) -> None:
        """Its timeout has struck: it gets time to say where, once."""
        if not self.capture_until_mono:
            self.capture_until_mono = until_mono

    def overdue(self, now_mono: float, grace_s: float) -> bool:
        """Whether it has not ended by its deadline, which its worker should have kept."""
        return now_mono > max(self.deadline_mono + grace_s, self.capture_until_mono)

    def judge_anew(self, error: ErrorInfo) -> None:
        """It has ended for another reason than it was told at once."""
        self.record.error = error

    def fail(self, status: str, error: ErrorInfo) -> None:
        """It ends without an answer of its worker."""
        self._become(ANSWERED)
        self.record.status = status
        self.record.error = error

    def lose_start(self, pid: int, worker_id: int, from_ns: int, now_ns: int, loading: Evidence) -> None:
        """The worker that it has waited for did not get ready; `loading`: what came of its module."""
        self.record.worker_pid, self.record.worker_id = pid, worker_id
        self.started_cold(from_ns, now_ns)
        self.evidence.loaded(loading)

    def lose(
        self, status: str, error: ErrorInfo, now_ns: int, exited: Exited | None, cpu_ns: int, ready: bool
    ) -> None:
        """Its worker's process is gone. `cpu_ns`: what it has used of it; `ready`: after its module was
        loaded."""
        record = self.record
        if ready:
            record.started_ns = record.started_ns or record.dispatched_ns
            record.ended_ns = record.ended_ns or now_ns
        if exited is not None:
            record.cpu_ns = record.cpu_ns or cpu_ns
            if not self.evidence.rss_peak:  # the system's own figure has the pages of mapped files in it
                record.peak_rss_bytes = max(record.peak_rss_bytes, exited.peak_rss_bytes)
        self.fail(status, error)

    def used(self, cpu_ns: int) -> None:
        """So much CPU time, by what the system says of its process."""
        self.record.cpu_ns = cpu_ns

    def respond(self, now_ns: int) -> None:
        """Its outcome is given to who waits for it."""
        self.record.responded_ns = now_ns

    def refuse(self, lines: int) -> None:
        """So many lines or spans of it were not taken."""
        self.record.dropped += lines

    def finish(self, done: Done | None = None) -> None:
        """All is told. `done`: the worker's own last message, if there was one."""
        if self.state != ANSWERED:
            self._become(FINISHED)
        self.state = FINISHED
        record, gathered = self.record, self.gathered
        if done is not None:
            record.cpu_ns = done.cpu_ns
            record.peak_rss_bytes = done.peak_rss_bytes
            record.spans = done.spans
            record.logs = done.logs
            record.dropped += done.dropped  # to what the server itself refused
        # An invocation that succeeded has one if a thread or a task of it failed.
        record.has_scene = record.failed
        if gathered is not None:
            record.has_scene = record.has_scene or bool(gathered.scene)
            record.peak_rss_bytes = max(record.peak_rss_bytes, gathered.rss_peak)

    def abandon(self) -> None:
        """Its caller has gone before it began."""
        self._become(FINISHED)

    def without_bodies(self) -> Attempt:
        """A copy that holds no event and no answer, which may be large."""
        return msgspec.structs.replace(self, request=_NO_REQUEST, result=None)
