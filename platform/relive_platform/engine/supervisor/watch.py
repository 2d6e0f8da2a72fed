"""Looks at every busy worker from outside, every 5 ms: what it has put into its ring, its memory, deadlines,
and what to do when one is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, Protocol

from relive_base.parts import PartState, Reason, State, Why, missing
from relive_base.wire.messages import ErrorInfo, FunctionSpec
from relive_base.within import within

from relive_platform.engine.attempt import ANSWERED, RUNNING, Attempt
from relive_platform.engine.clock import Clock
from relive_platform.engine.supervisor.dumping import Dumped
from relive_platform.engine.supervisor.told import crashed_in
from relive_platform.engine.supervisor.verdict import beside_crash
from relive_platform.engine.workers.descendants import children_bytes, descendants, exact_children_bytes
from relive_platform.engine.workers.life import BUSY
from relive_platform.engine.workers.worker import Worker

__all__ = ["ExternalDump", "Supervisor", "WatchLimits"]

_MB: Final = 1_048_576
_CHILDREN_LIMIT: Final = 64
_THAW_EVERY: Final = 20  # looks
_CHILDREN_KNOWN: Final = 256  # workers, before those that have gone are forgotten
_log = logging.getLogger(__name__)


class ExternalDump(Protocol):
    """Looks into a process (`dumping.dump_worker`); blocks."""

    def __call__(
        self, pid: int, timeout_s: float, spec: FunctionSpec, error: ErrorInfo, thread: int = 0
    ) -> Dumped: ...


class Saving(Protocol):
    """Has a worker that is over its memory limit save itself (`saving.Saver`)."""

    def ask(self, worker: Worker, attempt: Attempt) -> None: ...
    async def saved(self, worker: Worker, attempt: Attempt) -> Reason | None: ...


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When the supervisor steps in."""

    interval_s: float = 0.005
    grace_s: float = 0.5  # after the deadline, which the worker itself should have kept
    finish_s: float = 5.0  # for a worker that has answered to send the rest
    memory_share: float = 0.85
    dump_timeout_s: float = 10.0  # 0.3 s as a rule; on a busy machine late frames are better than none
    crashes_at_once: int = 6  # that are read from outside
    crashes_waiting: int = 6  # that stand still until they are; others have their fault handler's frames
    core_s: float = 15.0  # for a worker that crashed to leave its core file
    group_every: int = 20  # what a worker has started is summed up at each 20th look
    close_look_s: float = 0.5  # not more often than this exactly: it takes the loop milliseconds


