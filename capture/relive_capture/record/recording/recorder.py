"""One recorder per worker: what every invocation begins and ends with."""

from __future__ import annotations

import time
from functools import partial
from types import ModuleType

from relive_base.parts import Reason, Why
from relive_base.wire.messages import CallCount

from relive_capture.record.recording.aiohttp_calls import patch_aiohttp
from relive_capture.record.recording.chance import Chance
from relive_capture.record.recording.connections import (
    patch_asyncio,
    patch_sockets,
    patch_ssl,
    patch_urllib3,
)
from relive_capture.record.recording.databases import database_patches
from relive_capture.record.recording.files import FileNotes, watch_files
from relive_capture.record.recording.http_client import patch_http_client
from relive_capture.record.recording.httpcore_calls import patch_httpcore
from relive_capture.record.recording.imports import when_imported
from relive_capture.record.recording.limits import RecordingLimits
from relive_capture.record.recording.recorded import CallRecording, CallRecordingHolder
from relive_capture.record.recording.variables import Variables
from relive_capture.recording_format import Recording, ReplayNotes

__all__ = [
    "Recorder",
    "add_calls",
    "add_files",
    "add_init",
    "counted",
    "watch_calls",
]


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
            "grpc._channel": partial(_patch_stream, "patch_grpc", holder),
            "grpc.aio._channel": partial(_patch_stream, "patch_grpc_asyncio", holder),
            "redis.connection": partial(_patch_stream, "patch_redis", holder),
            "redis.asyncio.connection": partial(_patch_stream, "patch_redis_asyncio", holder),
            **database_patches(holder),
        }
    )


def _patch_stream(name: str, holder: CallRecordingHolder, module: ModuleType) -> None:
    from relive_capture.record.recording import streams  # most functions use none of these libraries

    getattr(streams, name)(holder, module)


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
    if kept_calls.ids is not None:
        found.notes.seeds.object_ids = kept_calls.ids.runs()
        if kept_calls.ids.left_out:
            found.notes.limits.append(Reason(Why.OBJECT_IDS_LEFT_OUT, (kept_calls.ids.left_out,)))


def add_files(found: Recording, kept_calls: CallRecording | None, init: FileNotes | None) -> None:
    """What the invocation, and the loading before it, read of files."""
    room = found_room = 0
    notes, own = found.notes, kept_calls.files if kept_calls is not None else None
    if kept_calls is not None:
        kept_calls.make_room(kept_calls.limits.total_bytes)
        room = found_room = max(kept_calls.left_bytes, 0)
    if init is not None:
        notes.init_files = init.recorded(room)
        room = max(found_room - sum(len(file.content) for file in notes.init_files), 0)
    if own is not None:
        notes.files = own.recorded(room, init)
    for one in (init, own):
        if one is not None:
            notes.programs += [name for name in one.programs if name not in notes.programs]
            if one.left_out:
                notes.limits.append(Reason(Why.FILES_UNRECORDED, (one.left_out,)))


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
        "_environment",
        "_http",
        "_init",
        "_init_files",
        "_limits",
        "_monotonic_ns",
        "_skipped",
        "_spare",
        "_states",
        "_variables",
        "_wall_ns",
        "kept_calls",
        "served",
    )  # fmt: skip

    def __init__(
        self,
        *,
        http: bool = True,
        limits: RecordingLimits | None = None,
        skipped: tuple[str, ...] | None = None,
    ) -> None:
        """`skipped`: beginnings of paths that are of no interest; None: files are not recorded."""
        self.kept_calls: CallRecording | None = None
        """Where calls go; None while there is no invocation."""
        self.served = -1  # invocations before the one that runs
        self._http = http
        self._skipped = skipped
        self._variables = Variables()
        self._environment = self._variables.now()
        self._limits = limits or RecordingLimits()
        self._chance = Chance()
        self._init: Recording | None = None
        self._init_files: FileNotes | None = None  # read when there is a failure
        self._states = self._chance.snapshot()
        self._wall_ns = time.time_ns()
        self._monotonic_ns = time.monotonic_ns()
        self._spare = CallRecording(self._limits)

    def install(self) -> None:
        """Begin to record, with the loading of the function's module. Call it once."""
        self._chance.install()
        self._variables.install()
        self._environment = self._variables.now()
        if self._http:
            self.kept_calls = CallRecording(self._limits, "init")
            watch_calls(self)
            if self._skipped is not None:
                watch_files(self, self._skipped)

    def loaded(self) -> None:
        """The module is loaded: what that took is kept for as long as the worker lives."""
        self._init = self.recording()
        self._init_files = self.kept_calls.files if self.kept_calls is not None else None
        self.end()

    def begin(self, started_ns: int) -> None:
        """An invocation begins; `started_ns` is its start, ns since the epoch."""
        self.served += 1
        self._wall_ns = started_ns
        self._monotonic_ns = time.monotonic_ns()
        self._states = self._chance.snapshot()
        self._environment = self._variables.now()
        self._chance.begin()
        if self._http:
            self.kept_calls = self._spare

    def end(self) -> None:
        """It is over: nothing of it stays."""
        kept_calls, self.kept_calls = self.kept_calls, None
        if kept_calls is not None and (
            kept_calls.calls or kept_calls.connections or kept_calls.files or kept_calls.ids
        ):
            kept_calls.close()
            self._spare = CallRecording(self._limits)

    def calls(self) -> list[CallCount] | None:
        """How often the invocation that runs has called whom; None: its calls are not recorded."""
        return counted(self.kept_calls) if self._http and self.kept_calls is not None else None

    def recording(self, notes: ReplayNotes | None = None) -> Recording:
        """What there is of the invocation, or of the loading, that has just failed; its seeds go into
        `notes`; None: no files are read."""
        failed = notes is not None
        notes = notes if notes is not None else ReplayNotes()
        notes.seeds = self._chance.seeds(self._wall_ns, self._monotonic_ns, self._states)
        notes.limits += self._chance.limits()
        notes.variables = self._variables.asked(self._environment)
        found = Recording(notes=notes, http=self._http)
        if self._init is not None:
            add_init(found, self._init)
        kept_calls = self.kept_calls
        if kept_calls is not None:
            add_calls(found, kept_calls)
        if failed:
            add_files(found, kept_calls, self._init_files)
        return found
