"""One trigger that pulls: asks its source for records, makes events of them, and acknowledges those that are
safe. It runs on the pullers' own loop, and begins anew whenever something fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from relive_base.errors import ReliveError

from relive_platform.server_urls import AddressError, hide, resolve
from relive_platform.triggers.pull.bounded import bounded
from relive_platform.triggers.pull.config import PullTrigger
from relive_platform.triggers.pull.connector import Connector, Lost, Record, SetupError
from relive_platform.triggers.pull.desk import Desk, event_id_of, request_of_batch
from relive_platform.triggers.pull.lane import Lane
from relive_platform.triggers.pull.ledger import Ledger
from relive_platform.triggers.pull.shapes import body_of, encode
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.backoff import Backoff
from relive_platform.triggers.queue.intake import Known, Taken

__all__ = ["Connect", "Puller"]

OPEN_S: Final = 60.0
FETCH_S: Final = 1.0
CLOSE_S: Final = 5.0
LAG_S: Final = 2.0
HEALTHY_S: Final = 30.0
MAX_HELD_BYTES: Final = 64 * 1024 * 1024
FETCH_BYTES: Final = 16 * 1024 * 1024
FIRST_FETCH: Final = 10
_ENVELOPE_BYTES: Final = 4_096  # of an event beside its records
_LOOK_S: Final = 0.005
_LOOK_LIMIT_S: Final = 0.25
_BLOCKED_AFTER_S: Final = 1.0
_ERROR_CHARACTERS: Final = 500
_log = logging.getLogger(__name__)

Connect = Callable[[PullTrigger, str, str], Connector]
"""A connector of a trigger, the address of its source, and the trigger's tag; nothing happens yet."""


