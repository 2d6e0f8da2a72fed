"""Why the platform refuses an event."""

from __future__ import annotations

from relive_base.errors import NotFound, Refused

__all__ = ["Stopping", "UnknownFunction"]


class UnknownFunction(NotFound):
    """No function has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no function {name!r}", remedy="relive functions lists those that are deployed"
        )


class Stopping(Refused):
    """The server is stopping and takes no more events."""
