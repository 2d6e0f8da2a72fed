"""Ending what runs or waits, for `relive cancel`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from relive_base.errors import NotFound, UsageError

from relive_platform.api import control_pb2 as pb
from relive_platform.engine.invocation import Running
from relive_platform.engine.pool import FunctionPool
from relive_platform.engine.workers.worker import Worker
from relive_platform.triggers.queue.model import Conflict, UnknownEvent

if TYPE_CHECKING:
    from relive_platform.server.server import ReliveServer

__all__ = ["cancel"]

_LAST: Final = "last"
_READY: Final = "ready"
Found = tuple[FunctionPool, Worker | None, Running]


async def cancel(server: ReliveServer, ident: str) -> pb.CancelResponse:
    """End the invocation that `ident` means: by its id, the beginning of it, its event's id; the newest of a
    function; or "last". An event that waits in the queue is discarded. Runs on the event loop.

    Raises NotFound where nothing of that kind runs or waits, UsageError where it may mean several.
    """
    if not ident:
        raise UsageError("which invocation is not said", remedy="give its id")
    while (found := _find(list(_all(server)), ident)) is not None:
        pool, worker, running = found
        if worker is None:
            ended, state = server.dispatcher.cancel_waiting(pool, running), "waiting"
        elif worker.current is running:
            ended, state = server.supervisor.cancel(worker, running), "running"
        else:  # sent ahead of what the worker runs now
            pool.take_back(worker)
            continue
        if not ended:
            break
        record = running.record
        return pb.CancelResponse(invocation_id=record.invocation_id, function=record.function, state=state)
    return await _discard(server, ident)


def _all(server: ReliveServer) -> Iterator[Found]:
    """All that runs or waits for a worker. What a worker has answered already has ended."""
    for pool in server.dispatcher.versions.values():
        for worker in pool.workers:
            for running in (worker.current, *worker.ahead):
                if running is not None and running.result is None:
                    yield pool, worker, running
        for running in pool.waiting:
            yield pool, None, running


def _find(known: list[Found], ident: str) -> Found | None:
    meant = [found for found in known if _means(found[2], ident)]
    if ident == _LAST or any(found[2].record.function == ident for found in meant):
        return max(meant, key=lambda found: found[2].record.accepted_ns, default=None)
    if len({found[2].record.invocation_id for found in meant}) > 1:
        first, second = meant[0][2].record.invocation_id, meant[1][2].record.invocation_id
        raise UsageError(f"{ident!r} may mean {first} and {second}", remedy="give more of the id")
    return meant[0] if meant else None


def _means(running: Running, ident: str) -> bool:
    record = running.record
    if ident == _LAST:
        return record.trigger not in ("timer", "call")
    return ident in (record.function, record.event_id) or record.invocation_id.startswith(ident.lower())


async def _discard(server: ReliveServer, ident: str) -> pb.CancelResponse:
    nothing = NotFound(
        f"nothing that runs or waits is {ident!r}", remedy="what has ended: relive invocations"
    )
    if ident == _LAST or ident in server.functions.serving:
        raise nothing
    try:
        event, _ = await asyncio.wrap_future(server.queue.get(ident))
        row, _ = await asyncio.wrap_future(server.queue.look(event.event_id, event.function))
        if row.state != _READY:
            raise nothing  # a dead one is for `relive events`
        found = await asyncio.wrap_future(server.queue.discard(row.event_id, row.function))
    except (UnknownEvent, Conflict) as error:
        raise nothing from error
    return pb.CancelResponse(invocation_id=found, function=row.function, state="queued")
