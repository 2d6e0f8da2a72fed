"""The store of a home for what runs long: opened again when the server has gone and come back."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from relive_base.errors import ReliveError

from relive.session import Session

if TYPE_CHECKING:
    from relive_store import Store

__all__ = ["Stores"]

_SETTLE_S: Final = 2.0


class Stores:
    """One at a time; who calls it takes turns."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, *, anew: bool, settled: bool = False) -> Store:
        """`anew`: the one that was open is of no use any more. `settled`: what has happened is in it, as far
        as the server can say so in two seconds. Raises ReliveError."""
        if anew:
            before = self._session
            self._session = Session.create(before.home, before.server, before.environment)
            before.close()
        was_open = self._session.has_read
        store = self._session.store()
        if settled and was_open and self._session.reachable:
            with contextlib.suppress(ReliveError):  # a server in trouble must not hinder reading
                self._session.control().status(flush_s=_SETTLE_S)
        return store

    def names(self) -> set[str]:
        """Functions in service, and those of which something is recorded."""
        from relive.recorded.listing import function_names

        return set(function_names(self._session))

    def close(self) -> None:
        """Idempotent."""
        self._session.close()
