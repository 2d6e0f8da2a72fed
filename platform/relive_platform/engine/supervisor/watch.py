"""Looks at every busy worker from outside, every 5 ms: what it has put into its ring, its memory, deadlines,
and what to do when one is over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, Protocol

from relive_base.wire.messages import ErrorInfo, FunctionSpec

from relive_platform.engine.invocation import Running
from relive_platform.engine.supervisor.dumping import Dumped
from relive_platform.engine.workers.descendants import children_bytes, descendants, exact_children_bytes
from relive_platform.engine.workers.life import BUSY, FINISHING
from relive_platform.engine.workers.worker import Worker

__all__ = ["ExternalDump", "Supervisor", "WatchLimits"]

_MB: Final = 1_048_576
_CHILDREN_LIMIT: Final = 64
_CHILDREN_KNOWN: Final = 256  # workers, before those that have gone are forgotten
_log = logging.getLogger(__name__)


class ExternalDump(Protocol):
    """Looks into a process (`dumping.dump_worker`); blocks."""

    def __call__(
        self, pid: int, timeout_s: float, spec: FunctionSpec, error: ErrorInfo, thread: int = 0
    ) -> Dumped: ...


class Saving(Protocol):
    """Has a worker that is over its memory limit save itself (`saving.Saver`)."""

    def ask(self, worker: Worker, running: Running) -> None: ...
    async def saved(self, worker: Worker, running: Running) -> str: ...


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When the supervisor steps in."""

    interval_s: float = 0.005
    grace_s: float = 0.5  # after the deadline, which the worker itself should have kept
    finish_s: float = 5.0  # for a worker that has answered to send the rest
    memory_share: float = 0.85
    dump_timeout_s: float = 3.0
    crashes_at_once: int = 6  # that are read from outside; further ones have their fault handler's frames
    core_s: float = 15.0  # for a worker that crashed to leave its core file
    group_every: int = 20  # what a worker has started is summed up at each 20th look
    close_look_s: float = 0.5  # not more often than this exactly: it takes the loop milliseconds


@dataclass(slots=True)
class _Look:
    count: int = 0
    children: dict[int, int] = field(default_factory=dict)  # worker id -> bytes its children hold
    close: dict[int, tuple[int, float]] = field(default_factory=dict)  # the same, exactly, and when

    def forget(self, worker_id: int) -> None:
        self.children.pop(worker_id, None)
        self.close.pop(worker_id, None)

    def forget_all_but(self, alive: Container[int]) -> None:
        for worker_id in [known for known in self.children if known not in alive]:
            self.forget(worker_id)


