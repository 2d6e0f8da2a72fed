"""Failed workers that are kept, stopped, as live scenes: which, for how long, and why each of them left."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.errors import NotFound, UsageError
from relive_base.parts import Reason, Why
from relive_base.records import InvocationRecord
from relive_runtime.adapters.table import has_python

from relive_platform.engine.workers.descendants import descendants, running
from relive_platform.engine.workers.life import GONE
from relive_platform.engine.workers.worker import Worker

__all__ = ["KNOWN", "FrozenLimits", "FrozenWorkers", "Kept", "NotKept", "available_bytes"]

KNOWN: Final = "the worker of"
"""So begins the message of NotKept if there was one."""
REASONS_KEPT: Final = 1_000
_LOOK_EVERY_S: Final = 1.0
_MB: Final = 1_048_576


class NotKept(NotFound):
    """No worker is kept for that failure."""


@dataclass(frozen=True, slots=True)
class FrozenLimits:
    """How many are kept, for how long, and the available memory under which the oldest leaves."""

    count: int = 2
    age_s: float = 600.0
    memory_mb: int = 256


@dataclass(slots=True, eq=False)
class Kept:
    """One frozen worker."""

    worker: Worker
    record: InvocationRecord
    since_mono: float
    attached: bool = False
    """Whether somebody debugs it: it then leaves for no limit."""


class FrozenWorkers:
    """Keeps them in the order they came. Everything runs on the event loop."""

    def __init__(
        self,
        limits: FrozenLimits,
        available: Callable[[], int] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._available = available or available_bytes
        self._now = now
        self._kept: list[Kept] = []
        self._left: OrderedDict[str, tuple[str, float]] = OrderedDict()  # invocation id -> why, when
        self._looked_mono = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._kept)

    def keep(self, worker: Worker, record: InvocationRecord) -> Reason | None:
        """Stop a failed worker and keep it; None, or why not."""
        reason = self._objection(worker) or self._make_room(worker.fingerprint, record.invocation_id)
        if reason is not None:
            self.note(record.invocation_id, reason.text)
            return reason
        self._kept.append(Kept(worker, record, self._now()))
        self._left.pop(record.invocation_id, None)
        worker.process.freeze()
        return None

    def stop(self, worker: Worker) -> None:
        """Stop a kept worker again that had something to do; not while somebody debugs it. One that is not
        kept any more ends."""
        kept = next((kept for kept in self._kept if kept.worker is worker), None)
        if kept is None:
            worker.kill()
        elif not kept.attached:
            worker.process.freeze()

    def _objection(self, worker: Worker) -> Reason | None:
        if self.limits.count < 1:
            return Reason(Why.NONE_ARE_KEPT)
        if not has_python(worker.spec.kind):
            return Reason(Why.NOT_KEPT)
        if not worker.spec.replay and running(descendants(worker.pid)):  # a replay has somebody who looks
            return Reason(Why.HAD_CHILDREN)
        return None

    def _make_room(self, fingerprint: str, invocation_id: str) -> Reason | None:
        """Let those leave that this one takes the place of; None, or why there is no room."""
        same = [kept for kept in self._kept if fingerprint and kept.worker.fingerprint == fingerprint]
        for kept in same:
            if kept.attached:
                return Reason(Why.SAME_IS_DEBUGGED, (kept.record.invocation_id,))
            self.release(kept, f"the same failure came again, in {invocation_id}")
        while len(self._kept) >= self.limits.count:
            oldest = next((kept for kept in self._kept if not kept.attached), None)
            if oldest is None:
                return Reason(Why.KEPT_ARE_DEBUGGED, (self.limits.count,))
            self.release(oldest, f"count: only {self.limits.count} are kept (RELIVE_FROZEN_WORKERS)")
        return None

    def expire(self) -> None:
        """Let those leave that are too old; the oldest one, too, if the machine is short of memory."""
        now = self._now()
        for kept in [kept for kept in self._kept if not kept.attached]:
            if now - kept.since_mono > self.limits.age_s:
                self.release(kept, f"age: it was kept for {self.limits.age_s:g} s (RELIVE_FROZEN_S)")
        if self._kept and now - self._looked_mono >= _LOOK_EVERY_S:
            self._looked_mono = now
            self._watch_memory()

    def _watch_memory(self) -> None:
        # One at a time: what it held is available again at the next look.
        available = self._available()
        oldest = next((kept for kept in self._kept if not kept.attached), None)
        if oldest is not None and 0 <= available < self.limits.memory_mb * _MB:
            self.release(
                oldest,
                f"memory: {available // _MB} MB were available on the machine, under"
                f" {self.limits.memory_mb} (RELIVE_FROZEN_MEMORY_MB)",
                at_once=True,
            )

    def release(self, kept: Kept, reason: str, *, at_once: bool = False) -> None:
        """End a kept worker; one that walks its heap when that is done, unless it has to be `at_once`."""
        self._kept.remove(kept)
        self.note(kept.record.invocation_id, reason)
        if kept.worker.heap is None or at_once:
            kept.worker.kill()
        else:
            kept.worker.retire()

    def gone(self, worker: Worker) -> None:
        """A worker was reaped: one that is kept has ended by itself, or by somebody else's signal."""
        for kept in [kept for kept in self._kept if kept.worker is worker]:
            self._kept.remove(kept)
            self.note(kept.record.invocation_id, "its process has ended")

    def note(self, invocation_id: str, reason: str) -> None:
        """Why there is no worker for an invocation (any more); of the last 1,000."""
        self._left[invocation_id] = (reason, time.time())
        while len(self._left) > REASONS_KEPT:
            self._left.popitem(last=False)

    def find(self, ident: str) -> Kept:
        """The kept worker of an invocation, by its id, the beginning of it, or "last". Raises NotKept,
        UsageError if several begin like that."""
        if not self._kept and ident == "last":
            raise NotKept("no failed worker is kept", hint="relive failures lists what failed")
        matching = [kept for kept in self._kept if kept.record.invocation_id.startswith(ident)]
        found = self._kept[-1:] if ident == "last" else matching
        if len(found) > 1:
            names = " and ".join(kept.record.invocation_id for kept in found)
            raise UsageError(f"{ident!r} may mean {names}", hint="give more of the id")
        if found and found[0].worker.state != GONE:
            return found[0]
        raise NotKept(self._why(ident))

    def _why(self, ident: str) -> str:
        matching = [entry for entry in self._left.items() if entry[0].startswith(ident)]
        if len(matching) != 1:
            return (
                f"no worker is kept for {ident}: its process ended, it was served by another server,"
                " or before this one was started"
            )
        invocation_id, (reason, at) = matching[0]
        return f"{KNOWN} {invocation_id} left {_ago(time.time() - at)} ago: {reason}"


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def available_bytes() -> int:
    """Memory that the machine can still give; -1 if it does not say."""
    try:
        for line in Path("/proc/meminfo").read_bytes().splitlines():
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * 1_024
    except (OSError, ValueError, IndexError):
        pass
    return -1
