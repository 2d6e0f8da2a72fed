"""A worker's life: which states there are, which leads to which, and the attempts that it has.

    starting -> idle <-> busy
           any of them -> frozen -> gone

Nobody but `WorkerLife` writes these attributes; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final

from relive_base.wire.messages import WEBSOCKET

from relive_platform.engine.attempt import AHEAD, RUNNING, Attempt

__all__ = [
    "BUSY",
    "FROZEN",
    "GONE",
    "IDLE",
    "STARTING",
    "TRANSITIONS",
    "WorkerLife",
    "WrongStep",
]

LAG_S: Final = 0.1
"""An event loop that does not turn for so long is blocked; a busy machine has a process wait for less."""

LARGE_BYTES: Final = 65_536
"""An attempt whose event and answer are larger is kept without them once it is over."""

STARTING: Final = "starting"
IDLE: Final = "idle"
BUSY: Final = "busy"  # has an attempt, or had one that still has to tell the rest
FROZEN: Final = "frozen"  # out of the pool for good: kept as the live scene, read, walked, or being ended
GONE: Final = "gone"

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    STARTING: frozenset((IDLE, FROZEN, GONE)),
    IDLE: frozenset((BUSY, GONE)),
    BUSY: frozenset((IDLE, FROZEN, GONE)),
    FROZEN: frozenset((GONE,)),
    GONE: frozenset(),
}


class WrongStep(RuntimeError):
    """A fault of ours: a worker cannot get from the one state to the other."""


class WorkerLife:
    """The state of a worker, and its attempts by their invocations' ids.

    `capacity` of them run at once. They come first in `attempts`, in the order in which they began; those
    behind them were sent ahead, and begin in their order when one before them is done. Websockets stay open
    for hours: where `socket_capacity` is not 0, that many are beside the `capacity` others.
    """

    def __init__(self, capacity: int = 1) -> None:
        self.state = STARTING
        self.capacity = capacity
        self.socket_capacity = 0
        self.attempts: dict[str, Attempt] = {}
        self.begun = 0  # of them
        self.sockets = 0  # of these, that are not counted in `capacity`
        self.wires = 0  # connections of clients that are joined to it
        self.lag_s = 0.0  # for so long it has left unread what it was sent: its event loop does not turn
        self._unread_since = 0.0
        self.began_mono = 0.0  # the newest of these
        self.last: Attempt | None = None  # the newest one that is over, and when it was
        self.ended_mono = 0.0
        self.retiring = False  # no further event; leaves once it is done
        self.condemned = (
            ""  # why the supervisor stops it: "timeout", "memory", "crash", "cancelled", "finish"
        )
        self.condemned_for = ""  # the invocation that is why
        self.crashed_in = ""  # the invocation in whose code it has crashed; "": nobody knows
        self.fingerprint = ""  # of the failure that it is kept for

    def wire(self) -> None:
        """A client's connection is joined to it."""
        self.wires += 1

    def unwire(self) -> None:
        """Such a connection has gone."""
        self.wires -= 1

    @property
    def lags(self) -> bool:
        """Whether new requests are better off elsewhere."""
        return self.lag_s >= LAG_S

    def look_at_lag(self, unread: bool, now_mono: float) -> None:
        """`unread`: whether it has not read all that it was sent."""
        if not unread:
            self.lag_s = self._unread_since = 0.0
        elif self._unread_since:
            self.lag_s = now_mono - self._unread_since
        else:
            self._unread_since = now_mono

    def bear(self, attempt: Attempt, now_mono: float) -> None:
        """It has begun an attempt by itself."""
        if self.state != BUSY:
            self.become(BUSY)
        self.adopt(attempt, now_mono)

    def widen(self, capacity: int, sockets: int = 0) -> None:
        """It has told how many attempts it runs at once, before it has any."""
        self.capacity = max(capacity, 1)
        self.socket_capacity = max(sockets, 0)

    def become(self, state: str) -> None:
        """The one way from state to state. Raises WrongStep."""
        if state not in TRANSITIONS[self.state]:
            raise WrongStep(f"a worker that is {self.state} cannot become {state}")
        self.state = state
        if self.lag_s:
            self.look_at_lag(False, 0.0)

    # ------------------------------------------------------------ its attempts

    def take(self, attempt: Attempt, now_mono: float, wait_s: float) -> bool:
        """It gets an attempt. False: behind those that it has, for `wait_s` at most. Two attempts at one
        invocation cannot be told apart: raises WrongStep."""
        attempts = self.attempts
        invocation_id = attempt.record.invocation_id
        if invocation_id in attempts:
            raise WrongStep(f"a worker cannot have two attempts at {invocation_id}")
        if self.room_for(attempt) <= 0:
            attempt.send_ahead(now_mono, wait_s)
            attempts[invocation_id] = attempt
            return False
        if self.state != BUSY:
            self.become(BUSY)
        attempt.begin(now_mono)
        self._count(attempt, 1)
        self.began_mono = now_mono
        attempts[invocation_id] = attempt
        return True

    def _count(self, attempt: Attempt, one: int) -> None:
        self.begun += one
        if self.socket_capacity and attempt.request.wire == WEBSOCKET:
            self.sockets += one

    def adopt(self, attempt: Attempt, now_mono: float) -> None:
        """An attempt that waited for a worker has one that did not get ready, and fails with it."""
        attempt.begin(now_mono)
        self._count(attempt, 1)
        self.began_mono = now_mono
        self.attempts[attempt.record.invocation_id] = attempt

    def drop(self, attempt: Attempt) -> None:
        """It has an attempt no more that it has begun, whatever became of it."""
        del self.attempts[attempt.record.invocation_id]
        self._count(attempt, -1)

    def finish(self, attempt: Attempt, now_mono: float) -> None:
        """An attempt is over: its worker has told all of it."""
        record = attempt.record
        del self.attempts[record.invocation_id]
        self._count(attempt, -1)
        large = record.event_bytes + record.result_bytes > LARGE_BYTES
        self.last = attempt.without_bodies() if large else attempt
        self.ended_mono = now_mono

    def go_on(self, now_mono: float) -> None:
        """What was sent ahead begins, as far as there is room."""
        attempts = self.attempts
        while self.room > 0 and len(attempts) > self.begun:
            attempt = next(islice(attempts.values(), self.begun, None))
            attempt.begin(now_mono)
            self._count(attempt, 1)
            self.began_mono = now_mono

    def give_up_ahead(self) -> list[Attempt]:
        """What was sent ahead is not its own any more; the caller knows that none of it has begun."""
        given = list(islice(self.attempts.values(), self.begun, None))
        for attempt in given:
            attempt.give_back()
            del self.attempts[attempt.record.invocation_id]
        return given

    @property
    def ahead(self) -> int:
        """How many attempts wait in it for those before them."""
        return len(self.attempts) - self.begun

    @property
    def room(self) -> int:
        """How many more attempts would begin in it at once."""
        return self.capacity - self.begun + self.sockets

    @property
    def socket_room(self) -> int:
        """How many of these may be websockets."""
        return self.socket_capacity - self.sockets if self.socket_capacity else self.room

    def room_for(self, attempt: Attempt) -> int:
        """How many more of this one's kind would begin in it at once."""
        return self.socket_room if attempt.request.wire == WEBSOCKET else self.room

    def find(self, invocation_id: str) -> Attempt | None:
        """The attempt at an invocation, if it has begun it and there is more to come of it."""
        attempt = self.attempts.get(invocation_id)
        return attempt if attempt is not None and attempt.state != AHEAD else None

    def begun_attempts(self) -> list[Attempt]:
        """Those that it has begun and that still have something to tell."""
        return list(islice(self.attempts.values(), self.begun))

    def running(self) -> list[Attempt]:
        """Those that it has begun and not answered."""
        return [attempt for attempt in self.attempts.values() if attempt.state == RUNNING]

    def only(self) -> Attempt | None:
        """The attempt that it has begun, if that is one: what names no invocation belongs to it."""
        return next(iter(self.attempts.values())) if self.begun == 1 else None

    # ------------------------------------------------------------ its end

    def fail(self, fingerprint: str) -> None:
        """What has just failed in it; "" if nothing has."""
        self.fingerprint = fingerprint

    def retire(self) -> None:
        """It gets no further event."""
        self.retiring = True

    def blame(self, invocation_id: str) -> None:
        """Whose code it has crashed in, of those that it ran beside each other."""
        self.crashed_in = invocation_id

    def condemn(self, why: str, invocation_id: str = "") -> None:
        """It is being stopped from outside, for an invocation if it is the fault of one; the first reason
        stays."""
        if not self.condemned:
            self.condemned, self.condemned_for = why, invocation_id
