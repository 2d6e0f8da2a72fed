"""Ending what runs or waits, for `relive cancel`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from relive_base.errors import NotFound, UsageError

from relive_platform.api import control_pb2 as pb
from relive_platform.names import unknown_id_or_name
from relive_platform.triggers.queue.model import Conflict, UnknownEvent

if TYPE_CHECKING:
    from relive_platform.server.server import ReliveServer

__all__ = ["cancel"]

_READY: Final = "ready"
_LEASED: Final = "leased"
_LOOK_S: Final = 0.01
_LOOKS: Final = 500
"""At an event that has left the queue and does not run yet, or has run and is not done yet."""


async def cancel(server: ReliveServer, ident: str) -> pb.CancelResponse:
    """End the invocation that `ident` means; an event that waits in the queue is discarded. Runs on the event
    loop.

    Raises NotFound if nothing of that kind runs or waits, UsageError if it may mean several.
    """
    if not ident:
        raise UsageError("no invocation is named", hint="give its id")
    for _ in range(_LOOKS):
        found = await server.gateways.cancel(ident)
        if found is not None:
            return pb.CancelResponse(
                invocation_id=found.invocation_id, function=found.function, state=found.state
            )
        nothing = _nothing(ident, server.functions.serving)
        if ident == "last" or ident in server.functions.serving:
            raise nothing
        discarded = await _discarded(server, ident, nothing)
        if discarded is not None:
            return discarded
        await asyncio.sleep(_LOOK_S)
    raise nothing


async def _discarded(server: ReliveServer, ident: str, nothing: NotFound) -> pb.CancelResponse | None:
    """An event that waited in the queue; None: it has just left it, or is about to be done."""
    try:
        event, _ = await asyncio.wrap_future(server.queue.get(ident))
        row, _ = await asyncio.wrap_future(server.queue.look(event.event_id, event.function))
        if row.state == _LEASED:
            return None
        if row.state != _READY:
            raise nothing  # a dead one is for `relive events`
        discarded = await asyncio.wrap_future(server.queue.discard(row.event_id, row.function))
    except UnknownEvent as error:
        raise nothing from error
    except Conflict:
        return None
    return pb.CancelResponse(invocation_id=discarded, function=row.function, state="queued")


def _nothing(ident: str, names: Collection[str]) -> NotFound:
    """The error for what neither runs nor waits; of a slip in a function's name, it says so."""
    if ident in names:
        return NotFound(
            f"nothing of {ident} runs or waits", hint=f"what has ended: relive invocations {ident}"
        )
    nothing = NotFound(f"nothing that runs or waits is {ident!r}", hint="what has ended: relive invocations")
    if ident == "last":
        return nothing
    return unknown_id_or_name(nothing, "invocation that runs or waits", ident, names, "relive functions")
