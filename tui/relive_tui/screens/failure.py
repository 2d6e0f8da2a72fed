"""Failure: the line that failed, with its locals; who called it; the event; the logs around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from relive_tui.models.data import LogRow, SceneView
from relive_tui.models.failure import (
    FailureModel,
    FrameRows,
    SourceRows,
    completeness_line,
    event_lines,
    headline,
)
from relive_tui.models.feed import Feed
from relive_tui.models.logs import log_line
from relive_tui.models.text import clean
from relive_tui.models.values import ValueRows, open_what_fits
from relive_tui.reading import FailureRef
from relive_tui.screens.base import ReliveScreen
from relive_tui.tickets import Ticket
from relive_tui.titles import safe_title, short_path
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import FixedRows, VirtualRows

__all__ = ["FailureScreen"]

LOGS_AROUND_NS = 2_000_000_000


class FailureScreen(ReliveScreen):
    """One scene. The innermost frame of the user's own code is selected, with its line and its locals."""

    HINTS: ClassVar = (
        ("j/k", "frame"), ("⏎", "locals"), ("[ ]", "chain"), ("/", "search"), ("e/E", "failure"),
        ("3", "trace"), ("o", "editor"),
    )  # fmt: skip
    REFRESH_S = 3.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "chain(-1)", show=False),
        Binding("right_square_bracket", "chain(1)", show=False),
        Binding("u", "library", show=False),
        Binding("x", "export", show=False),
        Binding("n", "match(1)", show=False),
        Binding("N", "match(-1)", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="headline")
        with Container(classes="panes", id="upper"):
            yield VirtualRows(title="Frames", empty="… loading the scene", id="frames")
            with Container(classes="column", id="right"):
                yield VirtualRows(title="Source", cursor=False, wide=True, id="source")
                yield VirtualRows(title="Locals", wide=True, id="locals")
        with Container(classes="panes", id="lower"):
            yield VirtualRows(title="Event", cursor=False, wide=True, id="event")
            yield VirtualRows(title="Logs ±2s", cursor=False, empty="no log lines", wide=True, id="logs")
        yield LineBar(id="parts")

    def setup(self) -> None:
        self.scenes: Feed[SceneView] = Feed("the scene")
        self.model: FailureModel | None = None
        self.neighbours: list[FailureRef] = []
        self.search = ""
        self.opened: dict[tuple[int, int], set[tuple[int, ...]]] = {}

    def first_focus(self) -> str:
        return "#frames"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        ident, attempt = self.scope.invocation_id or "last", self.scope.attempt
        self.ask("scene", self.scenes, lambda ticket: self.data.scene(ticket, ident, attempt), self._scene)

    def tick(self) -> None:
        """A scene does not change; only one that is not here yet is asked for again."""
        if self.model is None:
            self.load()

    def failed(self, group: str, error: BaseException) -> None:
        if group == "scene" and self.model is None:
            rows = self.query_one("#frames", VirtualRows)
            rows.say_empty("No scene to show.\n\nrelive failures\nlists them")

    def _scene(self, scene: SceneView) -> None:
        scope = replace(
            self.scope,
            function=scene.function,
            invocation_id=scene.invocation_id,
            attempt=scene.attempt,
            trace_id=scene.trace_id,
            span_id="",
        )
        self.relive.rescope_screen(self, scope)
        self.model = FailureModel(scene)
        self.opened = {}
        self._show_all()
        self.update_bars()
        self._ask_logs(scene)
        if not self.neighbours:
            everything = self.scope.without_invocation()
            self.ask(
                "neighbours",
                Feed("the other failures"),
                lambda ticket: self.data.failures(ticket, everything),
                self._found_neighbours,
            )

    def _found_neighbours(self, refs: list[FailureRef]) -> None:
        self.neighbours = refs

    def _ask_logs(self, scene: SceneView) -> None:
        scope = replace(self.scope, trace_id="", span_id="")
        around = scene.captured_ns

        def work(ticket: Ticket) -> list[LogRow]:
            since, until = (around - LOGS_AROUND_NS, around + LOGS_AROUND_NS) if around else (0, 0)
            return self.data.logs(ticket, scope, since_ns=since, until_ns=until, limit=500)

        def done(rows: list[LogRow]) -> None:
            lines = [log_line(row, with_function=False) for row in rows]
            self.query_one("#logs", VirtualRows).show(FixedRows(lines))

        self.ask("logs", Feed("log lines"), work, done)

    # ------------------------------------------------------------ showing

    def _show_all(self) -> None:
        assert self.model is not None
        self._show_frames()
        scene = self.model.scene
        self.query_one("#event", VirtualRows).show(FixedRows(event_lines(scene.event)), 0)
        self.query_one("#parts", LineBar).set([(" ", ""), *completeness_line(scene)])

    def _show_frames(self) -> None:
        assert self.model is not None
        bar = self.query_one("#headline", LineBar)
        bar.set(*[[(" ", ""), *line] for line in headline(self.model)])
        rows = self.query_one("#frames", VirtualRows)
        frames = FrameRows(self.model)
        rows.say_empty("no Python frames\nwere captured")
        rows.show(frames, frames.row_of_current())
        exception = self.model.exception
        rows.border_title = f"Frames {len(exception.frames) if exception else 0}"
        self._show_frame()

    def _show_frame(self) -> None:
        assert self.model is not None
        frame = self.model.current
        source = self.query_one("#source", VirtualRows)
        rows = SourceRows(frame)
        source.show(rows)
        source.center(rows.row_of_line())
        source.border_title = f"Source {short_path(frame.file)}:{frame.line}" if frame else "Source"
        values = self.query_one("#locals", VirtualRows)
        shown = frame.locals if frame else ()
        key = (self.model.chain, self.model.frame)
        opened = self.opened.setdefault(key, open_what_fits(shown, values.page_rows))
        source.scroll_sideways(0)
        values.scroll_sideways(0)
        values.show(ValueRows(shown, opened), 0)
        values.border_title = f"Locals of {safe_title(frame.function)}" if frame else "Locals"

    # ------------------------------------------------------------ keys

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        source = moved.rows.source
        if self.model is not None and isinstance(source, FrameRows):
            self.model.frame = source.entries[moved.index].index
            self._show_frame()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        source = chosen.rows.source
        if isinstance(source, ValueRows):
            if source.toggle(chosen.index):
                chosen.rows.refit()
        elif isinstance(source, FrameRows):
            if source.entries[chosen.index].folded:
                self.action_library()
            else:
                self.query_one("#locals", VirtualRows).focus()

    def on_virtual_rows_sideways(self, side: VirtualRows.Sideways) -> None:
        source = side.rows.source
        if isinstance(source, ValueRows) and source.set_open(side.index, side.step > 0):
            side.rows.refit()

    def action_library(self) -> None:
        """Show or fold library frames."""
        if self.model is not None:
            self.model.show_library = not self.model.show_library
            self._show_frames()

    def action_chain(self, step: int) -> None:
        """Along the chain of causes."""
        if self.model is not None and self.model.move_chain(step):
            self._show_frames()
        else:
            self.app.bell()

    def slash(self) -> None:
        from relive_tui.screens.prompt import Prompt

        def done(text: str | None) -> None:
            if text:
                self.search = text.lower()
                self.action_match(1, here=True)

        hint = "part of a function, a file, a local's name or value · n next"
        self.app.push_screen(Prompt("Search frames and locals", self.search, hint=hint), done)

    def action_match(self, step: int, here: bool = False) -> None:
        """The next (or previous) frame that matches, and in it the first local that does."""
        if self.model is None or not self.search:
            return
        target = self.model.find(self.search, step, here=here)
        if target is None:
            self.notify(f"nothing matches {clean(self.search)}", timeout=2, markup=False)
            return
        self.model.frame, local = target
        self._show_frames()
        if local >= 0:
            rows = self.query_one("#locals", VirtualRows)
            if isinstance(rows.source, ValueRows):
                rows.move_to(rows.source.row_of(local))

    def action_export(self) -> None:
        """Write the scene into the current folder."""
        from relive_tui.screens.menu import Menu

        scope = self.scope
        options = (("scene", "scene: one .scene file, for relive failure FILE"),)
        self.app.push_screen(
            Menu("Export the failure", options), lambda kind: self.export(scope, kind) if kind else None
        )

    def editor_target(self) -> tuple[str, int, int, str] | None:
        frame = self.model.current if self.model is not None else None
        if self.model is None or frame is None:
            return None
        return frame.file, frame.line, self.model.scene.version, self.model.scene.function

    def go_error(self, step: int) -> None:
        idents = [ref[:2] for ref in self.neighbours]
        here = (self.scope.invocation_id, self.scope.attempt)
        position = idents.index(here) if here in idents else -1
        target = position + step
        if not 0 <= target < len(self.neighbours):
            self.notify("no further failure in this time range", timeout=2, markup=False)
            return
        ident, attempt, function = self.neighbours[target]
        scope = replace(
            self.scope, function=function, invocation_id=ident, attempt=attempt, trace_id="", span_id=""
        )
        self.relive.rescope_screen(self, scope)
        self.load()

    def yank_text(self) -> str:
        rows = self.query_one("#locals", VirtualRows)
        if rows.has_focus and isinstance(rows.source, ValueRows):
            return rows.source.text_of(rows.cursor)
        return ""
