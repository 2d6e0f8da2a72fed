"""What may stand at a route before its function: it checks a request and makes events of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.http.responses import Response
from relive_platform.triggers.pull.state import SourceState

__all__ = ["Delivery", "Door", "DoorRefusal", "MakeDoor", "Passage"]


class DoorRefusal(Exception):
    """A door lets a request not pass: the status and the error that its client gets."""

    def __init__(self, status: int, name: str, message: str, more: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.more = more  # header lines, each with its end


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event. `key` makes its repetition harmless ("": nothing does). `identity`: what two with one key
    have in common, if it is not every byte."""

    request: InvokeRequest
    key: str = ""
    identity: bytes = b""


@dataclass(frozen=True, slots=True)
class Passage:
    """What becomes of a request: a response at once, or events; `several`: the client sent a batch."""

    deliveries: Sequence[Delivery] = ()
    response: Response | None = None
    several: bool = False


class Door(Protocol):
    """One route's. On the event loop."""

    @property
    def synchronous(self) -> bool:
        """Whether the client gets the function's own answer; else 202 once the events are stored."""

    async def open(self, request: InvokeRequest) -> Passage:
        """`request.http` is what came. Raises DoorRefusal."""

    def describe(self) -> SourceState:
        """How it stands."""

    def done(self, delivery: Delivery, ok: bool) -> None:
        """The end of a synchronous delivery."""


MakeDoor = Callable[[Any, str], Door]
"""A door for a trigger's configuration and its function's name."""
