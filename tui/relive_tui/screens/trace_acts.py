"""What can be done with a trace: go where it links to, write it, send it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from relive_tui.models.navigation.scope import Place
from relive_tui.models.trace.links import link_label, links_of
from relive_tui.screens.base import ReliveScreen

if TYPE_CHECKING:
    from relive_views.records import SpanLinkRow, SpanRow

    from relive_tui.models.trace.spans import Trace

__all__ = ["TraceActs"]


class TraceActs(ReliveScreen):
    """Of a screen that shows a trace."""

    trace: Trace | None

    def current_span(self) -> SpanRow | None:
        """The span under the cursor."""
        raise NotImplementedError

    def go_to(self, index: int) -> None:
        """Put the cursor on a span."""
        raise NotImplementedError

    def action_link(self) -> None:
        """Go to the span that this one links to."""
        from relive_tui.screens.dialogs.menu import Menu

        span = self.current_span()
        links = links_of(span) if span is not None else ()
        if self.trace is None or not links:
            self.notify("this span links to no other", timeout=2, markup=False)
            return
        if len(links) == 1:
            self._follow_link(links[0])
            return
        trace, here = self.trace, self.scope.trace_id
        options = [(str(at), f"⇢ {link_label(trace, link, here)}") for at, link in enumerate(links)]

        def chosen(at: str | None) -> None:
            if at is not None:
                self._follow_link(links[int(at)])

        self.app.push_screen(Menu("Links", options), chosen)

    def _follow_link(self, link: SpanLinkRow) -> None:
        assert self.trace is not None
        if link.trace_id != self.scope.trace_id:
            scope = replace(self.scope.without_invocation(), function="", trace_id=link.trace_id)
            self.relive.go(Place("trace", replace(scope, span_id=link.span_id)))
            return
        found = [at for at, span in enumerate(self.trace.spans) if span.span_id == link.span_id]
        if found:
            self.go_to(found[0])
        else:
            self.notify("that span is not stored", timeout=2, markup=False)

    def action_export(self) -> None:
        """To a collector, or into a file."""
        scope = self.scope
        options = (
            ("json", "JSON file of all spans, in the current folder"),
            ("otlp", "OTLP: send it to a collector"),
        )

        def chosen(kind: str | None) -> None:
            if kind == "otlp":
                self._ask_endpoint()
            elif kind:
                self.export(scope, kind)

        from relive_tui.screens.dialogs.menu import Menu

        self.app.push_screen(Menu("Export the trace", options), chosen)

    def _ask_endpoint(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        scope = self.scope

        def done(endpoint: str | None) -> None:
            if endpoint:
                self.export(scope, "otlp", endpoint.strip())

        hint = "http://HOST:4317 is gRPC, http://HOST:4318 is HTTP"
        self.app.push_screen(Prompt("Send to", "http://127.0.0.1:4317", hint=hint), done)
