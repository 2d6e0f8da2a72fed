"""The timers of all functions: each firing becomes one queued event, once, across restarts too.

A firing's event and the timer's mark are one commit, and the event's id is made of the firing's time: a
crash between any two steps neither loses nor doubles it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from relive_base.errors import ReliveError
from relive_base.ids import new_trace_id

from relive_platform.triggers.queue.model import Clock, QueuedEvent, Receipt, SystemClock
from relive_platform.triggers.timer.schedule import Schedule, parse_schedule

__all__ = ["Timer", "TimerQueue", "TimerService"]

_NS: Final = 1_000_000_000
_MAX_WAIT_S: Final = 5.0  # the wall clock may be set while we wait
_RETRY_S: Final = 1.0
_COMMIT_TIMEOUT_S: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One timer trigger of a function in service. `retries`, `max_age_s`: of the events it makes."""

    function: str
    schedule: str
    time_zone: str = "UTC"
    misfire: str = "skip"  # "skip" | "once"
    payload: str = ""
    retries: int = 2
    max_age_s: float = 21_600.0
    event: str = ""  # the whole of it, JSON

    @property
    def key(self) -> str:
        """What its mark is kept under: a changed schedule is a new timer."""
        own = f" {_digest(self.event)}" if self.event else ""
        return f"{self.function} {self.schedule} {self.time_zone}{own}"


class TimerQueue(Protocol):
    """What the service needs of the event queue."""

    def publish(self, event: QueuedEvent, *, mark: tuple[str, int] | None = None) -> Future[Receipt]: ...
    def marks(self) -> Future[dict[str, int]]: ...
    def mark(self, key: str, value_ns: int) -> Future[None]: ...
    def unmark(self, key: str) -> Future[None]: ...


@dataclass(slots=True)
class _Armed:
    timer: Timer
    schedule: Schedule
    anchor_ns: int  # the last firing, or when the timer began
    due_ns: int | None


