"""Why the platform refuses an event."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from relive_base.errors import NotFound, Refused

__all__ = ["Stopping", "UnknownFunction"]


class UnknownFunction(NotFound):
    """No function has that name."""

    def __init__(self, name: str, known: Collection[str] = ()) -> None:
        """`known`: the names that there are, to say which one was probably meant."""
        close = difflib.get_close_matches(name, sorted(known), n=1)
        remedy = "`relive functions` lists those that are deployed"
        super().__init__(
            f"there is no function {name!r}", remedy=f"did you mean {close[0]}? {remedy}" if close else remedy
        )


class Stopping(Refused):
    """The server is stopping and takes no more events."""
