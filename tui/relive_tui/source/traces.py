"""Traces and log lines of a home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_tui.source.link import StoreLink

if TYPE_CHECKING:
    from relive_views.records import LogRow, SpanRow, Unkept

    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["Traces"]

MAX_SPANS: Final = 200_000


class Traces(StoreLink):
    """Implements that part of `relive_tui.source.reading.Source`."""

    def trace(self, ticket: Ticket, scope: Scope, limit: int = MAX_SPANS) -> tuple[str, list[SpanRow]]:
        from relive_tracer.explore import traces

        from relive_tui.source.meaning import meant_trace

        store = self._use(ticket)
        ident = scope.trace_id or scope.invocation_id
        if not ident and scope.function:
            ident = self._newest_of(ticket, scope.function)
        trace_id = ident if len(ident) == 32 and scope.trace_id else meant_trace(store, ident or "last")
        pages = traces.trace_pages(store, trace_id, min(limit, MAX_SPANS))
        return trace_id, [span for page in pages for span in page]

    def unkept(self, ticket: Ticket, trace_id: str) -> Unkept:
        from relive_tracer.explore.dropped import unkept

        return unkept(self._use(ticket), trace_id)

    def _newest_of(self, ticket: Ticket, function: str) -> str:
        from relive_tracer.explore import invocations

        rows = invocations.page(self._use(ticket), invocations.InvocationFilter(function=function), limit=1)
        return rows[0].trace_id if rows else ""

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        from relive_tracer.explore import logs

        wanted = logs.LogFilter(
            function="" if scope.trace_id else scope.function,
            invocation_id=scope.invocation_id,
            trace_id="" if scope.invocation_id else scope.trace_id,
            severity=severity,
            text=text,
            since_ns=since_ns,
            until_ns=until_ns,
        )
        return logs.page(self._use(ticket), wanted, after_ns=after_ns or None, limit=limit)