class TimerService:
    """Call `tick` when `next_due_ns` has come, or let `start` do that in a thread of its own."""

    def __init__(
        self,
        queue: TimerQueue,
        clock: Clock | None = None,
        *,
        grace_s: float = 30.0,
        on_error: Callable[[Timer, BaseException], None] | None = None,
    ) -> None:
        self._queue = queue
        self._clock = clock or SystemClock()
        self._grace_ns = int(grace_s * _NS)
        self._on_error = on_error or _log_error
        self._armed: dict[str, _Armed] = {}
        self._changed = threading.Condition(threading.RLock())
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.missed = 0  # firings that were skipped because they came too late

    def set_timers(self, timers: Iterable[Timer]) -> None:
        """These are the timers from now on. Those that stay keep their marks, new ones begin now."""
        wanted = {timer.key: timer for timer in timers}
        with self._changed:
            marks = self._queue.marks().result(_COMMIT_TIMEOUT_S)
            for key in [key for key in marks if key not in wanted]:
                self._queue.unmark(key).result(_COMMIT_TIMEOUT_S)
            self._armed = {key: self._arm(timer, marks) for key, timer in wanted.items()}
            self._changed.notify_all()

    def _arm(self, timer: Timer, marks: Mapping[str, int]) -> _Armed:
        schedule = parse_schedule(timer.schedule, timer.time_zone)
        anchor_ns = marks.get(timer.key)
        if anchor_ns is None:
            anchor_ns = self._clock.time_ns()
            self._queue.mark(timer.key, anchor_ns).result(_COMMIT_TIMEOUT_S)
        return _Armed(timer, schedule, anchor_ns, schedule.next_after(anchor_ns, anchor_ns))

    def next_due_ns(self) -> int | None:
        """When the next timer fires, ns since the epoch; None without one."""
        with self._changed:
            return min(
                (item.due_ns for item in self._armed.values() if item.due_ns is not None), default=None
            )

    def next_runs(self) -> dict[str, int]:
        """When each function's next timer fires, ns since the epoch."""
        runs: dict[str, int] = {}
        with self._changed:
            for item in self._armed.values():
                if item.due_ns is not None:
                    name = item.timer.function
                    runs[name] = min(item.due_ns, runs.get(name, item.due_ns))
        return runs

    def tick(self) -> int:
        """Fire what is due; gives how many events were accepted. A refused one is tried at the next tick."""
        fired = 0
        with self._changed:
            now_ns = self._clock.time_ns()
            for item in self._armed.values():
                if item.due_ns is not None and item.due_ns <= now_ns:
                    try:
                        fired += self._fire(item, now_ns)
                    except (ReliveError, TimeoutError) as error:
                        self._on_error(item.timer, error)
        return fired

    def _fire(self, item: _Armed, now_ns: int) -> int:
        """Fire one timer for its newest due time; older ones were missed and never come in a burst."""
        assert item.due_ns is not None
        newest_ns, skipped = _newest_due(item, now_ns)
        late = now_ns - newest_ns > self._grace_ns
        key = item.timer.key
        if late and item.timer.misfire == "skip":
            self._queue.mark(key, newest_ns).result(_COMMIT_TIMEOUT_S)
            self.missed += skipped + 1
            fired = 0
        else:
            event = _event(item.timer, newest_ns)
            receipt = self._queue.publish(event, mark=(key, newest_ns)).result(_COMMIT_TIMEOUT_S)
            self.missed += skipped
            fired = 0 if receipt.duplicate else 1
        item.anchor_ns = newest_ns
        item.due_ns = item.schedule.next_after(newest_ns, newest_ns)
        return fired

    # ------------------------------------------------------------ a thread of its own

    def start(self) -> None:
        """Fire timers in a thread until `stop`."""
        self._thread = threading.Thread(target=self._work, name="relive-timers", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread; nothing fires any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                self.tick()
                self._changed.wait(self._wait_s())

    def _wait_s(self) -> float:
        due_ns = self.next_due_ns()
        if due_ns is None:
            return _MAX_WAIT_S
        wait_s = (due_ns - self._clock.time_ns()) / _NS
        return min(wait_s, _MAX_WAIT_S) if wait_s > 0 else _RETRY_S


def _log_error(timer: Timer, error: BaseException) -> None:
    _log.warning(
        "timer %s of %s could not fire, it will be tried again: %s", timer.schedule, timer.function, error
    )


def _newest_due(item: _Armed, now_ns: int) -> tuple[int, int]:
    """The newest due time at or before `now_ns`, and how many lie before it (at least, for long outages)."""
    assert item.due_ns is not None
    newest_ns, skipped = item.due_ns, 0
    # A long outage of a short schedule has millions of firings: jump close to now first.
    if now_ns - newest_ns > 86_400 * _NS:
        close = item.schedule.next_after(now_ns - 86_400 * _NS, item.anchor_ns)
        if close is not None and close <= now_ns:
            newest_ns, skipped = close, 1
    while True:
        following = item.schedule.next_after(newest_ns, item.anchor_ns)
        if following is None or following > now_ns:
            return newest_ns, skipped
        newest_ns, skipped = following, skipped + 1


def _event(timer: Timer, due_ns: int) -> QueuedEvent:
    time = datetime.fromtimestamp(due_ns // _NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event_id = f"timer-{timer.function}-{_digest(timer.key)}-{due_ns // 1_000_000}"
    document: dict[str, object] = {
        "id": event_id, "time": time, "source": "timer",
        "function": timer.function, "schedule": timer.schedule,
    }  # fmt: skip
    document["detail"] = json.loads(timer.payload) if timer.payload else {}
    body = json.dumps(document, separators=(",", ":"))
    return QueuedEvent(
        function=timer.function,
        body=(timer.event or body).encode(),
        event_id=event_id,
        trigger="timer",
        trace_id=new_trace_id(),  # one for all attempts
        attributes={"faas.time": time, "faas.cron": timer.schedule},
        retries=timer.retries,
        max_age_s=timer.max_age_s,
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
