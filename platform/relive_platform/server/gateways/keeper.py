"""All gateways beside the server: what is in service, lent workers, connections, questions to all."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from relive_base.errors import ReliveError, UsageError
from relive_base.records import InvocationRecord
from relive_base.wire.messages import CallResult, FunctionSpec

from relive_platform.engine.cancelling import Cancelled, find, in_flight
from relive_platform.engine.engine import Engine
from relive_platform.engine.failed.frozen import KNOWN, NotKept
from relive_platform.registry import FunctionVersion
from relive_platform.server.functions import Functions
from relive_platform.server.gateways.channel import Gone
from relive_platform.server.gateways.lending import Lending
from relive_platform.server.gateways.messages import (
    Applied,
    CallAsked,
    FollowedFrame,
    Found,
    Load,
    Placed,
    PointReached,
    PointsOf,
    Start,
)
from relive_platform.server.gateways.moves import ServerMoves
from relive_platform.server.gateways.side import SideGateway
from relive_platform.server.metrics import PlatformMetrics
from relive_platform.settings import Settings
from relive_platform.signals.handover.collector import Collector
from relive_platform.triggers.call.calls import Calling, Calls
from relive_platform.triggers.http.app import Gateway
from relive_platform.triggers.http.connections.limits import ListenerLimits
from relive_platform.triggers.http.connections.listener import HttpListener

__all__ = ["Gateways", "SideGateway"]

_TICK_S: Final = 0.1
_APPLY_S: Final = 10.0
_ASK_S: Final = 5.0
_ASK_SILENT_S: Final = 2.0
"""Of one that has just been silent: it may be busy only, and nobody is to wait long for one that hangs."""
_SPECS: Final = 1_000
"""Of versions that are not in service any more, and may still be running."""
_LAST: Final = "last"
_asked_call: Final = msgspec.msgpack.Decoder(CallAsked)
_followed: Final = msgspec.msgpack.Decoder(FollowedFrame)
_found: Final[msgspec.msgpack.Decoder[Found | None]] = msgspec.msgpack.Decoder(Found | None)
_cancelled: Final[msgspec.msgpack.Decoder[Cancelled | None]] = msgspec.msgpack.Decoder(Cancelled | None)
_caller: Final[msgspec.msgpack.Decoder[tuple[str, int] | None]] = msgspec.msgpack.Decoder(
    tuple[str, int] | None
)
_reached: Final = msgspec.msgpack.Decoder(PointReached)
_records: Final = msgspec.msgpack.Decoder(list[InvocationRecord])
_encode: Final = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


class Server(Protocol):
    """What is needed of the server that they are beside."""

    settings: Settings
    run_dir: Path
    runtime: Path
    engine: Engine
    functions: Functions
    collector: Collector
    gateway: Gateway
    listener: HttpListener
    listener_limits: ListenerLimits
    metrics: PlatformMetrics


class Gateways:
    """Of one server. Everything runs on the event loop. With one gateway, which is the server itself, there
    are none beside it, and nothing here does anything."""

    def __init__(self, server: Server, calls: Calls, count: int) -> None:
        self._server = server
        self._calls = calls
        self._applied: Applied | None = None
        self._specs: dict[tuple[str, int], FunctionSpec] = {}
        self._following = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.moves = ServerMoves(lambda: server.gateway.routes, self._give)
        self.sides = [
            SideGateway(
                index,
                self._start_of,
                server.run_dir / f"gateway-{index + 2}.log",
                {"call": self._call, "point_hit": self._point_hit},
                {"followed": self._take_followed, "observed": self._take_observed},
                self._taken,
                self._changed,
                server.settings.connection_limit,
            )
            for index in range(count - 1)
        ]
        self.lending = Lending(server.engine, self.moves, self.sides, server.settings.gateway_rate)

    async def start(self) -> None:
        """Start their processes: the server serves alone until they are ready."""
        if not self.sides:
            return
        self._server.listener.moves = self.moves
        for side in self.sides:
            await side.begin()
        self._tick()

    def _start_of(self, number: int, run: int) -> Start:
        return Start(
            number=number,
            run=run,
            settings=self._server.settings,
            environment=dict(os.environ),
            runtime=str(self._server.runtime),
            places=self._server.engine.places,
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _changed(self, side: SideGateway) -> None:
        """One is ready, or has ended."""
        if side.ready:
            if self._applied is not None:
                self._spawn(self._tell_new(side, self._applied))
            side.channel.tell("follow", int(self._following))
            return
        self.lending.lost(side.index)
        self._server.collector.relays.gone(side.run)

    def _tick(self) -> None:
        limits = self._server.listener_limits
        elsewhere = sum(side.load.connections for side in self.sides if side.load is not None)
        self._server.listener.limits = replace(limits, connections=max(limits.connections - elsewhere, 1))
        self._follow()
        for side in self.sides:
            side.look(_TICK_S, self._server.settings.gateway_silence_s)
        self.lending.tick()
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _follow(self) -> None:
        following = bool(self._server.collector.followers)
        if following != self._following:
            self._following = following
            for side in self.sides:
                side.channel.tell("follow", int(following))

    def follow(self) -> None:
        """Somebody has begun to follow log lines, or has stopped."""
        if self.sides:
            self._follow()

    # ------------------------------------------------------------ sockets

    def _give(self, descriptor: int, data: bytes) -> None:
        ready = [side for side in self.sides if side.load is not None and side.answers]
        if not ready:
            self._spawn(self._server.listener.take_in(descriptor, data))
            return
        min(ready, key=lambda side: side.given + (side.load.active if side.load else 0)).give(
            descriptor, data
        )

    def _taken(self, side: SideGateway, kind: str, descriptor: int, data: bytes) -> None:
        if kind == "r":
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            self._spawn(self._server.collector.relays.add(side.run, sock))
        else:
            self._spawn(self._server.listener.take_in(descriptor, data))

    # ------------------------------------------------------------ functions

    def lend(self, versions: Sequence[FunctionVersion]) -> None:
        """These are in service from now on."""
        if not self.sides:
            return
        pools, worker_of = self._server.engine.dispatcher.pools, self._server.functions.worker_of
        limits = {name: pool.limits for name, pool in pools.items()}
        lent = self.lending.apply()
        placed = []
        for version in versions:
            if version.name in lent:
                spec, key = worker_of(version)
                placed.append(Placed(spec, key, limits[version.name]))
                self._specs.pop((spec.name, spec.version), None)
                self._specs[spec.name, spec.version] = spec  # those in service are the newest, and stay
        for old in list(self._specs)[: max(len(self._specs) - len(placed) - _SPECS, 0)]:
            del self._specs[old]
        self._applied = Applied(list(versions), placed)

    async def tell(self) -> None:
        """Every process serves what is in service when this returns."""
        if self._applied is not None:
            await asyncio.gather(*(self._tell(side, self._applied) for side in self._ready))

    async def _tell_new(self, side: SideGateway, applied: Applied) -> None:
        await self._tell(side, applied)
        await asyncio.gather(*(self._ask_one(side, "points", told) for told in self._points()))

    async def _tell(self, side: SideGateway, applied: Applied) -> None:
        try:
            await side.channel.ask("apply", applied, _APPLY_S)
        except ReliveError as error:
            if side.ready:
                _log.error("gateway %d does not take what was deployed: %s", side.number, error)
                hung = isinstance(error, Gone)
                side.give_up("hung" if hung else "did not take what was deployed")  # rather than old code

    # ------------------------------------------------------------ what they say

    async def _call(self, body: bytes) -> bytes:
        """A worker of theirs calls a function."""
        asked = _asked_call.decode(body)
        answer: asyncio.Future[CallResult] = asyncio.get_running_loop().create_future()

        def answered(result: CallResult) -> None:
            if not answer.done():
                answer.set_result(result)

        spec = self._specs.get((asked.function, asked.version))
        if spec is None:
            raise Gone(f"version {asked.version} of {asked.function} is not known any more")
        self._calls.serve(Calling(spec, asked.left_s, asked.invocation_id, answered), asked.call)
        return _encode(await answer)

    def _take_followed(self, body: bytes) -> None:
        frame = _followed.decode(body)
        spec = self._specs.get((frame.function, frame.version))
        if spec is not None:
            self._server.collector.followers.offer(spec, frame.invocation_id, frame.payload)

    def _take_observed(self, body: bytes) -> None:
        """Attempts that have ended, for the metrics."""
        observe = self._server.metrics.observe
        if observe is not None:
            for record in _records.decode(body):
                observe(record)

    # ------------------------------------------------------------ how they stand

    def pids(self) -> dict[str, int]:
        """Of their processes, by the name that `relive status` gives them."""
        return {f"gateway {side.number}": side.pid for side in self.sides}

    @property
    def ended(self) -> int:
        """Invocations that they have ended."""
        return sum(side.ended + (side.load.ended if side.load is not None else 0) for side in self.sides)

    def workers(self, own: Mapping[str, int]) -> dict[str, int]:
        """All workers by state; `own`: the server's."""
        total = Counter(own)
        for side in self.sides:
            total.update(side.load.workers if side.load is not None else {})
        return dict(total)

    def total(self, figure: Callable[[Load], int]) -> int:
        """The sum of a figure of theirs."""
        return sum(figure(side.load) for side in self.sides if side.load is not None)

    def describe(self) -> dict[str, dict[str, Any]]:
        """How each stands, by its name."""
        return {
            f"gateway {side.number}": {
                "state": _state(side),
                "restarts": side.restarts,
                **_described(side.load),
            }
            for side in self.sides
        }

    # ------------------------------------------------------------ questions to all

    @property
    def _ready(self) -> list[SideGateway]:
        return [side for side in self.sides if side.ready]

    async def _ask(
        self, verb: str, body: object, timeout_s: float = _ASK_S
    ) -> list[tuple[SideGateway, bytes]]:
        """The answers of those that have one. Raises UsageError: what was asked may mean several."""

        asked = [side for side in self._ready if side.is_asked]
        answers = await asyncio.gather(*(self._ask_one(side, verb, body, timeout_s) for side in asked))
        return [answer for answer in answers if answer is not None]

    async def _ask_one(
        self, side: SideGateway, verb: str, body: object, timeout_s: float = _ASK_S
    ) -> tuple[SideGateway, bytes] | None:
        try:
            limit_s = timeout_s if side.answers else min(timeout_s, _ASK_SILENT_S)
            return side, await side.channel.ask(verb, body, limit_s)
        except Gone:
            return None

    async def cancel(self, ident: str) -> Cancelled | None:
        """As `Engine.cancel`, wherever it runs. Raises UsageError."""
        engine = self._server.engine
        if not self._ready:
            return engine.cancel(ident)
        own = find(in_flight(engine.host.pools.values()), ident)
        meant: list[tuple[SideGateway | None, Found]] = []
        if own is not None:
            record = own.attempt.record
            meant.append((None, Found(record.invocation_id, record.function, record.accepted_ns)))
        for side, body in await self._ask("find", ident):
            found = _found.decode(body)
            if found is not None:
                meant.append((side, found))
        if not meant:
            return None
        if len(meant) > 1 and ident != _LAST and all(found.function != ident for _, found in meant):
            idents = sorted(found.invocation_id for _, found in meant)
            raise UsageError(f"{ident!r} may mean {idents[0]} and {idents[1]}", hint="give more of the id")
        where, found = max(meant, key=lambda one: one[1].accepted_ns)
        if where is None:
            return engine.cancel(found.invocation_id)
        return _cancelled.decode(await where.channel.ask("cancel", found.invocation_id))

    async def caller(self, span_id: str) -> tuple[str, int] | None:
        """As `Engine.caller`, wherever it runs."""
        own = self._server.engine.caller(span_id)
        if own is not None:
            return own
        for _, body in await self._ask("caller", span_id):
            found = _caller.decode(body)
            if found is not None:
                return found
        return None

    async def depth_below(self, span_id: str) -> int:
        """As `Engine.depth_below`."""
        found = await self.caller(span_id) if span_id else None
        return found[1] + 1 if found is not None else 0

    async def tell_points(self, function: str) -> None:
        """The breakpoints and logpoints of a function are others now."""
        told = [told for told in self._points(emptied=True) if told.function == function]
        await asyncio.gather(*(self._ask("points", one) for one in told))

    def _points(self, *, emptied: bool = False) -> list[PointsOf]:
        """Of all versions that have some, or, `emptied`, may have had."""
        found = []
        for (name, version), pool in self._server.engine.host.pools.items():
            armed = pool.points.listed()
            if armed or emptied:
                for_s = max((pool.points.left_s(one) for one in armed), default=0.0)
                found.append(PointsOf(name, version, [one.point for one in armed], for_s))
        return found

    async def _point_hit(self, body: bytes) -> bytes:
        reached = _reached.decode(body)
        pool = self._server.engine.host.pools.get((reached.function, reached.version))
        return _encode(pool is not None and pool.points.hit(reached.hit))

    async def frozen(self) -> list[dict[str, Any]]:
        """The failed workers that are kept, newest first."""
        rows = self._server.engine.frozen()
        for _, body in await self._ask("frozen", None):
            rows += msgspec.msgpack.decode(body)
        return sorted(rows, key=lambda row: row["failed_ns"], reverse=True) if self.sides else rows

    async def debug(self, ident: str) -> tuple[SideGateway, bytes] | None:
        """Begin a session in a worker of a gateway; None: it is the server's to say. Raises NotKept, Refused,
        UsageError."""
        if not self._ready:
            return None
        rows = await self.frozen()
        own = {row["invocation_id"] for row in self._server.engine.frozen()}
        matching = [row["invocation_id"] for row in rows if row["invocation_id"].startswith(ident.lower())]
        if ident == _LAST and rows:
            matching = [rows[0]["invocation_id"]]
        if len(matching) > 1:
            raise UsageError(f"{ident!r} may mean {' and '.join(matching)}", hint="give more of the id")
        if not matching:
            await self._why_not(ident)
            return None
        if matching[0] in own:
            return None
        for side in self._ready:
            try:
                return side, await side.channel.ask("debug", matching[0])
            except NotKept:
                continue
        return None

    async def _why_not(self, ident: str) -> None:
        """Raises the NotKept of the process that knows more than that there is none."""
        if ident == _LAST:
            return
        for side in self._ready:
            try:
                await side.channel.ask("debug", ident)
            except NotKept as error:
                if error.message.startswith(KNOWN):
                    raise

    async def flush(self, timeout_s: float) -> bool:
        """Have what they recorded so far in the store. False if one of them has not said that it is."""
        ready = len(self._ready)
        answers = await self._ask("flush", timeout_s, timeout_s + _ASK_S)
        return len(answers) == ready and all(msgspec.msgpack.decode(body) for _, body in answers)

    # ------------------------------------------------------------ the end

    async def drain(self, timeout_s: float) -> float:
        """Let them finish what runs; gives the time that is left."""
        began = time.monotonic()
        await asyncio.gather(*(side.drain(timeout_s) for side in self.sides))
        return max(timeout_s - (time.monotonic() - began), 0.0) if self.sides else timeout_s

    async def close(self) -> None:
        """End them."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(side.close() for side in self.sides))


def _state(side: SideGateway) -> str:
    if side.load is None:
        return "starting"
    return "ok" if side.answers else f"has said nothing for {side.silent_s:.0f} s"


def _described(load: Load | None) -> dict[str, Any]:
    if load is None:
        return {}
    return {
        "connections": load.connections,
        "workers": sum(load.workers.get(state, 0) for state in ("idle", "busy", "starting")),
        "functions": ", ".join(sorted({one.function for one in load.pools if one.ready})),
        "dropped": load.dropped,
        "journal": load.journal or "ok",
    }
