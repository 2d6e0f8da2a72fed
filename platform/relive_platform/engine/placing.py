"""Which busy worker an attempt is put into: one that runs it beside others, or behind them in a moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relive_base.wire.messages import WEBSOCKET

from relive_platform.engine.attempt import Attempt
from relive_platform.engine.pace import AHEAD_SERVICE_S
from relive_platform.engine.workers.life import BUSY
from relive_platform.engine.workers.worker import Worker

__all__ = ["crowded", "fast_worker", "service_worker"]

AHEAD_BYTES: Final = 16_384
"""A larger event is not sent ahead."""


SPREAD: Final = 8
"""A worker of a service that runs so many requests leaves further ones to an idle one."""
_CROWDED: Final = 0.75


def service_worker(workers: Iterable[Worker], attempt: Attempt, *, idle: bool) -> Worker | None:
    """The busy one with the most room for an attempt beside those that it runs; None if an idle one is to
    have it, or there is no room. One whose event loop does not turn gets it if there is no other."""
    found = lagging = None
    room = 0
    for worker in workers:
        free = worker.room_for(attempt)
        if (
            worker.state != BUSY
            or free <= 0
            or worker.retiring
            or worker.condemned
            or attempt.record.invocation_id in worker.attempts
        ):
            continue
        if worker.lags:
            lagging = worker
        elif free > room:
            found, room = worker, free
    if found is None:
        return lagging if not idle else None
    used = found.sockets if attempt.request.wire == WEBSOCKET else found.begun - found.sockets
    return None if idle and used >= SPREAD else found


def crowded(worker: Worker) -> bool:
    """Whether a worker of a service has little room left, or does not take what it is given."""
    if worker.socket_capacity and worker.sockets >= _CROWDED * worker.socket_capacity:
        return True
    return worker.lags or worker.begun - worker.sockets >= _CROWDED * worker.capacity


def fast_worker(workers: Iterable[Worker], attempt: Attempt, ahead_limit: float) -> Worker | None:
    """One that will begin this event in a moment, so that no idle one has to be woken; `ahead_limit` as of
    the function's `Pace`."""
    request = attempt.request
    if request.trigger == "call" or len(request.event) > AHEAD_BYTES:
        return None  # who calls may be whom it would wait for
    if request.http is not None and len(request.http.body) > AHEAD_BYTES:
        return None
    since = attempt.accepted_mono - AHEAD_SERVICE_S
    for worker in workers:
        if (
            worker.begun
            and worker.began_mono > since
            and len(worker.attempts) - worker.begun < ahead_limit
            and not worker.retiring
            and not worker.condemned
            and attempt.record.invocation_id not in worker.attempts
        ):
            return worker
    return None
