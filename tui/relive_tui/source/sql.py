"""Queries on a home's store that somebody types. They only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from relive_store import Columns
    from relive_views.sql import Schema

    from relive_tui.source.tickets import Ticket

__all__ = ["Sql"]


class Sql(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def sql(self, ticket: Ticket, text: str) -> Columns:
        from relive_views.sql import run

        return run(self._use(ticket), text)

    def schema(self, ticket: Ticket) -> Schema:
        from relive_views.sql import schema

        return schema(self._use(ticket))
