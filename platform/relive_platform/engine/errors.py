"""Why the platform refuses an event."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from relive_base.errors import NotFound, Refused

__all__ = ["EventSizes", "EventTooLarge", "Stopping", "UnknownFunction"]


class UnknownFunction(NotFound):
    """No function has that name."""

    def __init__(self, name: str, known: Collection[str] = ()) -> None:
        """`known`: the names that there are, to say which one was probably meant."""
        close = difflib.get_close_matches(name, sorted(known), n=1)
        hint = "`relive functions` lists those that are deployed"
        super().__init__(
            f"there is no function {name!r}", hint=f"did you mean {close[0]}? {hint}" if close else hint
        )


class Stopping(Refused):
    """The server is stopping and takes no more events."""


class EventTooLarge(Refused):
    """An event is over the limit of its size."""


@dataclass(frozen=True, slots=True)
class EventSizes:
    """How many bytes an event may have that is not a request's: of a caller who waits, and on the queue."""

    body_bytes: int = 6_291_456
    async_body_bytes: int = 1_048_576

    def check(self, event: bytes, *, asynchronous: bool) -> None:
        """Raises EventTooLarge."""
        limit = self.async_body_bytes if asynchronous else self.body_bytes
        if len(event) > limit:
            setting = "RELIVE_ASYNC_BODY_LIMIT_BYTES" if asynchronous else "RELIVE_BODY_LIMIT_BYTES"
            raise EventTooLarge(
                f"the event has {len(event)} bytes, over {limit}",
                hint=f"send a reference to it, or raise {setting}",
            )
