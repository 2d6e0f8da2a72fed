"""A gateway beside the server: connections, an engine with its own workers and a recorder, in one process.

It begins what the server lets it begin: requests for functions of which it may have workers. Everything else
it gives back to the server, connection and all. What has one owner (registry, event queue, limits, control
API, collector's process) is the server's; it is asked through the channel, and this process ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from relive_base.errors import Refused, ReliveError
from relive_base.garbage import settle
from relive_base.records import InvocationRecord
from relive_base.wire.messages import Call, CallResult, ErrorInfo, FunctionSpec, PointHit

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.cancelling import find, in_flight
from relive_platform.engine.clock import Clock
from relive_platform.engine.engine import Engine
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.workers.life import BUSY, IDLE
from relive_platform.engine.workers.worker import Worker
from relive_platform.server.doors import doors
from relive_platform.server.gateways.channel import Channel
from relive_platform.server.gateways.descriptors import Descriptors
from relive_platform.server.gateways.held import Marks
from relive_platform.server.gateways.messages import (
    Applied,
    CallAsked,
    FollowedFrame,
    Found,
    Grant,
    Load,
    PointReached,
    PointsOf,
    PoolLoad,
    Start,
)
from relive_platform.server.gateways.moves import SideMoves
from relive_platform.server.parts import access_of, engine_limits, journal_of, listener_limits
from relive_platform.server.process_limits import MemoryKeeper
from relive_platform.settings import Settings
from relive_platform.signals.exporters.followers import Followers
from relive_platform.signals.handover.collector import Collector, CollectorLimits
from relive_platform.triggers.http.app import Gateway, GatewayLimits
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.http.propagation import Propagation
from relive_platform.triggers.http.source import HttpSource

if TYPE_CHECKING:
    from relive_platform.server.gateways.debugging import Sessions

__all__ = ["TICK_S", "GatewayBeside"]

TICK_S: Final = 0.1
_THREADS: Final = 4
_IDLE_S: Final = 10.0  # the server keeps workers for quiet times
_FLUSH_S: Final = 10.0
_WORKERS: Final = 1_000_000
"""Numbers of this gateway's workers begin at a multiple of it."""
_grants: Final = msgspec.msgpack.Decoder(list[Grant])
_applied: Final = msgspec.msgpack.Decoder(Applied)
_encode: Final = msgspec.msgpack.Encoder().encode
_text: Final = msgspec.msgpack.Decoder(str)
_meant: Final = msgspec.msgpack.Decoder(bool)
_points_of: Final = msgspec.msgpack.Decoder(PointsOf)
_POINT_S: Final = 1.0  # as long as a worker waits for it
_number: Final = msgspec.msgpack.Decoder(int)
_seconds: Final = msgspec.msgpack.Decoder(float)
_results: Final = msgspec.msgpack.Decoder(CallResult)


class _Server:
    """The server, in the place of a collector's process: it has that."""

    pid = os.getppid()

    def wait(self, timeout: float | None = None) -> int:
        return 0

    def kill(self) -> None:
        pass


class _Http2Elsewhere:
    """gRPC is the server's: its connections go there."""

    here = False

    def take(self, *_connection: Any) -> None:
        """Nothing is taken here."""


