"""What invocations read from outside that run beside each other in one process.

Whose it is, the context of the calling code says (contextvars): its tasks have that too, and the threads that
are given a copy of it.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any, Final

from relive_base.parts import Reason, Why
from relive_base.wire.messages import CallCount

from relive_capture.record.recording.chance import Chance, Draws, States
from relive_capture.record.recording.files import FileNotes, watch_files
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.recorded import Call, CallRecording
from relive_capture.record.recording.recorder import (
    add_calls,
    add_files,
    add_init,
    counted,
    watch_calls,
)
from relive_capture.record.recording.variables import Variables
from relive_capture.recording_format import RawCall, Recording, ReplayNotes

__all__ = ["BesideRecorder", "Recorded"]

_STEP_BYTES: Final = 65_536
_SHARES: Final = 4
"""All that run together keep so many times what one of them may keep."""
_SOCKETS: Final = 1_000
_PLACES: Final = 50


class _Shared(CallRecording):
    """The calls of one invocation. It takes bytes step by step of those that are there for all."""

    __slots__ = ("_all", "taken")

    def __init__(self, limits: RecordingLimits, everyone: set[Recorded]) -> None:
        super().__init__(limits)
        self._all = everyone
        self.left_bytes = self.taken = 0

    def make_room(self, size: int) -> None:
        wanted = max(size - self.left_bytes, 0)
        if wanted:
            total = self.limits.total_bytes
            free = _SHARES * total - sum(one.calls.taken for one in list(self._all) if one.calls is not None)
            got = max(min(max(wanted, _STEP_BYTES), total - self.taken, free), 0)
            self.taken += got
            self.left_bytes += got


class _Strays(CallRecording):
    """Calls of code that belongs to no invocation, while some run: they are counted."""

    __slots__ = ("count",)

    def __init__(self, limits: RecordingLimits) -> None:
        super().__init__(limits)
        self.count = 0
        self.close()

    def call(self, form: str, library: str, origin: str = "", method: str = "", url: str = "") -> Call:
        self.count += 1
        if len(self.on_socket) > _SOCKETS:
            self.on_socket.clear()
        return Call(self, RawCall(form, library, self.phase, 0, origin, method, url), 0)

    def connected(self, place: str) -> None: ...


class Recorded:
    """What is kept of one invocation, from its beginning to its end."""

    __slots__ = (
        "begun", "calls", "draws", "environment", "monotonic_ns", "over", "running", "states", "strays",
        "wall_ns",
    )  # fmt: skip

    def __init__(self, states: States, wall_ns: int, environment: dict[Any, Any]) -> None:
        self.calls: _Shared | None = None  # until it makes one
        self.draws = Draws()
        self.environment = environment
        self.states = states
        self.wall_ns = wall_ns
        self.monotonic_ns = time.monotonic_ns()
        self.begun = self.running = self.strays = 0  # of all invocations and calls, when it began
        self.over = False


class BesideRecorder:
    """One per worker. `enter` and `leave` around each invocation; `recording` if it failed."""

    __slots__ = (
        "_begun",
        "_chance",
        "_http",
        "_init",
        "_init_files",
        "_limits",
        "_loading",
        "_pooled",
        "_running",
        "_skipped",
        "_strays",
        "_variables",
        "current",
    )  # fmt: skip

    def __init__(
        self,
        *,
        http: bool = True,
        limits: RecordingLimits | None = None,
        skipped: tuple[str, ...] | None = None,
    ) -> None:
        """As of a Recorder."""
        self._skipped = skipped
        self._http = http
        self._limits = limits or RecordingLimits()
        self.current: ContextVar[Recorded | None] = ContextVar("relive_recorded")
        """Whose the calling code is."""
        self._chance = Chance(self._whose)
        self._variables = Variables()
        self._strays = _Strays(self._limits)
        self._loading: Recorded | None = None
        self._init: Recording | None = None
        self._init_files: FileNotes | None = None
        self._running: set[Recorded] = set()
        self._pooled: dict[str, None] = {}  # places that others have connected to, and not for HTTP
        self._begun = 0

    @property
    def kept_calls(self) -> CallRecording | None:
        """Where calls of this code go; None if its invocation is over, or none runs."""
        own = self.current.get(None)
        if own is None:
            return self._strays if self._running else None
        if own.over:
            return None
        if own.calls is None:
            own.calls = _Shared(self._limits, self._running)
        return own.calls

    def calls(self, recorded: Recorded) -> list[CallCount] | None:
        """How often an invocation has called whom; None: its calls are not recorded."""
        return counted(recorded.calls) if self._http else None

    def _whose(self) -> Draws | None:
        own = self.current.get(None)
        return None if own is None or own.over else own.draws

    def install(self) -> None:
        """Begin to record, with the loading of the application. Call it once."""
        self._chance.install()
        self._variables.install()
        self._loading = Recorded(self._chance.snapshot(), time.time_ns(), self._variables.now())
        self._loading.calls = _Shared(self._limits, self._running)
        self._loading.calls.phase = "init"
        self.current.set(self._loading)
        if self._http:
            watch_calls(self)
            if self._skipped is not None:
                watch_files(self, self._skipped)

    def loaded(self) -> None:
        """The application is loaded: what that took is kept for as long as the worker lives."""
        loading = self._loading
        if loading is not None:
            self._init = self.recording(ReplayNotes(), None, files=False)
            self._init_files = loading.calls.files if loading.calls is not None else None
            self.leave(loading)

    def enter(self, started_ns: int) -> Recorded:
        """An invocation begins; `started_ns` is its start, ns since the epoch. Call it inside its context."""
        own = Recorded(self._chance.snapshot(), started_ns, self._variables.now())
        own.begun, own.running, own.strays = self._begun, len(self._running), self._strays.count
        self._begun += 1
        self._running.add(own)
        self.current.set(own)
        return own

    def leave(self, recorded: Recorded) -> None:
        """It is over: nothing of it stays."""
        recorded.over = True
        self._running.discard(recorded)
        calls = recorded.calls
        if calls is not None:
            for place in calls.connections:
                if len(self._pooled) < _PLACES and not any(place in one.raw.origin for one in calls.calls):
                    self._pooled[place] = None
            calls.close()

    def recording(self, notes: ReplayNotes, recorded: Recorded | None, *, files: bool = True) -> Recording:
        """What there is of an invocation that has failed; None: of the loading that has. Its seeds go into
        `notes`."""
        found = Recording(notes=notes, http=self._http)
        if recorded is not None:
            notes.served = recorded.begun
            notes.limits += self._shared(recorded)
            if self._init is not None:
                add_init(found, self._init)
        own = recorded or self._loading
        if own is not None:
            notes.seeds = self._chance.seeds(own.wall_ns, own.monotonic_ns, own.states, own.draws)
            notes.limits += self._chance.limits(own.draws)
            notes.variables = self._variables.asked(own.environment)
            if own.calls is not None:
                add_calls(found, own.calls)
            if files:
                add_files(found, own.calls, self._init_files)
        found.connections += [place for place in self._pooled if place not in found.connections]
        return found

    def _shared(self, own: Recorded) -> list[Reason]:
        """What others that ran beside it may have had of its chance, or of its calls."""
        found = []
        others = own.running + self._begun - own.begun - 1
        if others > 0 and self._chance.snapshot() != own.states:
            found.append(Reason(Why.RANDOM_SHARED, (others,)))
        strays = self._strays.count - own.strays
        if strays:
            found.append(Reason(Why.CALLS_OF_NOBODY, (strays,)))
        return found