class Puller:
    """`run` until it is cancelled. `state` tells how it is."""

    def __init__(
        self,
        function: str,
        trigger: PullTrigger,
        connect: Connect,
        desk: Desk,
        *,
        backoff: Backoff | None = None,
        lag_s: float = LAG_S,
    ) -> None:
        self.function = function
        self.trigger = trigger
        self.state = SourceState(function, trigger.kind, trigger.describe())
        self.tag = trigger.tag(function)
        self._connect = connect
        self._desk = desk
        self._backoff = backoff or Backoff(0.5, 30.0)
        self._lag_s = lag_s
        self._draw = random.SystemRandom()
        self._record_bytes = max(desk.event_bytes - _ENVELOPE_BYTES, 1)
        self._lanes: dict[str, Lane] = {}
        self._held: dict[str, Record] = {}  # by position
        self._ledger = Ledger((), 0)
        self._moved = asyncio.Event()
        self._address = ""
        self._came = False
        self._typical_bytes = 0  # of a record; 0: none came yet

    async def run(self) -> None:
        """Pull for as long as the trigger is in service."""
        tries = 0
        while True:
            began = time.monotonic()
            self._came = False
            try:
                await self._connection()
            except Exception as error:
                if self._came or time.monotonic() - began > HEALTHY_S:
                    tries = 0
                tries += 1
                pause_s = self._backoff.delay_s(tries, self._draw.random())
                self._tell(error, pause_s)
                self.state.reconnects += 1
                await asyncio.sleep(pause_s)

    def _tell(self, error: BaseException, pause_s: float) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        setup = isinstance(error, SetupError | AddressError)
        if isinstance(error, Lost):
            self.state.lost = error.message
        text = hide(_said_by(error), self._address)[:_ERROR_CHARACTERS]
        if text != self.state.error:
            _log.warning("%s of %s: %s", self.trigger.describe(), self.function, text)
        if not isinstance(error, ReliveError | OSError | TimeoutError):
            _log.debug("in %s", self.trigger.describe(), exc_info=error)
        self.state.become("failed" if setup else "waiting", text)
        self.state.details["again_in_s"] = round(pause_s, 1)

    # ------------------------------------------------------------ one connection

    async def _connection(self) -> None:
        trigger = self.trigger
        self._address = resolve(trigger.url, trigger.SCHEMES, self._desk.environment)
        if self.state.state != "connecting":
            self.state.become("connecting", self.state.error)
        try:
            connector = self._connect(trigger, self._address, self.tag)
        except ImportError as error:
            raise SetupError(
                f"the {trigger.kind} trigger needs the package {error.name}",
                hint=f"pip install 'relive[{trigger.kind}]' where the server runs",
            ) from error
        try:
            await self._served(connector)
        finally:
            for lane in self._lanes.values():
                lane.outstanding = trigger.batches  # not known: ask
            held = [record for lane in self._lanes.values() for record in lane.records]
            self._lanes, self._held = {}, {}
            self.state.held = 0
            await _let_go(connector, held)

    async def _served(self, connector: Connector) -> None:
        await bounded(connector.open(), OPEN_S)
        async with asyncio.timeout(OPEN_S):
            positions = await asyncio.wrap_future(self._desk.queue.taken(self.tag))
            await asyncio.wrap_future(self._desk.queue.know_trigger(self._known()))
        self._ledger = Ledger(positions, time.time_ns())
        self.state.details.pop("again_in_s", None)
        self.state.become("running")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(connector))
            if connector.extend_s > 0:
                group.create_task(self._extend(connector))
            await self._fetch(connector, group)

    def _known(self) -> Known:
        trigger = self.trigger
        detail = {"name": trigger.describe(), "trigger": msgspec.to_builtins(trigger)}
        return Known(self.tag, self.function, trigger.kind, json.dumps(detail))

    async def _fetch(self, connector: Connector, group: asyncio.TaskGroup) -> None:
        while True:
            self._moved.clear()
            full = self._full()
            if "" in full:  # its only lane
                await self._moved.wait()
                continue
            only = self._lanes.get("")
            count = self._affordable(only.room if only is not None else self.trigger.batch_size)
            fetching = connector.fetch(count, FETCH_S, full)
            records = await bounded(fetching, FETCH_S + connector.answer_s)
            self._came |= bool(records)
            self.state.fetched += len(records)
            repeated: list[Record] = []
            total = 0
            for record in records:
                if self._ledger.has(record):
                    repeated.append(record)
                    continue
                held = self._held.get(record.position)
                if held is not None and connector.holds(held):
                    self.state.repeated += 1  # sent again while we were slow: it is on its way already
                    continue
                self._held[record.position] = record
                size = encode(record, self.trigger.shape, self._record_bytes)
                self.state.omitted += size > self._record_bytes
                total += size
                lane = self._lanes.get(record.lane)
                if lane is None:
                    lane = self._new_lane(record.lane)
                    group.create_task(self._serve(connector, lane))
                lane.put(record)
            self._learn(total, len(records) - len(repeated))
            if repeated:
                await self._repeat(connector, repeated)
            self._count_held()

    def _affordable(self, count: int) -> int:
        """No more than fits into memory, by the size of records so far: a source may have large ones."""
        if not self._typical_bytes:
            return min(count, FIRST_FETCH)
        return max(min(count, FETCH_BYTES // self._typical_bytes), 1)

    def _learn(self, total: int, count: int) -> None:
        if count:
            self._typical_bytes = max(total // count, self._typical_bytes // 2, 1)

    def _full(self) -> frozenset[str]:
        lanes = self._lanes
        if sum(len(record.encoded) for lane in lanes.values() for record in lane.records) > MAX_HELD_BYTES:
            return frozenset(lanes)
        return frozenset(name for name, lane in lanes.items() if lane.full)

    def _new_lane(self, name: str) -> Lane:
        short = f"{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}-" if name else ""
        prefix = f"{self.trigger.kind}-{self.tag}-{short}"
        lane = self._lanes[name] = Lane(name, prefix, self.trigger.batch_size, self._record_bytes)
        lane.outstanding = self.trigger.batches  # of a process before: not known yet
        return lane

    async def _repeat(self, connector: Connector, records: Sequence[Record]) -> None:
        """These came again although they are events: their source has not heard of it."""
        self.state.repeated += len(records)
        await bounded(connector.ack(records), connector.answer_s)

    # ------------------------------------------------------------ from a lane to events

    async def _serve(self, connector: Connector, lane: Lane) -> None:
        while True:
            await lane.ready(self.trigger.batch_window_s)
            await self._room_for(lane)
            batch = lane.batch()
            held = [record for record in batch if connector.holds(record)]
            if held:
                await self._commit(connector, lane, held)
                await bounded(connector.ack(held), connector.answer_s)
                self._ledger.settled(self._ledger.finals_of(held), time.time_ns())
            lane.done(len(batch))
            for record in batch:
                if self._held.get(record.position) is record:
                    del self._held[record.position]
            self._count_held()
            self._moved.set()

    async def _room_for(self, lane: Lane) -> None:
        """Wait until the function has taken enough of the lane's events."""
        limit, pause_s, since = self.trigger.batches, _LOOK_S, time.monotonic()
        while lane.outstanding >= limit:
            queue = self._desk.queue
            lane.outstanding = await asyncio.wrap_future(queue.waiting(self.function, lane.prefix))
            if lane.outstanding < limit:
                break
            if time.monotonic() - since > _BLOCKED_AFTER_S:
                self.state.become("blocked", f"{limit} of its events wait or run, no more are taken")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LOOK_LIMIT_S)
        if self.state.state == "blocked":
            self.state.become("running")

    async def _commit(self, connector: Connector, lane: Lane, records: list[Record]) -> None:
        trigger = self.trigger
        body = body_of(records, trigger.shape, trigger.batch_size == 1, connector)
        attributes = {
            "messaging.system": trigger.kind,
            "messaging.destination.name": trigger.place,
            "messaging.batch.message_count": str(len(records)),
        }
        request = request_of_batch(self.function, trigger.kind, body, records, attributes)
        event_id = event_id_of(lane.prefix, records, body)
        positions = self._ledger.positions_of(records)
        taken = Taken(self.tag, positions, self._ledger.old(time.time_ns(), connector.keep_s))
        tries = 0
        while True:
            try:
                await self._desk.commit(request, event_id, taken)
                break
            except ReliveError as error:  # the queue is full, or the disk: it stays at the source
                tries += 1
                self.state.become("blocked", error.message)
                await asyncio.sleep(self._backoff.delay_s(tries, self._draw.random()))
        if tries:
            self.state.become("running")
        self._ledger.committed(positions)
        lane.outstanding += 1
        self.state.committed += len(records)

    # ------------------------------------------------------------ beside it

    async def _watch(self, connector: Connector) -> None:
        while True:
            lag = await bounded(connector.lag(), connector.answer_s)
            state = self.state
            state.behind, state.unit, state.warning = lag.behind, lag.unit, lag.warning
            state.details = dict(lag.details)
            await asyncio.sleep(self._lag_s)

    async def _extend(self, connector: Connector) -> None:
        while True:
            await asyncio.sleep(connector.extend_s)
            held = [record for lane in self._lanes.values() for record in lane.records]
            if held:
                await bounded(connector.extend(held), connector.answer_s)

    def _count_held(self) -> None:
        self.state.held = sum(len(lane.records) for lane in self._lanes.values())


def _said_by(error: BaseException) -> str:
    text, name = str(error).strip(), type(error).__name__
    if isinstance(error, ReliveError) or text.startswith(name):
        return text
    if isinstance(error, TimeoutError) and not text:
        return "the source did not answer in time"
    return f"{name}: {text}" if text else name


async def _let_go(connector: Connector, held: Sequence[Record]) -> None:
    try:
        if held:
            await bounded(connector.nak(held), CLOSE_S)
    except Exception as error:  # they come again by themselves, later
        _log.debug("records could not be given back: %r", error)
    try:
        await bounded(connector.close(), CLOSE_S)
    except Exception as error:
        _log.debug("a connector did not close: %r", error)
