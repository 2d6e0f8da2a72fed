"""Queries that can be given up: a ticket knows what is running in the engine on its behalf."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from relive_store import Columns, Store

__all__ = ["Cancelled", "Ticket", "TicketStore"]


class Cancelled(Exception):
    """The screen no longer wants the answer."""


class Ticket:
    """One piece of work of a screen. `cancel` may be called from any thread and does not wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Store] = {}
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the answer is no longer wanted."""
        return self._cancelled.is_set()

    def cancel(self) -> list[tuple[Store, str]]:
        """Give up; returns the (store, query id) pairs that still run in an engine."""
        with self._lock:
            self._cancelled.set()
            return [(store, query_id) for query_id, store in self._running.items()]

    def begin(self, store: Store) -> str:
        """A new query id; raises Cancelled if the ticket is void."""
        with self._lock:
            if self.cancelled:
                raise Cancelled
            query_id = f"tui-{uuid.uuid4().hex}"
            self._running[query_id] = store
            return query_id

    def end(self, query_id: str) -> None:
        """The query is over."""
        with self._lock:
            self._running.pop(query_id, None)


def _is_lost(error: Exception) -> bool:
    from relive_store import StoreUnavailable

    return isinstance(error, StoreUnavailable)


class TicketStore:
    """A Store whose queries belong to a ticket; all else goes through as it is."""

    def __init__(self, store: Store, ticket: Ticket, lost: Callable[[Store], None] | None = None) -> None:
        self._store = store
        self._lost = lost
        self._ticket = ticket
        self.url = store.url
        self.engine = store.engine

    def query(self, sql: str, parameters: Mapping[str, object] | None = None, **options: Any) -> Columns:
        """As Store.query, cancelled with the ticket. Raises Cancelled."""
        query_id = self._ticket.begin(self._store)
        options["query_id"] = query_id
        try:
            return self._store.query(sql, parameters, **options)
        except Exception as error:
            if self._ticket.cancelled:
                raise Cancelled from error
            if self._lost is not None and _is_lost(error):
                self._lost(self._store)
            raise
        finally:
            self._ticket.end(query_id)

    def insert(self, table: str, columns: Mapping[str, Sequence[object]], **options: Any) -> int:
        """As Store.insert."""
        return self._store.insert(table, columns, **options)

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None, **options: Any) -> None:
        """As Store.execute."""
        self._store.execute(sql, parameters, **options)

    def cancel(self, query_id: str) -> bool:
        """As Store.cancel."""
        return self._store.cancel(query_id)

    def migrate(self) -> list[str]:
        """As Store.migrate."""
        return self._store.migrate()

    def close(self) -> None:
        """Nothing: the store belongs to the data source."""
