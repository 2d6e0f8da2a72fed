"""Writes the scene of each failed invocation: the archive on disk, its head and its bytes in the store."""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from relive_base.parts import PartState, Why, missing, partial
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Logs, Profile, Scene, Spans
from relive_capture.explore import SceneError
from relive_capture.explore.failures import blob_columns, scene_columns
from relive_capture.explore.heap import cache_of
from relive_capture.explore.parts import pack_scene
from relive_capture.explore.scene import (
    ArchiveInfo,
    add_heap,
    remove_drafts,
    scene_path,
    write_archive,
    write_baseline,
)
from relive_capture.explore.snapshots import collect_heap, remove_raw
from relive_store import Mark

from relive_platform.evidence import SceneJob, StackMemory, scene_input
from relive_platform.signals.exporters.store import RowWriter
from relive_platform.signals.handover.batches import HeapJob
from relive_platform.signals.processors.redaction import Redactors, redact_record
from relive_platform.signals.receivers.updates import add_updates
from relive_platform.signals.signal import Columns

__all__ = ["SceneKeeper", "SceneLimits", "remove_earlier_heaps"]

_SWEEP_EVERY: Final = 50
_DAY_S: Final = 86_400.0
_SECRETS_OF: Final = 1_024  # scenes whose heap may still come
_NOT_KNOWN: Final = "what is secret in its scene is known no more: the collector's process was started anew"
T = TypeVar("T")
Tables = list[tuple[str, Columns]]
_log = logging.getLogger(__name__)
_scene = msgspec.msgpack.Decoder(Scene)
_frames: msgspec.msgpack.Decoder[Spans | Logs] = msgspec.msgpack.Decoder(Spans | Logs)
_profile = msgspec.msgpack.Decoder(Profile)


@dataclass(frozen=True, slots=True)
class SceneLimits:
    """How many scene files stay; the oldest leave first."""

    count: int = 10_000
    size_bytes: int = 2 << 30
    days: float = 30.0
    heap_bytes: int = 32 * 1_048_576  # of a heap snapshot in one of them


