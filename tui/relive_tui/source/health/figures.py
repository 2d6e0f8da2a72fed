"""Rates, errors, durations and the platform's gauges of a home, by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from relive_store import Store
    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge

    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["Figures"]

_OLDEST: Final = "SELECT toUnixTimestamp64Nano(toDateTime64(min(Minute), 9)), count() FROM invocations_1m"


class Figures(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def figures(self, ticket: Ticket, scope: Scope, points: int) -> list[FunctionHealth]:
        from relive_views.health.functions import function_health

        store = self._use(ticket)
        since_ns, until_ns = self._range(store, scope)
        return function_health(store, since_ns, until_ns, function=scope.function, points=points)

    def gauges(self, ticket: Ticket, scope: Scope, points: int) -> list[Gauge]:
        from relive_views.health.platform import platform_gauges

        store = self._use(ticket)
        return platform_gauges(store, *self._range(store, scope), points=points)

    def _range(self, store: Store, scope: Scope) -> tuple[int, int]:
        """From when to when; of all that is kept, from its first minute on."""
        now_ns = self.now_ns()
        if scope.range_ns:
            return scope.since_ns(now_ns), now_ns
        [(oldest_ns, rows)] = store.query(_OLDEST).rows()
        return (int(str(oldest_ns)) if rows else now_ns), now_ns
