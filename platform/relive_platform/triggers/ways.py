"""Where the events of a trigger go."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["Ways"]


@dataclass(frozen=True, slots=True)
class Ways:
    """`submit` runs an event now: the future has its outcome. `publish` puts one on the durable queue, with
    an id that makes its repetition harmless ("": none): it is safe when the awaitable is done. Both raise
    UnknownFunction and Refused. On the event loop only."""

    submit: Callable[[InvokeRequest], Future[Outcome]]
    publish: Callable[[InvokeRequest, str], Awaitable[Accepted]]
