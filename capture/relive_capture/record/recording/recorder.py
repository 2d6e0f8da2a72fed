"""One recorder per worker: what every invocation begins and ends with."""

from __future__ import annotations

import time
from functools import partial

from relive_base.wire.messages import CallCount

from relive_capture.record.recording.aiohttp_calls import patch_aiohttp
from relive_capture.record.recording.chance import Chance
from relive_capture.record.recording.connections import (
    patch_asyncio,
    patch_sockets,
    patch_ssl,
    patch_urllib3,
)
from relive_capture.record.recording.http_client import patch_http_client
from relive_capture.record.recording.httpcore_calls import patch_httpcore
from relive_capture.record.recording.imports import when_imported
from relive_capture.record.recording.recorded import CallRecording, CallRecordingHolder, RecordingLimits
from relive_capture.recording_format import Recording, ReplayNotes

__all__ = ["Recorder", "add_calls", "add_init", "counted", "watch_calls"]


def watch_calls(holder: CallRecordingHolder) -> None:
    """Have each library's calls go where `holder` says, now or once it is imported."""
    when_imported(
        {
            "socket": partial(patch_sockets, holder),
            "asyncio.base_events": partial(patch_asyncio, holder),
            "ssl": partial(patch_ssl, holder),
            "http.client": partial(patch_http_client, holder),
            "urllib3.util.connection": partial(patch_urllib3, holder),
            "httpcore": partial(patch_httpcore, holder),
            "aiohttp": partial(patch_aiohttp, holder),
        }
    )


def add_init(found: Recording, init: Recording) -> None:
    """What the loading of the module took."""
    found.notes.init_seeds = init.notes.seeds
    found.recorded_calls += init.recorded_calls
    found.left_out += init.left_out


def add_calls(found: Recording, kept_calls: CallRecording) -> None:
    """The calls of the invocation."""
    found.recorded_calls += kept_calls.recorded_calls()
    found.left_out += kept_calls.left_out
    found.connections = list(kept_calls.connections)


def counted(kept_calls: CallRecording | None) -> list[CallCount]:
    """Its calls by whom they went to."""
    if kept_calls is None or not kept_calls.calls:
        return []
    from relive_capture.record.recording.counting import count_calls  # most have none

    return count_calls(kept_calls.calls, kept_calls.left_out)


class Recorder:
    """`begin` and `end` around each invocation; `recording` if it failed. Costs a microsecond if the
    function uses none of it."""

    __slots__ = (
        "_chance",
        "_http",
        "_init",
        "_limits",
        "_monotonic_ns",
        "_spare",
        "_states",
        "_wall_ns",
        "kept_calls",
        "served",
    )  # fmt: skip

    def __init__(self, *, http: bool = True, limits: RecordingLimits | None = None) -> None:
        self.kept_calls: CallRecording | None = None
        """Where calls go; None while there is no invocation."""
        self.served = -1  # invocations before the one that runs
        self._http = http
        self._limits = limits or RecordingLimits()
        self._chance = Chance()
        self._init: Recording | None = None
        self._states = self._chance.snapshot()
        self._wall_ns = time.time_ns()
        self._monotonic_ns = time.monotonic_ns()
        self._spare = CallRecording(self._limits)

    def install(self) -> None:
        """Begin to record, with the loading of the function's module. Call it once."""
        self._chance.install()
        if self._http:
            self.kept_calls = CallRecording(self._limits, "init")
            watch_calls(self)

    def loaded(self) -> None:
        """The module is loaded: what that took is kept for as long as the worker lives."""
        self._init = self.recording()
        self.end()

    def begin(self, started_ns: int) -> None:
        """An invocation begins; `started_ns` is its start, ns since the epoch."""
        self.served += 1
        self._wall_ns = started_ns
        self._monotonic_ns = time.monotonic_ns()
        self._states = self._chance.snapshot()
        self._chance.begin()
        if self._http:
            self.kept_calls = self._spare

    def end(self) -> None:
        """It is over: nothing of it stays."""
        kept_calls, self.kept_calls = self.kept_calls, None
        if kept_calls is not None and (kept_calls.calls or kept_calls.connections):
            kept_calls.close()
            self._spare = CallRecording(self._limits)

    def calls(self) -> list[CallCount] | None:
        """How often the invocation that runs has called whom; None: its calls are not recorded."""
        return counted(self.kept_calls) if self._http and self.kept_calls is not None else None

    def recording(self, notes: ReplayNotes | None = None) -> Recording:
        """What there is of the invocation, or of the loading, that has just failed; its seeds go into
        `notes`."""
        notes = notes if notes is not None else ReplayNotes()
        notes.seeds = self._chance.seeds(self._wall_ns, self._monotonic_ns, self._states)
        notes.limits += self._chance.limits()
        found = Recording(notes=notes, http=self._http)
        if self._init is not None:
            add_init(found, self._init)
        kept_calls = self.kept_calls
        if kept_calls is not None:
            add_calls(found, kept_calls)
        return found
