"""The store behind a home's data: opened when it is first needed, and again after it was lost."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

from relive_tui.source.tickets import TicketStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from relive_store import Store

    from relive_tui.source.tickets import Ticket

__all__ = ["StoreLink"]


class StoreLink:
    """What the parts of a data source share. `open_store` may block and raise; it is called again after the
    store was lost."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        scenes_dir: Path,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._open_store = open_store
        self._scenes_dir = scenes_dir
        self._clock = clock
        self._store: Store | None = None
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """The clock."""
        return self._clock()

    def _use(self, ticket: Ticket) -> Store:
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return cast("Store", TicketStore(self._store, ticket, lost=self._lost))

    def _lost(self, store: Store) -> None:
        """The store does not answer: the next question opens it anew."""
        with self._lock:
            if self._store is store:
                self._store = None

    def cancel(self, ticket: Ticket) -> None:
        """Stop in the engine what runs for a ticket."""
        for store, query_id in ticket.cancel():
            try:
                store.cancel(query_id)
            except Exception:
                continue

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None
