"""Functions and invocations of a home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from relive_views.invocations import InvocationFilter
    from relive_views.records import FunctionStats, InvocationRow

    from relive_tui.models.lists.filtering import InvocationQuery
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["Invocations"]

_ORDER_FIELDS: Final = {
    "slowest": "duration_ns",
    "cpu": "cpu_ns",
    "memory": "peak_rss_bytes",
    "queue": "queue_ns",
}


class Invocations(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def functions(self, ticket: Ticket, scope: Scope) -> list[FunctionStats]:
        from relive_tracer.explore import functions

        return functions.stats(self._use(ticket), scope.since_ns(self.now_ns()), function=scope.function)

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        from relive_tracer.explore import invocations

        return invocations.get(self._use(ticket), ident)

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        from relive_tracer.explore import invocations

        return invocations.count(self._use(ticket), _invocation_filter(scope, query, since_ns, until_ns))

    def invocations(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, *, until_ns: int, order: str, offset: int,
        limit: int, after: InvocationRow | None,
    ) -> list[InvocationRow]:  # fmt: skip
        from relive_tracer.explore import invocations

        before = None
        if after is not None:
            key = getattr(after, _ORDER_FIELDS.get(order, "started_at"))
            before = (key, after.invocation_id, after.attempt)
        return invocations.page(
            self._use(ticket),
            _invocation_filter(scope, query, scope.since_ns(until_ns), until_ns),
            before=before,
            offset=0 if before else offset,
            limit=limit,
            order=order,
        )


def _invocation_filter(
    scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
) -> InvocationFilter:
    from relive_views.invocations import InvocationFilter

    return InvocationFilter(
        function=query.function or scope.function,
        statuses=query.statuses,
        since_ns=since_ns,
        until_ns=until_ns,
        trigger=query.trigger,
        version=query.version,
        trace_id=query.trace_id,
        min_duration_ns=query.min_duration_ns,
        text=query.text,
    )
