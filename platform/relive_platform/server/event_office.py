"""The event queue behind the control API: lists, retries, discards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from relive_base.errors import UsageError

from relive_platform.api import control_pb2 as pb
from relive_platform.names import unknown_id_or_name, unknown_name
from relive_platform.registry import UnknownFunction
from relive_platform.triggers.queue.model import EventRow, UnknownEvent

if TYPE_CHECKING:
    from relive_platform.server.server import ReliveServer

__all__ = ["EventOffice"]

_TIMEOUT_S: Final = 10.0
_STEP_EVENTS: Final = 1_000  # in one commit: the queue serves others in between
_MEANT_AMONG: Final = 1_000
_DISCARDED: Final = ("dead", "ready", "done")


class EventOffice:
    """Called by gRPC's threads; waits for the queue's commits."""

    def __init__(self, server: ReliveServer) -> None:
        self._server = server

    def list(self, function: str, state: str, limit: int) -> pb.ListEventsResponse:
        """Newest first. Raises UnknownFunction, UsageError."""
        name = self._name(function)
        queue = self._server.queue
        try:
            rows = queue.list(state, name, limit).result(_TIMEOUT_S)
        except ValueError as error:
            raise UsageError(str(error), hint="leave --state out for all") from error
        dropped = queue.counts().result(_TIMEOUT_S).dead_dropped
        count = dropped.get(name, 0) if name else sum(dropped.values())
        return pb.ListEventsResponse(events=[_event(row) for row in rows], dead_dropped=count)

    def one(self, function: str, event_id: str) -> pb.EventInfo:
        """One event, also when it is done. Raises UnknownFunction, UnknownEvent."""
        row, result = self._server.queue.look(event_id, self._name(function)).result(_TIMEOUT_S)
        found = _event(row)
        found.result = result or b""
        return found

    def retry(self, request: pb.RetryEventRequest) -> pb.RetryEventResponse:
        """Dead or waiting events are due now, with all their attempts."""
        queue, name = self._server.queue, self._name(request.function)
        if request.all:
            until_ns = time.time_ns()  # what dies again meanwhile is not tried again by this
            count = _all(lambda: queue.retry_dead(name, until_ns=until_ns, count=_STEP_EVENTS))
            return pb.RetryEventResponse(count=count)
        _wants_id(request.event_id)
        with self._naming(request.event_id, name):
            event = queue.retry(request.event_id, name).result(_TIMEOUT_S)
        told = pb.EventInfo(
            event_id=event.event_id,
            function=event.function,
            state="ready",
            enqueued_ns=event.enqueued_ns,
        )
        return pb.RetryEventResponse(event=told, count=1)

    def discard(self, request: pb.DiscardEventsRequest) -> pb.DiscardEventsResponse:
        """Remove events that are dead or wait, or what is remembered of finished ones."""
        queue, name = self._server.queue, self._name(request.function)
        if not request.states:
            _wants_id(request.event_id)
            with self._naming(request.event_id, name):
                found = queue.discard(request.event_id, name).result(_TIMEOUT_S)
            return pb.DiscardEventsResponse(event_id=found, count=1)
        until_ns, count = time.time_ns(), 0
        for state in request.states:
            if state not in _DISCARDED:
                raise UsageError(
                    f"events in the state {state!r} cannot be discarded",
                    hint=f"one of {', '.join(_DISCARDED)}",
                )
            count += _all(self._discarding(state, name, until_ns))
        return pb.DiscardEventsResponse(count=count)

    def _discarding(self, state: str, function: str, until_ns: int) -> Callable[[], Future[int]]:
        queue = self._server.queue
        return lambda: queue.discard_all(state, function, until_ns=until_ns, count=_STEP_EVENTS)

    @contextmanager
    def _naming(self, text: str, function: str) -> Iterator[None]:
        """Of what is no event, say which function or event was probably meant."""
        try:
            yield
        except UnknownEvent as error:
            known = {
                row.event_id for row in self._server.queue.list("", function, _MEANT_AMONG).result(_TIMEOUT_S)
            }
            if any(ident.startswith(text) for ident in known):
                raise  # of several
            if not function:
                known |= set(self._server.functions.serving)
            raise unknown_id_or_name(error, "event", text, known, "relive events") from error

    def _name(self, function: str) -> str:
        """The function's own name for it or for its queue's; functions that are gone may have left events."""
        if not function:
            return ""
        receiver = self._server.functions.receiver(function)
        if receiver is not None:
            return receiver.name
        known: set[str] = set(self._server.queue.holders().result(_TIMEOUT_S))
        if function not in known:
            names = known | set(self._server.functions.serving)
            raise unknown_name(UnknownFunction, "function", function, names, "relive functions")
        return function


def _all(step: Callable[[], Future[int]]) -> int:
    total = 0
    while count := step().result(_TIMEOUT_S):
        total += count
    return total


def _wants_id(event_id: str) -> None:
    if not event_id:  # the empty prefix would mean any event
        raise UsageError("no event is named", hint="give its id, or --all")


def _event(row: EventRow) -> pb.EventInfo:
    return pb.EventInfo(
        event_id=row.event_id,
        function=row.function,
        state=row.state,
        attempts=row.attempts,
        next_at_ns=row.next_at_ns,
        last_error=row.last_error,
        enqueued_ns=row.enqueued_ns,
        died_ns=row.died_ns,
    )