class SceneKeeper:
    """One thread writes scenes, so that telemetry never waits for them. The server bounds how many wait."""

    def __init__(
        self,
        folder: Path,
        writer: RowWriter,
        limits: SceneLimits | None = None,
        stacks: StackMemory | None = None,
        now: Callable[[], float] = time.time,
        redactors: Redactors | None = None,
    ) -> None:
        self._redactors = redactors or Redactors()
        self.written = 0
        self.failed = 0
        self._folder = folder
        self._writer = writer
        self._limits = limits or SceneLimits()
        self._stacks = stacks or StackMemory()
        self._now = now
        self._secrets: OrderedDict[str, tuple[str, ...]] = OrderedDict()  # by scene, until its heap is there
        self._queue: queue.SimpleQueue[tuple[SceneJob | HeapJob, Mark | None] | None] = queue.SimpleQueue()
        self._raw: list[tuple[Mark, str]] = []  # snapshots whose scene is not spooled yet
        self._waiting = 0
        self._changed = threading.Condition()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="scenes", daemon=True)
        self._thread.start()

    def submit(self, job: SceneJob | HeapJob, mark: Mark | None = None) -> None:
        """Have a scene written, or a heap added to one; never blocks. `mark` is spooled with its rows."""
        with self._changed:
            self._waiting += 1
        self._queue.put((job, mark))

    def spooled(self, mark: Mark) -> None:
        """What was submitted up to `mark` is on disk, with its rows: nobody needs its snapshots any more."""
        with self._changed:
            done = [own for own in self._raw if own[0].run == mark.run and own[0].scenes <= mark.scenes]
            self._raw = [own for own in self._raw if own not in done]
        for _, folder in done:
            remove_raw(folder)

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until what was submitted is written; False if it took longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def close(self, timeout_s: float = 60.0) -> bool:
        """Write what is left and end the thread; False if it took longer than `timeout_s`."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            job, mark = entry
            tables: Tables = []
            try:
                tables = self._add_heap(job) if isinstance(job, HeapJob) else self._write(job)
                if isinstance(job, SceneJob):
                    self.written += 1
                    if self.written % _SWEEP_EVERY == 1:
                        self.sweep()
            except Exception:  # a scene that cannot be written must not cost the next one
                self.failed += 1
                _log.exception("the scene of %s was not written", job.record.invocation_id)
            finally:
                raw = job.folder if isinstance(job, HeapJob) else ""
                if raw and mark is not None:  # only then: a process that is killed before does it all again
                    with self._changed:
                        self._raw.append((mark, raw))
                self._writer.add_all(tables, mark)
                if raw and mark is None:
                    remove_raw(raw)
                with self._changed:
                    self._waiting -= 1
                    self._changed.notify_all()

    def _write(self, job: SceneJob) -> Tables:
        record = job.record
        if job.span_updates:
            add_updates(record, job.span_updates)
            redact_record(record, self._redactors.of(job.redact_keys))
        path = self._folder / f"{record.invocation_id}-{record.attempt}.scene"
        info, data = pack_scene(path, scene_input(job, self._stacks))
        try:
            write_archive(path, data)
        except OSError as error:  # a full disk: the store, which may be elsewhere, still gets all of it
            part = job.parts["archive"] = partial(Why.STORE_ALONE, str(error.strerror))
            _log.warning("%s: %s", path, part.reason)
            info, data = pack_scene(path, scene_input(job, self._stacks))
        self._secrets[path.name] = info.secrets
        while len(self._secrets) > _SECRETS_OF:
            self._secrets.popitem(last=False)
        return _rows(info, data)

    def _add_heap(self, job: HeapJob) -> Tables:
        """The scene is in the store since its failure; it gets a second row, which takes the place
        of the first."""
        state = job.part
        scene = scene_path(self._folder, job.record.invocation_id, job.record.attempt)
        members: dict[str, bytes] = {}
        try:
            if job.folder:
                secrets = () if job.baseline else self._secrets.pop(scene.name, None)
                if secrets is None:
                    raise SceneError(_NOT_KNOWN)
                memory = SecretMemory(secrets)
                redactor = Redactor(job.redact_keys).remembering(memory)
                members = collect_heap(job.folder, job.record, redactor, self._limits.heap_bytes)
        except (SceneError, MemoryError) as error:
            text = getattr(error, "message", "")
            state = missing(Why.HEAP_REJECTED, text) if text else missing(Why.NO_MEMORY_TO_READ)
        if not job.baseline:
            return self._with_heap(scene, members, state)
        if members:
            write_baseline(self._folder, job.record, members, state)
        return []

    def _with_heap(self, scene: Path, members: dict[str, bytes], state: PartState) -> Tables:
        try:
            added = add_heap(scene, members, state)
        except OSError as error:
            state = missing(Why.NO_FILE, str(error.strerror))
            added = add_heap(scene, {}, state)
        return _rows(*added)

    def sweep(self) -> int:
        """Remove the scene files over the limits, oldest first, with their analysed heaps; gives how many."""
        remove_drafts(self._folder)
        files = []
        for path in self._folder.glob("*.scene"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            files.append((found.st_mtime, found.st_size, path))
        files.sort(reverse=True)
        size = 0
        removed = 0
        oldest = self._now() - self._limits.days * _DAY_S
        cache = cache_of(self._folder)
        for index, (modified, length, path) in enumerate(files):
            size += length
            if index >= self._limits.count or size > self._limits.size_bytes or modified < oldest:
                cache.forget(path.stem)
                path.with_suffix(".replays.jsonl").unlink(missing_ok=True)
                path.unlink(missing_ok=True)  # last: by it the next sweep finds what this one has not done
                removed += 1
        return removed


def remove_earlier_heaps(run_dir: Path, began_ns: int) -> None:
    """Snapshots that were taken before this server began, once the journals that may name them are done."""
    for folder in [*run_dir.glob("heaps/*"), *run_dir.glob("gateway-*/heaps/*")]:
        with contextlib.suppress(OSError):
            if folder.lstat().st_ctime_ns < began_ns:
                shutil.rmtree(folder)


def _rows(info: ArchiveInfo, data: bytes) -> Tables:
    return [
        ("failure_scenes", scene_columns([info])),
        ("scene_blobs", blob_columns(info.hash, data, time.time_ns())),
    ]
