"""Heap snapshots: which failed worker takes one, for how long it may, and what became of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

import msgspec
from relive_base.parts import PartState, Reason, State, Why, bounded, missing
from relive_base.wire.messages import HeapTaken, TakeHeap, encode_frame
from relive_capture.record.heap import native_walk
from relive_runtime.adapters.table import has_python

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.failed.frozen import available_bytes
from relive_platform.engine.workers.life import GONE
from relive_platform.engine.workers.worker import Worker
from relive_platform.evidence import HeapFound

__all__ = ["HeapLimits", "HeapTaker"]

_MB: Final = 1_048_576
_SPARE_BYTES: Final = 64 * _MB
_FINGERPRINTS: Final = 10_000
_LOOK_S: Final = 0.02
_WALL: Final = 3.0  # on a busy machine the CPU limit takes longer
_WRITE_S: Final = 10.0
_NEED_OF_C: Final = 1  # memory for the walk, times what the worker holds
_NEED_OF_PYTHON: Final = 3
_log = logging.getLogger(__name__)
_taken = msgspec.msgpack.Decoder(HeapTaken)


@dataclass(frozen=True, slots=True)
class HeapLimits:
    """Of one snapshot, and how often there is one."""

    objects: int = 2_000_000
    size_bytes: int = 268_435_456
    cpu_s: float = 10.0
    interval_s: float = 600.0  # between two of the same failure
    beside_s: float = 0.0  # between two of a service that serves on; 0: there is none
    beside_share: float = 0.85  # of its memory limit, that a walk may bring such a service to
    at_once: int = 2


@dataclass(slots=True)
class _Walk:
    """A snapshot on its way."""

    worker: Worker
    attempt: Attempt
    folder: str
    begun_mono: float
    end_mono: float
    ceiling_bytes: int
    then: Callable[[HeapFound], None]
    key: tuple[str, str]
    goes_on: bool


class HeapTaker:
    """Asks workers for snapshots. Everything runs on the event loop."""

    def __init__(
        self,
        limits: HeapLimits,
        folder: Path,
        available: Callable[[], int] = available_bytes,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Finished snapshots are moved to `folder`: a worker's own goes with it."""
        self.limits = limits
        self._folder = folder
        self._available = available
        self._now = now
        self._need = _NEED_OF_C if native_walk() is not None else _NEED_OF_PYTHON
        self._walks: dict[int, _Walk] = {}
        self._late: set[int] = set()  # workers that go on with a walk that was given up
        self._seen: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._beside: OrderedDict[str, float] = OrderedDict()  # when one of a service was taken last
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None

    def objection(self, worker: Worker, fingerprint: str) -> Reason | None:
        """Why this worker must not take one now."""
        if worker.spec.capture != "full":
            return Reason(Why.HEAP_OFF, (worker.spec.capture,))
        if not has_python(worker.spec.kind):
            return Reason(Why.NO_PYTHON)
        seen = self._seen.get((worker.spec.name, fingerprint))
        if fingerprint and seen is not None and self._now() - seen[0] < self.limits.interval_s:
            ago_s = self._now() - seen[0]
            return Reason(Why.HEAP_OF_SAME_FAILURE, (ago_s, seen[1], self.limits.interval_s))
        if worker.worker_id in self._walks or worker.worker_id in self._late:
            return Reason(Why.WALK_OF_ANOTHER)
        if len(self._walks) >= self.limits.at_once:
            return Reason(Why.WALKS_AT_ONCE, (len(self._walks),))
        return self._short_of_memory(worker)

    def objection_beside(self, worker: Worker, fingerprint: str) -> Reason | None:
        """The same, of a service that serves on: its requests wait for the walk."""
        if not self.limits.beside_s:
            return Reason(Why.NO_HEAP_SERVES_ON)
        ago_s = self._now() - self._beside.get(worker.spec.name, -inf)
        if ago_s < self.limits.beside_s:
            return Reason(Why.HEAP_BESIDE_LATELY, (ago_s, self.limits.beside_s))
        held = worker.process.held_bytes()
        share = int(worker.spec.memory_mb * _MB * self.limits.beside_share)
        if (1 + self._need) * held > share:
            return Reason(Why.WALK_OVER_SHARE, (held // _MB, 1 + self._need, share // _MB))
        return self.objection(worker, fingerprint)

    def _short_of_memory(self, worker: Worker) -> Reason | None:
        held = worker.process.held_bytes()
        need = self._need * held + _SPARE_BYTES
        available = self._available()
        if 0 <= available < need:
            megabytes = (available // _MB, need // _MB, self._need, held // _MB)
            return Reason(Why.SHORT_OF_MEMORY, megabytes)
        return None

    def take(
        self, worker: Worker, attempt: Attempt, then: Callable[[HeapFound], None], *, goes_on: bool = False
    ) -> None:
        """Have the worker walk its heap; `then` gets what came of it, in any case. One that `goes_on` is not
        ended if that takes too long or too much."""
        if goes_on:
            self._beside[worker.spec.name] = self._now()
            self._beside.move_to_end(worker.spec.name)
            while len(self._beside) > _FINGERPRINTS:
                self._beside.popitem(last=False)
        record = attempt.record
        fingerprint = record.error.fingerprint if record.error is not None else ""
        key = (worker.spec.name, fingerprint)
        if fingerprint:
            self._seen[key] = (self._now(), record.invocation_id)
            self._seen.move_to_end(key)
            while len(self._seen) > _FINGERPRINTS:
                self._seen.popitem(last=False)
        folder = os.path.join(worker.spec.scratch, f".heap-{next(self._numbers)}")
        limits = self.limits
        now = self._now()
        ceiling = (1 + self._need) * worker.process.held_bytes() + 2 * _SPARE_BYTES
        if goes_on:
            ceiling = worker.walk_ceiling_bytes = min(ceiling, worker.spec.memory_mb * _MB)
        self._walks[worker.worker_id] = _Walk(
            worker=worker,
            attempt=attempt,
            folder=folder,
            begun_mono=now,
            end_mono=now + _WALL * limits.cpu_s + _WRITE_S,
            ceiling_bytes=ceiling,
            then=then,
            key=key,
            goes_on=goes_on,
        )
        worker.heap = lambda payload: self._on_taken(worker, payload)
        command = TakeHeap(
            invocation_id=record.invocation_id,
            folder=folder,
            max_objects=limits.objects,
            max_bytes=limits.size_bytes,
            cpu_s=limits.cpu_s,
            goes_on=goes_on,
        )
        worker.handle.send(encode_frame(command))
        self._watch()

    def _watch(self) -> None:
        if self._timer is None and self._walks:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        for walk in list(self._walks.values()):
            reason: PartState | None = None
            if self._now() > walk.end_mono:
                reason = missing(Why.WALK_LATE)
            elif walk.worker.process.held_bytes() > walk.ceiling_bytes:
                reason = missing(Why.WALK_TOO_LARGE, walk.ceiling_bytes // _MB)
            elif walk.worker.state == GONE:
                reason = missing(Why.WALK_ENDED)
            if reason is not None:
                if not walk.goes_on:
                    walk.worker.kill()
                self._end(walk, HeapFound(reason))
                if walk.goes_on and walk.worker.state != GONE:
                    self._await_late(walk)
        self._watch()

    def _on_taken(self, worker: Worker, payload: bytes) -> None:
        walk = self._walks.get(worker.worker_id)
        taken = _taken.decode(payload)
        if walk is None or taken.invocation_id != walk.attempt.record.invocation_id:
            return
        found = HeapFound(bounded(taken.part))
        if found.part.state is not State.MISSING:
            found = self._moved(walk, found)
        self._end(walk, found)

    def _await_late(self, walk: _Walk) -> None:
        """It was given up, and its worker goes on with it all the same: what that writes is of no use."""
        worker, ident = walk.worker, walk.attempt.record.invocation_id
        self._late.add(worker.worker_id)

        def taken(payload: bytes) -> None:
            if _taken.decode(payload).invocation_id != ident:
                return
            worker.heap = None
            self._late.discard(worker.worker_id)
            asyncio.get_running_loop().run_in_executor(None, shutil.rmtree, walk.folder, True)

        worker.heap = taken

    def _moved(self, walk: _Walk, found: HeapFound) -> HeapFound:
        """The folder out of the worker's own: by the name that it was told, and without following a link."""
        record = walk.attempt.record
        target = self._folder / f"{record.invocation_id}-{record.attempt}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(walk.folder, target)
        except OSError as error:
            return HeapFound(missing(Why.HEAP_FILES_GONE, str(error.strerror)))
        return HeapFound(found.part, str(target))

    @property
    def walking(self) -> int:
        """How many are on their way."""
        return len(self._walks)

    def gone(self, worker: Worker) -> None:
        """A worker was reaped, and its folder with it."""
        self._late.discard(worker.worker_id)
        walk = self._walks.get(worker.worker_id)
        if walk is not None:
            self._end(walk, HeapFound(missing(Why.WALK_ENDED)))

    def _end(self, walk: _Walk, found: HeapFound) -> None:
        worker = walk.worker
        del self._walks[worker.worker_id]
        worker.heap = None
        if walk.goes_on:
            worker.walk_ceiling_bytes = 0
            for attempt in worker.begun_attempts():
                attempt.postpone(self._now() - max(walk.begun_mono, attempt.began_mono))
        if found.part.state is State.MISSING:
            self._seen.pop(walk.key, None)  # the next one of its kind may have more luck
            if walk.goes_on and found.part.because(Why.WALK_FRAMES_GONE):
                self._beside.pop(worker.spec.name, None)  # nobody has waited: there was no walk
        try:
            walk.then(found)
        except Exception:
            _log.exception("a heap snapshot could not be handed on")

    def close(self) -> None:
        """The server stops; what is on its way is given up."""
        if self._timer is not None:
            self._timer.cancel()
        for walk in list(self._walks.values()):
            self._end(walk, HeapFound(missing(Why.WALK_SERVER_STOPPED)))
