"""The seam at which another kind of handler is added: what an adapter is, and what it works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from relive_base.wire.messages import Invoke

if TYPE_CHECKING:
    from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["JSON_TYPE", "Adapter", "Answer", "Attempt", "Attempts"]

JSON_TYPE: Final = "application/json"


class Answer(msgspec.Struct):
    """What a Result frame takes."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = []


class Attempt:
    """One attempt. An adapter keeps what it knows of one here, or in what `decode` gives, and nothing of it
    in itself: so attempts can run beside each other."""

    __slots__ = ("invoke", "streamed_bytes")

    def __init__(self, invoke: Invoke) -> None:
        self.invoke = invoke
        self.streamed_bytes = 0  # of its answer, sent part by part


class Attempts(Protocol):
    """Those that come to a worker. The runner records each: trace, profile, time limit, scene, result."""

    def take(self) -> Invoke | None:
        """Wait for the next one; None: the worker is to leave. Raises ChannelClosed if the server is gone."""

    def run(self, invoke: Invoke) -> None:
        """Run it to its end, by `decode`, `call` and `encode` of the adapter. What these raise is a
        failure, and is not raised. Keep no `invoke` after it: its event may be large."""


class Adapter(Protocol):
    """How handlers of one kind are called, in the user's process; one per worker.

    `decode` turns what came into arguments, `call` runs the user's code, `encode` makes the answer: three
    steps, because each fails in its own way.

    `serve` decides how many attempts run at once. `OneAtATime` has one after the other on the main thread;
    time limit, sampler and telemetry of a worker rely on that. An adapter with an event loop of its own would
    take attempts as they come and run each in a task, whose context (contextvars) is then the place for
    these three.
    """

    def decode(self, attempt: Attempt) -> tuple[Any, ...]:
        """The arguments of `call`. Raises BadEvent."""

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """Run the user's code, within its time limit; a coroutine is awaited. Raises what it raises."""

    def encode(self, attempt: Attempt, value: Any) -> Answer:
        """The answer made of what `call` gave. Raises BadResult."""

    def timed_out(self, error: HandlerTimeout) -> HandlerTimeout:
        """A timeout with the frames of the user's code, if it was raised elsewhere, as in an event loop."""

    def serve(self, attempts: Attempts) -> None:
        """Run what comes until there is no more."""

    def close(self) -> None:
        """Give back what it holds; a worker ends instead."""