@dataclass(slots=True)
class _Seen:
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
        on_condemned: Callable[[Worker, Attempt, str], None],
        dump: ExternalDump,
        executor: Executor,
        limits: WatchLimits | None = None,
        saver: Saving | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._saver = saver
        self._workers = workers
        self._on_condemned = on_condemned
        self._dump = dump
        self._executor = executor
        self._limits = limits or WatchLimits()
        self._armed: asyncio.TimerHandle | None = None  # the next look; there is never more than one
        self._got_event = False  # some worker, since the last look began
        self._seen = _Seen()
        self._reading = 0  # processes that crashed, those that wait for it among them
        self._readers = asyncio.Semaphore(self._limits.crashes_at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, worker: Worker) -> None:
        """A worker got an event, or has crashed in one and stands still."""
        if worker.crashed is not None and not worker.condemned and (running := worker.running()):
            self._condemn(worker, running[0], "crash")
            return
        self._got_event = True
        if self._armed is None:
            self._arm()

    def cancel(self, worker: Worker, attempt: Attempt) -> bool:
        """End what a worker runs, and keep where it stood. False if it has ended, or is being ended."""
        ours = worker.find(attempt.record.invocation_id) is attempt
        if not ours or worker.condemned or attempt.state != RUNNING:
            return False
        if worker.serves:
            worker.cancel(attempt)  # its neighbours go on; if it does not react, its time limit ends it
            return True
        self._condemn(worker, attempt, "cancelled")
        return True

    def _arm(self) -> None:
        self._armed = asyncio.get_running_loop().call_later(self._limits.interval_s, self._tick)

    def _tick(self) -> None:
        self._got_event = False
        try:
            any_busy = self.look()
        except BaseException:
            self._arm()  # whatever it was, workers are not left unwatched
            raise
        # What a look finds may end an invocation and so begin the next one.
        if any_busy or self._got_event:
            self._arm()
        else:
            self._armed = None

    def look(self) -> bool:
        """Look at all workers once. Whether one is busy."""
        now = self._clock.mono()
        self._seen.count += 1
        any_busy = False
        if len(self._seen.children) > _CHILDREN_KNOWN:
            self._seen.forget_all_but(self._workers)
        for worker in list(self._workers.values()):
            worker.handle.look()
            if worker.state != BUSY or not worker.begun:
                continue
            any_busy = True
            if worker.serves:
                worker.look_at_loop(now)
            if worker.ahead:
                self._check_ahead(worker, now)
            if worker.condemned:
                continue
            since = now - self._limits.interval_s
            long = [attempt for attempt in worker.begun_attempts() if attempt.began_mono < since]
            if long:
                self._check(worker, long, now)
                worker.owner.scale()  # what waits behind them may wait for long now
        return any_busy

    def _check_ahead(self, worker: Worker, now: float) -> None:
        """Take back what waits too long behind what runs.

        None of it can have begun: a worker begins an event only before its `start_before_mono`, and after it
        has told the result of one before. A result told by then would have been read: another round of
        the loop has gone by since.
        """
        last = next(reversed(worker.attempts.values()))
        late = now > last.start_before_mono + 2 * self._limits.interval_s
        if late and worker.slow_since and len(worker.running()) == worker.begun:
            worker.owner.take_back(worker)
            worker.slow_since = 0.0
        else:
            worker.slow_since = now if late else 0.0

    def _check(self, worker: Worker, attempts: list[Attempt], now: float) -> None:
        """The worker's memory, and the deadlines of what it runs for longer than one look."""
        children = self._seen.children.get(worker.worker_id, 0)
        limit = int(worker.spec.memory_mb * _MB * self._limits.memory_share)
        limit = max(limit, worker.walk_ceiling_bytes + children if worker.walk_ceiling_bytes else 0)
        held = worker.process.held_bytes(limit - children)
        if self._seen.count % self._limits.group_every == 0:
            self._look_at_children(worker, limit - held, now)
        held += self._seen.children.get(worker.worker_id, 0)
        for attempt in attempts:
            attempt.evidence.hold(held)
        running = [attempt for attempt in attempts if attempt.state == RUNNING]
        if running and held > limit:
            self._condemn(worker, running[0], "memory")
            return
        if worker.walk_ceiling_bytes:
            return  # it stands still because we walk its heap; whoever does bounds that
        for attempt in attempts:
            if attempt.state == ANSWERED:
                self._check_rest(worker, attempt, now)
            elif attempt.overdue(now, self._limits.grace_s):
                self._condemn(worker, attempt, "timeout")
            if worker.condemned:
                return

    def _check_rest(self, worker: Worker, attempt: Attempt, now: float) -> None:
        """It has answered: the rest of what it has to tell may take a while, and no longer."""
        if worker.serves and not attempt.record.failed:
            return  # what it does after its answer is its own affair, until it is to leave
        if now > max(attempt.deadline_mono, attempt.began_mono) + self._limits.finish_s:
            if worker.serves:
                worker.retire()  # its code cannot be ended, and takes room: its neighbours finish first
                if worker.running():
                    return
            worker.condemn("finish", attempt.record.invocation_id)
            worker.kill()

    def _look_at_children(self, worker: Worker, left: int, now: float) -> None:
        """The quick sum counts what is shared for each process: over what is `left`, look closely."""
        pids = descendants(worker.pid, _CHILDREN_LIMIT)
        total = children_bytes(pids)
        if total > left:
            exact, since = self._seen.close.get(worker.worker_id, (0, 0.0))
            if now - since > self._limits.close_look_s:
                exact = exact_children_bytes(worker.pid, pids, worker.process.own_tmp)
                self._seen.close[worker.worker_id] = (exact, now)
            total = exact
        self._seen.children[worker.worker_id] = total

    def _condemn(self, worker: Worker, attempt: Attempt, why: str) -> None:
        # Memory and a crash are the whole process's; all that it ran ends for it.
        whole = why in ("memory", "crash")
        worker.condemn(why, "" if whole else attempt.record.invocation_id)
        if why == "memory" and self._saver is not None:
            self._saver.ask(worker, attempt)
            end = self._save_and_kill(worker, attempt, self._saver)
        elif why == "crash":
            worker.process.freeze()  # with its children
            end = self._read_crash(worker, attempt)
        else:
            worker.process.freeze()  # it must not grow on, nor go on with its work, while it is looked at
            code = Why.CANCELLED if why == "cancelled" else Why.NO_REACTION
            attempt.evidence.mark("heap", missing(code))
            end = self._dump_and_kill(worker, attempt)
        self._on_condemned(worker, attempt, why)
        task = asyncio.get_running_loop().create_task(end)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save_and_kill(self, worker: Worker, attempt: Attempt, saver: Saving) -> None:
        """The process itself can tell most; if it does not, it is read from outside."""
        reason: Reason | None = Reason(Why.NO_REACTION)
        try:
            reason = await saver.saved(worker, attempt)
        except Exception as failure:  # nothing must keep the worker alive
            _log.warning("worker %d could not save itself: %s", worker.pid, failure)
        if reason is None:
            self._seen.forget(worker.worker_id)
            worker.owner.on_saved(worker, attempt)
            return
        worker.process.freeze()
        attempt.evidence.mark("heap", PartState(State.MISSING, [reason]))
        await self._dump_and_kill(worker, attempt)

    async def _dump_and_kill(self, worker: Worker, attempt: Attempt) -> None:
        limit_s = self._limits.dump_timeout_s
        loop = asyncio.get_running_loop()
        try:
            error = attempt.record.error or ErrorInfo(type="", message="")
            thread = worker.crashed.thread if worker.crashed is not None else 0
            found = loop.run_in_executor(
                self._executor, self._dump, worker.pid, limit_s, worker.spec, error, thread
            )
            dumped = await within(found, limit_s + 1.0)
            told = self._told_of(worker, attempt, dumped)
            told.evidence.dumped(dumped.members, dumped.parts, dumped.redactions)
            if dumped.error is not None and told is attempt:
                _locate(error, dumped.error)
            if worker.crashed is not None and worker.spec.core_mb:
                await self._let_die(worker)
        except TimeoutError:
            attempt.evidence.mark("exception", missing(Why.NOT_READ_IN_TIME, limit_s + 1.0))
        except Exception as failure:  # a dump that fails must never keep the worker alive
            _log.warning("worker %d could not be dumped: %s", worker.pid, failure)
            attempt.evidence.mark("exception", missing(Why.DUMP_FAILED, repr(failure)[:300]))
        finally:
            self._seen.forget(worker.worker_id)
            worker.kill()

    def _told_of(self, worker: Worker, attempt: Attempt, dumped: Dumped) -> Attempt:
        """The attempt that the frames of a process are of. A service runs many; the one that was answered
        first need not be the one that crashed it."""
        if not worker.serves or worker.crashed is None:
            return attempt
        found = worker.attempts.get(crashed_in(dumped.members))
        if found is None:
            return attempt
        worker.blame(found.record.invocation_id)
        if found is not attempt and attempt.record.error is not None:
            attempt.judge_anew(beside_crash(worker))
            attempt.evidence.mark("exception", missing(Why.CRASHED_IN_ANOTHER, worker.crashed_in))
        return found

    async def _read_crash(self, worker: Worker, attempt: Attempt) -> None:
        """A function may crash faster than its processes can be read: few of them wait for that."""
        if self._reading >= self._limits.crashes_at_once + self._limits.crashes_waiting:
            attempt.evidence.mark("exception", missing(Why.OTHERS_WERE_READ, self._reading))
            worker.kill()
            return
        self._reading += 1
        try:
            async with self._readers:
                await self._dump_and_kill(worker, attempt)
        except asyncio.CancelledError:  # also as it waits
            worker.kill()
            raise
        finally:
            self._reading -= 1

    async def _let_die(self, worker: Worker) -> None:
        """Of its own signal, which has the system write a core file."""
        for look in range(int(self._limits.core_s / self._limits.interval_s)):
            if worker.exited is not None:
                break
            if look % _THAW_EVERY == 0:  # who was read before it stood still does so only now
                worker.process.thaw()
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
