"""SQL: a query that reads, its result as a table, and that as a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from relive_base.errors import ReliveError
from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType

from relive_tui.models.layout.format import duration
from relive_tui.models.layout.text import Line, clean, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.sql.completing import Completer, word_before
from relive_tui.models.sql.result import ENDINGS, ResultRows, SchemaRows, row_lines
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.editor import QueryEditor
from relive_tui.widgets.rows import VirtualRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.sql import Columns, Schema
    from textual.widget import Widget
    from textual.widgets import TextArea

    from relive_tui.source.tickets import Ticket

__all__ = ["SqlScreen"]

PROBLEM_LINES = 6
TABLES = "Tables · Enter: SELECT * FROM it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a query: its result, or what is wrong with it."""

    text: str
    took_ns: int
    columns: Columns | None = None
    error: ReliveError | None = None


class SqlScreen(ReliveScreen):
    """The editor has the focus at first. A query that fails leaves the result of the one before."""

    HINTS: ClassVar = (
        ("F5", "run"), ("Tab", "complete"), ("Esc", "to the result"), ("/", "edit"), ("⏎", "whole row"),
        ("< >", "sideways"), ("x", "export"),
    )  # fmt: skip
    HELP = "F1"  # a question mark belongs to the query
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "export", show=False),
        Binding("f5,ctrl+r", "run", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        editor = QueryEditor(self.scope.sql, show_line_numbers=False, id="editor")
        editor.cursor_blink = False
        editor.border_title = "Query · read-only"
        yield editor
        yield LineBar(id="words")
        yield LineBar(id="problem")
        yield VirtualRows(title="Tables", empty="… loading the tables", wide=True, id="result")

    def setup(self) -> None:
        self.completer = Completer()
        self.result: Columns | None = None
        self._query: Feed[Outcome] | None = None
        self._show_problem([])
        self.editor.move_cursor(self.editor.document.end)

    def first_focus(self) -> str:
        return "#editor"

    @property
    def editor(self) -> QueryEditor:
        """Where the query is typed."""
        return self.query_one(QueryEditor)

    # ------------------------------------------------------------ data

    def load(self) -> None:
        if self.completer.schema is None:
            self.ask("schema", Feed("the tables"), self.data.schema, self._told_schema)
        if self.result is None and self._query is None and self.scope.sql:
            self.action_run()

    def tick(self) -> None:
        """A result stays as it is."""

    def _told_schema(self, schema: Schema) -> None:
        self.completer.schema = schema
        if self.result is None:
            rows = self.query_one("#result", VirtualRows)
            rows.show(SchemaRows(schema), 0)
            rows.border_title = TABLES
        self._show_words()

    def action_run(self) -> None:
        """Run what is typed."""
        text = self.editor.text.strip()
        if not text:
            self.notify("type a query first", timeout=2, markup=False)
            return
        self.relive.rescope_screen(self, replace(self.scope, sql=text))

        def work(ticket: Ticket) -> Outcome:
            begun = monotonic()
            columns, problem = None, None
            try:
                columns = self.data.sql(ticket, text)
            except ReliveError as error:  # said below the query; it is not tried again by itself
                problem = error
            return Outcome(text, int((monotonic() - begun) * 1e9), columns, problem)

        self._query = Feed("the result · Esc stops it")
        self.ask("sql", self._query, work, self._arrived)

    def _arrived(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._show_error(outcome.error)
            return
        assert outcome.columns is not None
        self._show_problem([])
        self.result = outcome.columns
        rows = self.query_one("#result", VirtualRows)
        rows.scroll_sideways(0)
        rows.show(ResultRows(outcome.columns), 0)
        rows.say_empty("no rows")
        rows.border_title = f"{counted(len(outcome.columns), 'row')} · {duration(outcome.took_ns)}"
        self._show_sideways()

    # ------------------------------------------------------------ showing

    def _show_error(self, error: ReliveError) -> None:
        where: list[Line] = [[(clean(error.hint), "dim")]] if error.hint else []
        message: list[Line] = [[(f"✖ {clean(error.message)}", "error")], *where]
        self._show_problem(wrap_lines(message, max(self.size.width - 4, 20)))

    def _show_problem(self, lines: list[Line]) -> None:
        bar = self.query_one("#problem", LineBar)
        shown = lines[:PROBLEM_LINES]
        bar.styles.height = len(shown)
        bar.display = bool(shown)
        bar.set(*[[("  ", ""), *line] for line in shown])

    def _show_words(self) -> None:
        """What the word before the cursor can become."""
        editor = self.editor
        words = self.completer.candidates(editor.before, editor.text) if editor.has_focus else []
        line: Line = [("  ", "")]
        for word in words[:20]:
            line += [(clean(word), "hint_key"), ("  ", "")]
        if not words:
            line = [("  F5, ctrl+r, or Enter after a ; run it · Tab completes", "dim")]
        self.query_one("#words", LineBar).set(line)

    def _show_sideways(self) -> None:
        rows = self.query_one("#result", VirtualRows)
        source = rows.source
        hidden = isinstance(source, ResultRows) and source.width > rows.scrollable_content_region.width
        rows.border_subtitle = "< > more columns · x export" if hidden else "x export"

    def on_text_area_changed(self, _changed: TextArea.Changed) -> None:
        self._show_words()

    def on_text_area_selection_changed(self, _changed: TextArea.SelectionChanged) -> None:
        self._show_words()

    # ------------------------------------------------------------ keys

    def on_query_editor_run(self) -> None:
        self.action_run()

    def on_query_editor_complete(self) -> None:
        editor = self.editor
        replaced, text = self.completer.complete(editor.before, editor.text)
        if text:
            editor.replace_before(replaced, text)
        elif not word_before(editor.before):
            self.query_one("#result", VirtualRows).focus()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        from relive_tui.screens.dialogs.reader import Reader

        source = chosen.rows.source
        if isinstance(source, SchemaRows):
            self.editor.text = source.rows_query(chosen.index)
            self.editor.move_cursor(self.editor.document.end)
            self.action_run()
        elif isinstance(source, ResultRows):
            lines = row_lines(source.columns, chosen.index)
            self.app.push_screen(
                Reader(f"Row {chosen.index + 1}", lambda width: wrap_lines(lines, width - 2))
            )

    def leave(self) -> bool:
        """Escape: stop what runs, else from the query to its result."""
        running = self._query
        if running is not None and running.loading:
            self.give_up("sql")
            running.loading = False
            self.update_bars()
            self._show_problem([[("stopped", "warn")]])
            return True
        if self.editor.has_focus:
            self.query_one("#result", VirtualRows).focus()
            self._show_words()
            return True
        return False

    def slash(self) -> None:
        self.editor.focus()

    def action_export(self) -> None:
        """Write the result into a file whose name is asked for."""
        from relive_tui.screens.dialogs.prompt import Prompt

        columns = self.result
        if columns is None:
            self.notify("there is no result yet", timeout=2, markup=False)
            return

        def check(name: str) -> str:
            if not name.strip().endswith(ENDINGS):
                return "the name ends with .csv or .json"
            return "" if _path(name) else "nobody here has this home folder"

        def done(name: str | None) -> None:
            path = _path(name or "")
            if name and path:
                self._write(columns, path)

        hint = "its ending says how: .csv or .json"
        self.app.push_screen(Prompt("Write the result to", "result.csv", hint=hint, check=check), done)

    def _write(self, columns: Columns, path: Path) -> None:
        from relive_tui.outside.exporting import write_result

        def done(told: str) -> None:
            rows = counted(len(columns), "row")
            self.notify(f"{rows}: {clean(told)}", title="Exported", timeout=6, markup=False)

        self.ask("export", Feed("the export"), lambda _ticket: write_result(columns, path), done, once=True)

    def go_error(self, step: int) -> None:
        self.notify("a result has no failures", timeout=2, markup=False)


def _path(name: str) -> Path | None:
    """As it was typed; None if the home folder that it begins with is nobody's."""
    try:
        return Path(name.strip()).expanduser()
    except RuntimeError:
        return None
