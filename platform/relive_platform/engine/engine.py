"""What takes events to workers and brings their outcomes back: one for a server, a replay, a benchmark."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relive_base.errors import NotFound, Refused
from relive_base.wire.messages import FunctionSpec
from relive_runtime.adapters.table import has_python

from relive_platform.engine.attempt import AHEAD, ANSWERED
from relive_platform.engine.cancelling import Cancelled, find, in_flight
from relive_platform.engine.clock import Clock
from relive_platform.engine.dispatcher import CallHandler, Dispatcher, Recorder
from relive_platform.engine.errors import Stopping, UnknownFunction
from relive_platform.engine.failed.debugging import DebugSession
from relive_platform.engine.host import HostLimits, WorkerHost
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pointing import PointWanted, point_row
from relive_platform.engine.pool import FunctionPool, PoolLimits
from relive_platform.engine.qualifiers import Qualifiers
from relive_platform.engine.runtime import Runtime
from relive_platform.engine.supervisor.dumping import dump_worker
from relive_platform.engine.supervisor.saving import Saver
from relive_platform.engine.supervisor.watch import Supervisor
from relive_platform.engine.warmth.keeper import Warmth
from relive_platform.engine.wires import Wire
from relive_platform.engine.workers.cgroups.groups import CgroupLimits, Cgroups
from relive_platform.engine.workers.cgroups.places import Places, find_places
from relive_platform.engine.workers.users import UserRange
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.engine.workers.zygote_runtime import ZygoteRuntime
from relive_platform.engine.workers.zygotes import Zygotes

__all__ = ["Engine", "EngineLimits", "EngineStatus"]

_SETTLE_S: Final = 0.002
_SETTLE_ROUNDS: Final = 500  # for the rest of what a worker has to tell
_EVIDENCE_ROUNDS: Final = 2_000  # for a process that is read from outside, whose caller has had the answer


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Limits of all its workers, and how long a zygote may take to start. `users`: where this process is
    root, those that workers in tier 2 get. `cgroups`: None if they are to have none."""

    host: HostLimits = field(default_factory=HostLimits)
    zygote_timeout_s: float = 30.0
    users: UserRange | None = None
    cgroups: CgroupLimits | None = None
    warm_price: float = 0.0  # see warmth/keeper.py; 0: workers are kept for a fixed time
    first_worker: int = 1  # its number, where other processes have some, too


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How it stands. `tiers` and `gaps` are what its workers say of their isolation; `cgroups`: the limits of
    their groups, or why there are none."""

    workers: dict[str, int]
    zygotes: int
    tiers: list[int]
    gaps: list[str]
    cgroups: str


class Engine:
    """Wires pools, workers, zygotes and the supervisor. Everything runs on the event loop."""

    def __init__(
        self,
        recorder: Recorder,
        runtime: Path,
        folder: Path,
        executor: Executor,
        limits: EngineLimits,
        clock: Clock | None = None,
        places: Places | None = None,
    ) -> None:
        """`recorder` takes what is recorded, `runtime` is what workers import, `folder` is for logs and
        scratch folders; processes are read from outside in `executor`. `places`: where cgroups can be made,
        if somebody has looked already."""
        self._clock = clock = clock or Clock()
        find = (lambda: places) if places is not None else find_places
        self._cgroups = Cgroups(limits.cgroups or CgroupLimits(enabled=False), find)
        self.zygotes = Zygotes(runtime, folder, limits.zygote_timeout_s, limits.users, self._cgroups)
        self.host = WorkerHost(
            limits.host, folder / "heaps", self._watch, self._cgroups.tidy, clock, limits.first_worker
        )
        self.qualifiers = Qualifiers()
        self.warmth = Warmth(limits.warm_price, clock)
        self.dispatcher = Dispatcher(recorder, self.host.pools, clock, self.qualifiers)
        self._supervisor = Supervisor(
            self.host.workers,
            self.dispatcher.on_condemned,
            dump_worker,
            executor,
            saver=Saver(self.host.heaps, self.dispatcher.on_heap),
            clock=clock,
        )

    def start(self, on_call: CallHandler | None = None) -> None:
        """Begin. `on_call` serves the calls from function to function."""
        self.dispatcher.call_handler = on_call
        self.host.start()

    async def close(self) -> None:
        """End every worker and every zygote."""
        self._supervisor.close()
        await self.host.close()
        await self.zygotes.close()
        await asyncio.get_running_loop().run_in_executor(None, self._cgroups.close)

    @property
    def places(self) -> Places:
        """Where its cgroups are made."""
        return self._cgroups.places

    def _watch(self, worker: Any) -> None:
        self._supervisor.watch(worker)

    # ------------------------------------------------------------ events

    def submit(self, request: InvokeRequest) -> asyncio.Future[Outcome]:
        """Run one event; the future is set when its answer is there, and failures are in the outcome. Raises
        UnknownFunction and Stopping."""
        return self.dispatcher.submit(request)

    def connect(self, function: str) -> asyncio.Future[Wire]:
        """A worker of a function, for a connection that is joined to it; NoWorker if there is none in time.
        Raises UnknownFunction and Stopping."""
        if self.dispatcher.stopping:
            raise Stopping
        return self._pool(function).wires.connect()

    def cancel(self, ident: str) -> Cancelled | None:
        """End the attempt that `ident` means (see `cancelling.find`); None if there is none. What a worker
        runs ends with the status "cancelled" and a scene of where it stood. Raises UsageError."""
        while (found := find(in_flight(self.host.pools.values()), ident)) is not None:
            attempt, worker = found.attempt, found.worker
            if worker is None:
                ended, state = self.dispatcher.cancel_waiting(found.pool, attempt), "waiting"
            elif attempt.state != AHEAD:
                ended, state = self._supervisor.cancel(worker, attempt), "running"
            else:  # sent ahead of what the worker runs now
                found.pool.take_back(worker)
                continue
            if not ended:
                break
            return Cancelled(attempt.record.invocation_id, attempt.record.function, state)
        return None

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing runs, then take no more. False if something still ran after `timeout_s`."""
        drained = await self.dispatcher.drained(timeout_s)
        self.dispatcher.stopping = True
        return drained

    async def told(self) -> None:
        """Wait, within limits, until what answered attempts still have to tell is told."""
        for worker in list(self.host.workers.values()):
            worker.handle.look()
        for number in range(_EVIDENCE_ROUNDS):
            if not self._has_to_tell(number < _SETTLE_ROUNDS):
                break
            await asyncio.sleep(_SETTLE_S)

    def _has_to_tell(self, finishing: bool) -> bool:
        """Whether an answered attempt is not recorded yet. `finishing`: even if its worker tells."""
        return any(
            worker.condemned or (finishing and attempt.state == ANSWERED)
            for worker in self.host.workers.values()
            for attempt in worker.begun_attempts()
        )

    # ------------------------------------------------------------ functions

    def forked(self, key: ZygoteKey) -> Runtime:
        """The runtime whose workers a zygote forks, started when it is first needed."""
        return ZygoteRuntime(self.zygotes, key)

    def deploy(
        self, spec: FunctionSpec, runtime: Runtime, limits: PoolLimits, *, warm: bool = False
    ) -> FunctionPool:
        """Put a function version in service: new events are its own, the version before finishes what it
        has. `warm`: waiting workers are forked before its first event."""
        pool = self.prepare(spec, runtime, limits)
        pool.active = warm
        if warm and pool.serves:
            pool.keep_warm()  # at once: an application takes its time to start, and requests wait for it
        replaced = self.dispatcher.serve(pool)
        if replaced is not None:
            replaced.in_service = False
        pool.in_service = True
        if replaced is not None and replaced.spec.version not in self.qualifiers.pinned(spec.name):
            replaced.drain()
        return pool

    def prepare(self, spec: FunctionSpec, runtime: Runtime, limits: PoolLimits) -> FunctionPool:
        """The pool of a version, which events can ask for by its number; made if there is none."""
        found = self.host.pools.get((spec.name, spec.version))
        if found is not None and not found.draining:
            return found
        pool = FunctionPool(spec, runtime, limits, self.host, self.dispatcher, self._clock, self.warmth)
        self.host.pools[spec.name, spec.version] = pool
        return pool

    def withdraw(self, function: str) -> None:
        """Take a function out of service; it finishes what it has."""
        self.dispatcher.pools.pop(function, None)
        self.release(function)

    def release(self, function: str) -> None:
        """Drain the pools of versions that are neither in service nor an alias's."""
        serving = self.dispatcher.pools.get(function)
        kept = self.qualifiers.pinned(function) if serving is not None else set()
        for (name, version), pool in list(self.host.pools.items()):
            if name == function and pool is not serving and version not in kept:
                pool.drain()

    def caller(self, span_id: str) -> tuple[str, int] | None:
        """Invocation and call depth of the attempt that runs under this span; None if none does."""
        for worker in self.host.workers.values():
            for attempt in worker.running():
                if attempt.record.span_id == span_id:
                    return attempt.record.invocation_id, attempt.request.depth
        return None

    def depth_below(self, span_id: str) -> int:
        """How deep that lies which is sent under this span: one deeper than its function, if one runs."""
        found = self.caller(span_id) if span_id else None
        return found[1] + 1 if found is not None else 0

    def pools_of(self, function: str) -> list[FunctionPool]:
        """Those of all its versions that are ready for events."""
        return [pool for (name, _), pool in self.host.pools.items() if name == function and not pool.draining]

    def profile_next(self, function: str, count: int, engine: str = "precise") -> None:
        """Profile the next `count` invocations of a function with `engine`. Raises UnknownFunction,
        Refused."""
        pool = self._pool(function)
        _refuse_programs(pool.spec, "profiles")
        pool.precise.ask(count, engine)

    def arm_point(self, wanted: PointWanted) -> dict[str, Any]:
        """A breakpoint or logpoint in the version that is in service; `check_point` has found it good. Raises
        UnknownFunction, Refused."""
        pool = self._pool(wanted.function)
        _refuse_programs(pool.spec, "breakpoints and logpoints")
        if wanted.text is None:
            self._refuse_breaks(pool, wanted.count)
        armed = pool.points.add(wanted.point(), wanted.count, wanted.for_s)
        return point_row(wanted.function, pool.spec.version, armed, pool.points.left_s(armed))

    def _refuse_breaks(self, pool: FunctionPool, count: int) -> None:
        if pool.serves:
            raise Refused(
                f"{pool.spec.name} runs invocations beside each other: one that is held would hold all",
                hint="relive logpoint does not hold it",
            )
        limit = self.host.frozen.limits.count
        if count > limit:
            raise Refused(
                f"{count} invocations are more than the {limit} that are kept (RELIVE_FROZEN_WORKERS)",
                hint="ask for fewer",
            )

    def points(self) -> list[dict[str, Any]]:
        """All of them, as `relive break --list --json` shows them."""
        return [
            point_row(name, version, armed, pool.points.left_s(armed))
            for (name, version), pool in self.host.pools.items()
            for armed in pool.points.listed()
        ]

    def remove_point(self, number: int) -> dict[str, Any]:
        """Raises NotFound."""
        for (name, version), pool in self.host.pools.items():
            if any(armed.point.number == number for armed in pool.points.listed()):
                return point_row(name, version, pool.points.remove(number), 0.0)
        raise NotFound(f"there is no point {number}", hint="relive break --list shows them")

    def folder_of(self, function: str) -> str:
        """Where the code of the version in service is. Raises UnknownFunction."""
        return self._pool(function).spec.source

    def heap_next(self, function: str) -> int:
        """Have the next invocation of a function that succeeds leave its heap; gives the version. Raises
        UnknownFunction, Refused."""
        pool = self._pool(function)
        _refuse_programs(pool.spec, "heaps")
        if pool.spec.capture != "full":
            raise Refused(
                f'{function} has capture = "{pool.spec.capture}"',
                hint='say capture = "full" in its relive.toml and deploy it again',
            )
        pool.aftermath.want_baseline()
        return pool.spec.version

    def _pool(self, function: str) -> FunctionPool:
        pool = self.dispatcher.pools.get(function)
        if pool is None:
            raise UnknownFunction(function, self.dispatcher.pools)
        return pool

    # ------------------------------------------------------------ looking at it

    def status(self) -> EngineStatus:
        """How it stands now."""
        ready = [worker.ready for worker in self.host.workers.values() if worker.ready]
        return EngineStatus(
            workers=self.host.counts(),
            zygotes=len(self.zygotes.pids()),
            tiers=[told.isolation_tier for told in ready],
            gaps=[line for told in ready for line in told.isolation_detail],
            cgroups=self._cgroups.detail,
        )

    def why_warm(self, function: str) -> dict[str, Any]:
        """Why its workers are kept while it is idle. Raises UnknownFunction."""
        return self._pool(function).why_warm()

    def debug(self, ident: str) -> DebugSession:
        """Begin a debugging session in the worker that is kept of a failure. Raises NotKept, Refused."""
        return self.host.debugging.attach(ident)

    def frozen(self) -> list[dict[str, Any]]:
        """The failed workers that are kept, newest first."""
        return self.host.debugging.listing()


def _refuse_programs(spec: FunctionSpec, what: str) -> None:
    """Raises Refused if the function is no Python that could be looked into."""
    if not has_python(spec.kind):
        raise Refused(
            f"{spec.name} is a program (kind {spec.kind!r}): {what} are taken of Python alone",
            hint=f"relive failure {spec.name} shows what its failures leave",
        )