class Supervisor:
    """Runs on the event loop while a worker is busy; dumps run in `executor`."""

    def __init__(
        self,
        workers: Mapping[int, Worker],
        on_condemned: Callable[[Worker, Running, str], None],
        dump: ExternalDump,
        executor: Executor,
        limits: WatchLimits | None = None,
        saver: Saving | None = None,
    ) -> None:
        self._saver = saver
        self._workers = workers
        self._on_condemned = on_condemned
        self._dump = dump
        self._executor = executor
        self._limits = limits or WatchLimits()
        self._armed: asyncio.TimerHandle | None = None  # the next look; there is never more than one
        self._got_event = False  # some worker, since the last look began
        self._look = _Look()
        self._reading = 0  # processes that crashed
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, worker: Worker) -> None:
        """A worker got an event, or has crashed in one and stands still."""
        running = worker.current
        if worker.crashed is not None and running is not None and not worker.condemned:
            self._condemn(worker, running, "crash")
            return
        self._got_event = True
        if self._armed is None:
            self._arm()

    def cancel(self, worker: Worker, running: Running) -> bool:
        """End what a worker runs, and keep where it stood. False if it has ended, or is being ended."""
        if worker.current is not running or worker.condemned or running.result is not None:
            return False
        self._condemn(worker, running, "cancelled")
        return True

    def _arm(self) -> None:
        self._armed = asyncio.get_running_loop().call_later(self._limits.interval_s, self._tick)

    def _tick(self) -> None:
        self._got_event = False
        try:
            any_busy = self._look_at_all()
        except BaseException:
            self._arm()  # whatever it was, workers are not left unwatched
            raise
        # What a look finds may end an invocation and so begin the next one.
        if any_busy or self._got_event:
            self._arm()
        else:
            self._armed = None

    def _look_at_all(self) -> bool:
        """Whether a worker is busy."""
        now = time.monotonic()
        self._look.count += 1
        any_busy = False
        if len(self._look.children) > _CHILDREN_KNOWN:
            self._look.forget_all_but(self._workers)
        for worker in list(self._workers.values()):
            worker.look()
            running = worker.current
            if running is None or worker.state not in (BUSY, FINISHING):
                continue
            any_busy = True
            if worker.ahead:
                self._check_ahead(worker, running, now)
            if now - running.sent_mono > self._limits.interval_s and not worker.condemned:
                self._check(worker, running, now)
                worker.owner.scale()  # what waits behind it may wait for long now
        return any_busy

    def _check_ahead(self, worker: Worker, running: Running, now: float) -> None:
        """Take back what waits too long behind `running`.

        None of it can have begun: a worker begins an event only before its `start_before_mono`, and after it
        has told the result of the one before. A result told by then would have been read: another round of
        the loop has gone by since.
        """
        late = worker.ahead[-1].start_before_mono + 2 * self._limits.interval_s
        if running.result is None and now > late and worker.slow_since:
            worker.owner.take_back(worker)
            worker.slow_since = 0.0
        else:
            worker.slow_since = now if now > late else 0.0

    def _check(self, worker: Worker, running: Running, now: float) -> None:
        limit = int(worker.spec.memory_mb * _MB * self._limits.memory_share)
        held = worker.process.held_bytes(limit - self._look.children.get(worker.worker_id, 0))
        if self._look.count % self._limits.group_every == 0:
            self._look_at_children(worker, limit - held, now)
        held += self._look.children.get(worker.worker_id, 0)
        running.rss_peak = max(running.rss_peak, held)
        if worker.state == FINISHING:
            if now > max(running.deadline_mono, running.sent_mono) + self._limits.finish_s:
                worker.condemn("finish")
                worker.kill()
        elif held > limit:
            self._condemn(worker, running, "memory")
        elif now > max(running.deadline_mono + self._limits.grace_s, running.capture_until_mono):
            self._condemn(worker, running, "timeout")

    def _look_at_children(self, worker: Worker, left: int, now: float) -> None:
        """The quick sum counts what is shared for each process: over what is `left`, look closely."""
        pids = descendants(worker.pid, _CHILDREN_LIMIT)
        total = children_bytes(pids)
        if total > left:
            exact, since = self._look.close.get(worker.worker_id, (0, 0.0))
            if now - since > self._limits.close_look_s:
                exact = exact_children_bytes(worker.pid, pids, worker.process.own_tmp)
                self._look.close[worker.worker_id] = (exact, now)
            total = exact
        self._look.children[worker.worker_id] = total

    def _condemn(self, worker: Worker, running: Running, why: str) -> None:
        worker.condemn(why)
        if why == "memory" and self._saver is not None:
            self._saver.ask(worker, running)
            end = self._save_and_kill(worker, running, self._saver)
        elif why == "crash":
            worker.process.freeze()  # with its children
            end = self._read_crash(worker, running)
        else:
            worker.process.freeze()  # it must not grow on, nor go on with its work, while it is looked at
            reason = "it was cancelled" if why == "cancelled" else "the process did not react"
            running.external_parts["heap"] = ("missing", reason)
            end = self._dump_and_kill(worker, running)
        self._on_condemned(worker, running, why)
        task = asyncio.get_running_loop().create_task(end)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save_and_kill(self, worker: Worker, running: Running, saver: Saving) -> None:
        """The process itself can tell most; if it does not, it is read from outside."""
        reason = "the process did not react"
        try:
            reason = await saver.saved(worker, running)
        except Exception as failure:  # nothing must keep the worker alive
            _log.warning("worker %d could not save itself: %s", worker.pid, failure)
        if not reason:
            self._look.forget(worker.worker_id)
            worker.owner.on_saved(worker, running)
            return
        worker.process.freeze()
        running.external_parts["heap"] = ("missing", reason)
        await self._dump_and_kill(worker, running)

    async def _dump_and_kill(self, worker: Worker, running: Running) -> None:
        limit_s = self._limits.dump_timeout_s
        loop = asyncio.get_running_loop()
        try:
            error = running.record.error or ErrorInfo(type="", message="")
            thread = worker.crashed.thread if worker.crashed is not None else 0
            found = loop.run_in_executor(
                self._executor, self._dump, worker.pid, limit_s, worker.spec, error, thread
            )
            dumped = await asyncio.wait_for(found, limit_s + 1.0)
            running.external = dumped.members
            running.external_parts.update(dumped.parts)
            running.external_redactions = dumped.redactions
            if dumped.error is not None:
                _locate(error, dumped.error)
            if worker.crashed is not None and worker.spec.core_mb:
                await self._let_die(worker)
        except TimeoutError:
            reason = f"it was not read within {limit_s + 1.0:g} s"
            running.external_parts["exception"] = ("missing", reason)
        except Exception as failure:  # a dump that fails must never keep the worker alive
            _log.warning("worker %d could not be dumped: %s", worker.pid, failure)
            running.external_parts["exception"] = ("missing", f"the dump failed: {failure!r}"[:300])
        finally:
            self._look.forget(worker.worker_id)
            worker.kill()

    async def _read_crash(self, worker: Worker, running: Running) -> None:
        """A function may crash faster than its processes can be read: few of them wait for that."""
        if self._reading >= self._limits.crashes_at_once:
            reason = f"{self._reading} other processes that crashed were being read"
            running.external_parts["exception"] = ("missing", reason)
            worker.kill()
            return
        self._reading += 1
        try:
            await self._dump_and_kill(worker, running)
        finally:
            self._reading -= 1

    async def _let_die(self, worker: Worker) -> None:
        """Of its own signal, which has the system write a core file."""
        worker.process.thaw()
        for _ in range(int(self._limits.core_s / self._limits.interval_s)):
            if worker.exited is not None:
                break
            await asyncio.sleep(self._limits.interval_s)

    def close(self) -> None:
        """Stop watching."""
        if self._armed is not None:
            self._armed.cancel()
        for task in list(self._tasks):
            task.cancel()


def _locate(error: ErrorInfo, found: ErrorInfo) -> None:
    """Add to `error`, which the record already has, where the worker stood."""
    error.traceback = error.traceback or found.traceback
    error.module = error.module or found.module
    if error.kind == "signal" and error.line:
        return  # the fault handler has told, and so the caller: the group of a failure stays what it was
    error.file, error.line, error.function = found.file, found.line, found.function
    error.fingerprint = found.fingerprint or error.fingerprint