class _Telling(Followers):
    """Followers of log lines, who are the server's: it gets the frames while there are any."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self.on = False

    def __bool__(self) -> bool:
        return self.on

    def offer(self, spec: FunctionSpec, invocation_id: str, payload: bytes) -> None:
        self._channel.tell("followed", FollowedFrame(spec.name, spec.version, invocation_id, payload))


class GatewayBeside:
    """One process's. Everything runs on the event loop."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.settings: Settings = start.settings
        self.loop = asyncio.get_running_loop()
        self.executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="relive")
        self.over = asyncio.Event()
        self._arrived: dict[tuple[str, int], int] = {}
        self._granted: dict[tuple[str, int], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._debugging: Sessions | None = None
        self._observed: list[InvocationRecord] = []  # for the server's metrics
        self._tasks: set[asyncio.Task[Any]] = set()
        self.channel = Channel(
            {
                "apply": self._apply,
                "find": self._find,
                "cancel": self._cancel,
                "caller": self._caller,
                "frozen": self._frozen,
                "points": self._points,
                "debug": self._debug,
                "debug_next": self._debug_next,
                "flush": self._flush,
                "drain": self._drain,
                "close": self._close,
            },
            {
                "grant": self._grant,
                "yield": self._yield,
                "follow": self._follow,
                "debug_said": lambda body: self._sessions().said(body),
            },
            lost=_end,
        )

    async def run(self, control: socket.socket, descriptors: socket.socket, marks: Marks) -> None:
        """Until the server says so, or is gone. `marks`: where the server sees how connections stand."""
        self._marks = marks
        settings, start = self.settings, self.start
        memory = MemoryKeeper()
        memory.start()
        await self.loop.create_unix_connection(lambda: self.channel, sock=control)
        self.descriptors = Descriptors(descriptors, self._take_in, marks.lost)
        others = settings.gateways
        self.collector = Collector(
            self._hand_on,
            CollectorLimits(
                scenes_waiting=max(settings.scenes_waiting // others, 1),
                pending_bytes=settings.pending_bytes // others,
            ),
            redact_keys=settings.redact_keys,
            journal=journal_of(settings, start.run),
            observe=self._observed.append if settings.metrics else None,
            run=start.run,
        )
        self.collector.followers = self.followers = _Telling(self.channel)
        await self.collector.start()
        folder = settings.run_dir / f"gateway-{start.number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        limits = engine_limits(settings, start.number)
        self.engine = Engine(
            self.collector,
            Path(start.runtime),
            folder,
            self.executor,
            replace(
                limits,
                host=replace(limits.host, frozen=_part(settings.frozen_workers, others)),
                warm_price=0.0,
                first_worker=start.number * _WORKERS + 1,
            ),
            places=start.places,
        )
        self.gateway = Gateway(
            self.engine.dispatcher,
            _publish_nothing,  # type: ignore[arg-type]
            GatewayLimits(settings.body_limit_bytes, settings.async_body_limit_bytes),
            access_of(settings),
            Propagation(os.environ.get("OTEL_PROPAGATORS", "")),
        )
        self.listener = HttpListener(self.gateway, listener_limits(settings))
        self.moves = SideMoves(
            lambda: self.gateway.routes, lambda descriptor, data: self.descriptors.send("c", descriptor, data)
        )
        self.listener.moves = self.moves
        self.listener.http2 = _Http2Elsewhere()
        self.http = HttpSource(
            self.gateway,
            self.listener,
            settings.http_address,
            settings.error_details,
            doors(os.environ),  # what stands at a door is handed over: they stay shut
        )
        self.listener.serve_given()
        self.engine.start(self._call)
        settle()
        self.channel.tell("ready")
        self._tick()
        await self.over.wait()

    def _take_in(self, _kind: str, descriptor: int, data: bytes) -> None:
        data, mark = self._marks.of(data)
        self._spawn(self.listener.take_in(descriptor, data, mark))

    def _spawn(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hand_on(self, ours: socket.socket) -> _Server:
        """The collector's socket goes to the server. In another thread."""
        descriptor = os.dup(ours.fileno())
        self.loop.call_soon_threadsafe(self.descriptors.send, "r", descriptor)
        return _Server()

    # ------------------------------------------------------------ functions and their workers

    async def _apply(self, body: bytes) -> bytes:
        applied = _applied.decode(body)
        pools = self.engine.dispatcher.pools
        names = {placed.spec.name for placed in applied.placed}
        for placed in applied.placed:
            spec = placed.spec
            key = spec.name, spec.version
            others = self.settings.gateways
            limits = replace(
                placed.limits,
                max_workers=self._granted.get(key, 0),
                provisioned=0,
                waiting_workers=_part(placed.limits.waiting_workers, others),
                waiting_requests=_part(placed.limits.waiting_requests, others),
                idle_s=min(placed.limits.idle_s, _IDLE_S),
            )
            current = pools.get(spec.name)
            if current is not None and current.spec.version == spec.version:
                current.limit(limits)
            else:
                self.engine.deploy(spec, self.engine.forked(placed.key), limits)
        for name in [name for name in pools if name not in names]:
            self.engine.withdraw(name)
        await self.http.apply(applied.functions)
        self._granted = {key: count for key, count in self._granted.items() if key[0] in names}
        self._see_who_is_able()
        return b""

    def _grant(self, body: bytes) -> None:
        for grant in _grants.decode(body):
            self._granted[grant.function, grant.version] = grant.workers
            pool = self.engine.host.pools.get((grant.function, grant.version))
            if pool is not None and grant.workers and not pool.draining:
                pool.wake()  # a worker is started before a request is here
        self._keep_to_grants()
        self._see_who_is_able()

    def _keep_to_grants(self) -> None:
        for pool in self.engine.dispatcher.pools.values():
            granted = self._granted.get((pool.spec.name, pool.spec.version), 0)
            # who waits already is not left without a worker
            wanted = max(granted, 1 if pool.waiting and pool.held else 0)
            if wanted != pool.limits.max_workers or len(pool.live()) > wanted:
                pool.limit(replace(pool.limits, max_workers=wanted))
                pool.shed()
                pool.scale()

    def _see_who_is_able(self) -> None:
        self.moves.able = {name for name, pool in self.engine.dispatcher.pools.items() if self._is_able(pool)}

    def _is_able(self, pool: FunctionPool) -> bool:
        granted = self._granted.get((pool.spec.name, pool.spec.version), 0)
        return granted > 0 and not pool.init_failures and bool(pool.live())

    def _tick(self) -> None:
        self._keep_to_grants()
        self._see_who_is_able()
        self.channel.tell("load", self._load())
        if self._observed:
            self.channel.tell("observed", self._observed)
            self._observed.clear()
        self._timer = self.loop.call_later(TICK_S, self._tick)

    def _load(self) -> Load:
        pools = []
        arrived: dict[tuple[str, int], int] = {}
        for key, pool in self.engine.host.pools.items():
            arrived[key] = pool.arrived
            came = pool.arrived - self._arrived.get(key, 0)
            ready = sum(worker.state in (IDLE, BUSY) for worker in pool.live())
            if pool.held or came or pool.waiting:
                wanted = pool.busy + len(pool.waiting)
                pools.append(PoolLoad(*key, pool.held, ready, wanted, came))
        self._arrived = arrived
        collector = self.collector
        journal = collector.journal
        return Load(
            pools,
            self.engine.host.counts(),
            len(self.engine.zygotes.pids()),
            self.listener.connections,
            self.moves.next_round(),
            self.engine.dispatcher.ended,
            collector.stats.pending_bytes,
            collector.stats.dropped_items,
            journal.problem if journal is not None else "",
        )

    def _yield(self, body: bytes) -> None:
        self.moves.budget = _number.decode(body)

    def _follow(self, body: bytes) -> None:
        self.followers.on = bool(_number.decode(body))

    # ------------------------------------------------------------ calls of functions

    def _call(self, worker: Worker, attempt: Attempt | None, call: Call) -> None:
        left_s = attempt.deadline_mono - Clock().mono() if attempt is not None else worker.spec.timeout_s
        invocation_id = attempt.record.invocation_id if attempt is not None else ""
        asked = CallAsked(worker.spec.name, worker.spec.version, invocation_id, left_s, call)
        self._spawn(self._ask_call(worker, asked))

    async def _ask_call(self, worker: Worker, asked: CallAsked) -> None:
        try:
            body = await self.channel.ask("call", asked, max(asked.left_s, 0.0) + worker.spec.timeout_s)
            result = _results.decode(body)
        except ReliveError as error:  # the server's own, too: whoever has called waits for an answer
            problem = ErrorInfo(type=type(error).__name__, message=error.message)
            result = CallResult(call_id=asked.call.call_id, ok=False, error=problem)
        worker.answer(result)

    # ------------------------------------------------------------ what the server asks

    async def _find(self, body: bytes) -> bytes:
        found = find(in_flight(self.engine.host.pools.values()), _text.decode(body))
        if found is None:
            return _encode(None)
        record = found.attempt.record
        return _encode(Found(record.invocation_id, record.function, record.accepted_ns))

    async def _cancel(self, body: bytes) -> bytes:
        return _encode(self.engine.cancel(_text.decode(body)))

    async def _caller(self, body: bytes) -> bytes:
        return _encode(self.engine.caller(_text.decode(body)))

    async def _points(self, body: bytes) -> bytes:
        """Breakpoints and logpoints: the server has them, and judges their hits."""
        told = _points_of.decode(body)
        pool = self.engine.host.pools.get((told.function, told.version))
        if pool is not None:
            spec = pool.spec
            pool.points.judge = lambda hit, answer: self._spawn(self._ask_point(spec, hit, answer))
            pool.points.replace(told.points, told.for_s)
        return _encode(None)

    async def _ask_point(self, spec: FunctionSpec, hit: PointHit, answer: Callable[[bool], None]) -> None:
        try:
            asked = PointReached(spec.name, spec.version, hit)
            answer(_meant.decode(await self.channel.ask("point_hit", asked, _POINT_S)))
        except ReliveError:
            answer(False)

    async def _frozen(self, _body: bytes) -> bytes:
        return _encode(self.engine.frozen())

    async def _debug(self, body: bytes) -> bytes:
        return self._sessions().begin(_text.decode(body))

    async def _debug_next(self, body: bytes) -> bytes:
        return await self._sessions().next(body)

    def _sessions(self) -> Sessions:
        """Seldom there is one: what it needs is loaded then."""
        if self._debugging is None:
            from relive_platform.server.gateways.debugging import Sessions

            self._debugging = Sessions(self.engine, self.loop)
        return self._debugging

    async def _flush(self, body: bytes) -> bytes:
        await self.engine.told()
        return _encode(await self.collector.flush(_seconds.decode(body)))

    async def _drain(self, body: bytes) -> bytes:
        self.listener.stop_accepting()
        return _encode(await self.engine.drain(_seconds.decode(body)))

    async def _close(self, _body: bytes) -> bytes:
        if self._timer is not None:
            self._timer.cancel()
        await self.listener.close()
        await self.engine.close()
        await self.collector.close(_FLUSH_S)
        self.loop.call_later(TICK_S, self.over.set)  # the answer goes out before
        return b""


async def _publish_nothing(*_arguments: object, **_more: object) -> None:
    raise Refused("a gateway beside the server stores no events")


def _part(total: int, among: int) -> int:
    """Of a limit, what one of several processes gets: at least one, if there is any."""
    return max(total // among, 1) if total else 0


def _end() -> None:
    """The server is gone: nobody tells what to do any more. The journal has what was not handed on."""
    with contextlib.suppress(OSError):
        os._exit(1)
