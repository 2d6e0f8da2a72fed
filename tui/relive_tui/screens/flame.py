"""Flame: where the time went, as a flame graph and as a list of hot lines with their source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.errors import NotFound
from relive_views.profiles.trees import FlameTree, HotRow
from textual.binding import Binding, BindingType
from textual.containers import Container

from relive_tui.models.layout.text import Line, clean, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.profile.diff_flame import Compared, DiffHotRows, DiffModel, diff_model
from relive_tui.models.profile.flame import FlameModel, HotRows, flame_summary
from relive_tui.models.profile.hot_source import HotSourceRows
from relive_tui.models.profile.sandwich import sandwich
from relive_tui.models.widening import Widening
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.flame import FlameGraph
from relive_tui.widgets.rows import VirtualRows
from relive_tui.widgets.titles import safe_title, short_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["FlameScreen"]

EMPTY = "No samples here.\n\nt: another range · a function that waits or ends within 1 ms leaves none"


class FlameScreen(ReliveScreen):
    """The hottest line is selected, its source shown. One invocation or all of them; wall or CPU time."""

    HINTS: ClassVar = (
        ("⏎", "zoom"), ("v", "one/all"), ("d", "diff"), ("s", "sandwich"), ("w", "wall/cpu"), ("/", "search"),
        ("x", "export"),
    )  # fmt: skip
    REFRESH_S = 5.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "mode", show=False),
        Binding("i", "imports", show=False),
        Binding("w", "weight", show=False),
        Binding("d", "diff", show=False),
        Binding("s", "sandwich", show=False),
        Binding("backspace", "unzoom", show=False),
        Binding("n", "match(1)", show=False),
        Binding("N", "match(-1)", show=False),
        Binding("S", "speedscope", show=False),
        Binding("x", "export", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="summary")
        yield FlameGraph(title="Flame", empty="… loading the profile", cursor=False, id="flame")
        with Container(classes="panes", id="lower"):
            yield VirtualRows(HotRows(), title="Hot lines by self time", id="hot")
            yield VirtualRows(title="Source", cursor=False, wide=True, id="source")

    def setup(self) -> None:
        one = "span" if self.scope.span_id else "one"
        self.mode = one if self.scope.invocation_id else "aggregate"
        self.imports = False
        self.weight = "wall"
        self.comparison = ""  # what is compared; "" if nothing is
        self.compared: Compared | None = None
        self._shown = ""  # the comparison that is on the screen
        self.whole: FlameModel | None = None  # what a sandwich is made of
        self.profile: Feed[tuple[FlameModel, list[HotRow]]] = Feed("the profile")
        self.wider: Widening[tuple[FlameModel, list[HotRow]]] = Widening()
        self.model = FlameModel(FlameTree())
        self._source_of = ""

    @property
    def follows(self) -> bool:
        """One invocation's profile stays as it is; the aggregate is renewed unless somebody looks into it."""
        touched = self.query_one("#flame").has_focus or self.query_one("#hot", VirtualRows).cursor > 0
        if self.comparison or self.whole is not None:
            return False
        return self.mode == "aggregate" and not (touched or self.model.zoomed or self.model.search)

    def first_focus(self) -> str:
        return "#hot"

    # ------------------------------------------------------------ data

    def _profile_scope(self) -> Scope:
        scope = self.scope if self.mode != "aggregate" else self.shown_scope.without_invocation()
        return replace(scope, span_id=scope.span_id if self.mode == "span" else "", imports=self.imports)

    @property
    def shown_scope(self) -> Scope:
        """The scope, with the range of what is shown."""
        wider = self.wider.range_ns
        return self.scope if wider is None else replace(self.scope, range_ns=wider)

    def lens_scope(self) -> Scope:
        return self.shown_scope

    def load(self) -> None:
        if self.comparison:
            self._load_comparison()
        else:
            self._load_profile()

    def _load_comparison(self) -> None:
        what, weight, former = self.comparison, self.weight, self._shown
        scope = replace(self.shown_scope, function=self._function())

        def work(ticket: Ticket) -> tuple[Compared, DiffModel] | NotFound:
            try:
                found = self.data.compared(ticket, scope, what, weight)
            except NotFound as missing:
                return missing
            return found, diff_model(found.tree, weight)

        def done(answer: tuple[Compared, DiffModel] | NotFound) -> None:
            if isinstance(answer, NotFound):  # nothing to compare: what was shown stays, and is called so
                self.comparison = former
                self.notify(clean(answer.message), title="No comparison", timeout=6, markup=False)
                return
            self._shown = what
            self.compared, model = answer
            self._show_model(model, DiffHotRows(self.compared.rows, scope.function))

        feed: Feed[tuple[Compared, DiffModel] | NotFound] = Feed("the comparison")
        self.ask("profile", feed, work, done)

    def _function(self) -> str:
        """Of the scope, or that of the hottest line."""
        hot = self.query_one("#hot", VirtualRows).source
        if self.scope.function or not isinstance(hot, HotRows) or not len(hot):
            return self.scope.function
        return hot.lines[0].function

    def _load_profile(self) -> None:
        """In the range of the scope, or in a wider one if nobody has chosen it and no profile is in it."""
        wanted = replace(self._profile_scope(), range_ns=self.scope.range_ns)
        weight, now_ns = self.weight, self.data.now_ns()
        fixed = self.mode != "aggregate" or self.relive.range_chosen or bool(self.data.file)
        wider = self.wider

        def work(ticket: Ticket) -> tuple[FlameModel, list[HotRow]]:
            def ask(range_ns: int) -> tuple[FlameModel, list[HotRow]]:
                scope = replace(wanted, range_ns=range_ns)
                flame = self.data.flame(ticket, scope, weight)
                # an invocation too short for samples: all of its function say where the time goes
                whole = (
                    replace(scope.without_invocation(), imports=scope.imports) if flame.aggregate else scope
                )
                return FlameModel(flame), self.data.hot(ticket, whole, weight)

            return wider.find(wanted.range_ns, now_ns, ask, lambda found: fixed or bool(found[1]))

        self.ask("profile", self.profile, work, self._arrived)

    def tick(self) -> None:
        """The aggregate is renewed."""
        if self.follows:
            self.load()

    def _arrived(self, answer: tuple[FlameModel, list[HotRow]]) -> None:
        self._show_model(answer[0], HotRows(answer[1]))

    def _show_model(self, model: FlameModel, hot: HotRows) -> None:
        """A flame graph, and the lines below it."""
        model.search = self.model.search
        self.model, self.whole = model, None
        self._select_hottest(hot.lines)
        self._draw()
        graph = self.query_one("#flame", FlameGraph)
        if len(hot):
            graph.say_empty(EMPTY)
        else:
            self.say_nothing(graph, EMPTY)
        rows = self.query_one("#hot", VirtualRows)
        rows.say_empty("no hot lines")
        rows.show(hot)
        self._show_titles()
        self._show_source()

    def _draw(self) -> None:
        graph, model = self.query_one("#flame", FlameGraph), self.model
        above = model.flame.depth[model.base] if model.base > 0 else 0
        graph.styles.height = min(max(len(model.levels) - above + 2, 6), max(self.size.height // 2, 6))
        graph.show_flame(model)

    def _select_hottest(self, hot: Sequence[HotRow]) -> None:
        flame = self.model.flame
        if not hot or not len(flame):
            return
        top = hot[0]
        same = [i for i in range(len(flame)) if flame.name[i] == top.name and flame.file[i] == top.file]
        if same:
            self.model.selected = max(same, key=lambda index: flame.self_value[index])

    # ------------------------------------------------------------ showing

    def _show_titles(self) -> None:
        graph, hot = self.query_one("#flame", FlameGraph), self.query_one("#hot", VirtualRows)
        name = safe_title(self._function() or "all functions")
        lines: list[Line] = [[(" ", ""), *flame_summary(self.model)]]
        if self.comparison and self.compared is not None:
            found = self.compared
            sides = f"{safe_title(found.before)} → {safe_title(found.after)}"
            graph.border_title = f"Difference · {name} · {sides} · {self.weight} time"
            graph.border_subtitle = " · ".join(filter(None, ("+ slower - faster", safe_title(found.note))))
            hot.border_title = f"Lines by changed self {self.weight} time"
            hot.border_subtitle = "per invocation"
            if found.sentence:
                text = wrap_lines([[(clean(found.sentence), "warn")]], max(self.size.width - 4, 20))
                lines += [[(" ! " if not at else "   ", "warn"), *line] for at, line in enumerate(text[:2])]
        else:
            told = self.wider.told(self.scope.range_ns, "none")
            title = f"{self._what()} · {name} · {self.weight} time"
            graph.border_title = f"{title} · {told}" if told else title
            graph.border_subtitle = safe_title(self.model.flame.note)
            hot.border_title = f"{'Modules' if self.imports else 'Hot lines'} by self {self.weight} time"
            waits = self.weight == "wall" and not self.imports
            hot.border_subtitle = "waits: at your line that called" if waits else ""
        bar = self.query_one("#summary", LineBar)
        bar.styles.height = len(lines)
        bar.set(*lines)

    def _what(self) -> str:
        what = "this span" if self.mode == "span" else "this invocation"
        if self.model.flame.aggregate:
            what = "all cold starts" if self.imports else "all invocations"
        if self.whole is not None:
            return f"Sandwich (callers above, callees below) · {what}"
        return f"{'Imports' if self.imports else 'Flame'} · {what}"

    def _show_source(self) -> None:
        rows = self.query_one("#hot", VirtualRows)
        hot = rows.source
        if not isinstance(hot, HotRows) or not len(hot):
            return
        line = hot.lines[min(rows.cursor, len(hot) - 1)]
        panel = self.query_one("#source", VirtualRows)
        panel.border_title = f"Source {short_path(line.file)}:{line.line}"
        scope = replace(self.scope, function=line.function or self.scope.function)

        def done(source: Sequence[str]) -> None:
            shown = HotSourceRows(source, line, hot.lines)
            panel.show(shown)
            panel.center(shown.row_of_line())

        self.ask(
            "source", Feed("source"), lambda ticket: self.data.source_lines(ticket, scope, line.file), done
        )

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "hot":
            self._show_source()

    def on_flame_graph_selected(self) -> None:
        self._show_titles()

    # ------------------------------------------------------------ keys

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        source = chosen.rows.source
        if isinstance(source, HotRows):
            if self.whole is not None:
                self._leave_sandwich()
            self._select_hottest([source.lines[chosen.index]])
            graph = self.query_one("#flame", FlameGraph)
            graph.select(self.model.selected)
            graph.focus()

    def action_mode(self) -> None:
        """The span that one comes from, its invocation, all of the function; from a comparison back."""
        if self.comparison:
            self._leave_comparison()
            return
        if self.mode == "aggregate" and not self.scope.invocation_id:
            self.notify("open an invocation first (2), then 4", timeout=3, markup=False)
            return
        first = "span" if self.scope.span_id else "one"
        self.mode = {"span": "one", "one": "aggregate"}.get(self.mode, first)
        self.load()

    def action_imports(self) -> None:
        """What cold starts import, or what handlers do."""
        self.imports = not self.imports
        self.load()

    def action_diff(self) -> None:
        """Choose what to compare."""
        from relive_tui.screens.dialogs.menu import Menu

        usual = ("usual", "this invocation against the function's usual self")
        options = (
            *((usual,) if self.scope.invocation_id else ()),
            ("slow", "the slowest 5 % against the others"),
            ("failed", "those that failed against those that went well"),
            ("versions", "two versions"),
        )
        if not self._function():
            self.notify("open a function first (2), then 4", timeout=3, markup=False)
            return

        def chosen(what: str | None) -> None:
            if what == "versions":
                self._ask_versions()
            elif what:
                self._compare(what)

        self.app.push_screen(Menu("Compare", options), chosen)

    def _ask_versions(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def check(text: str) -> str:
            parts = [part.strip() for part in text.split(",")]
            right = len(parts) == 2 and all(part.isdecimal() and int(part) > 0 for part in parts)
            return "" if right else "two versions, as in 3,4"

        hint = "the earlier one, then the later one"
        self.app.push_screen(
            Prompt("Versions", "", hint=hint, check=check), lambda text: self._compare(text) if text else None
        )

    def _compare(self, what: str) -> None:
        self.comparison = what
        self.load()

    def _leave_comparison(self) -> None:
        self.comparison, self.compared, self._shown = "", None, ""
        self.give_up("profile")
        self.load()

    def action_sandwich(self) -> None:
        """The selected function, wherever it was called: who calls it, and what it calls."""
        whole, selected = self.whole or self.model, self.model.selected
        if self.comparison or selected < 0:
            self.notify("a comparison has no sandwich; v goes back", timeout=3, markup=False)
            return
        name, file = self.model.flame.name[selected], self.model.flame.file[selected]
        places = [
            at
            for at in range(len(whole.flame))
            if whole.flame.name[at] == name and whole.flame.file[at] == file
        ]
        if not places:
            return
        self.whole = whole
        self.model = sandwich(whole.flame, places[0])
        self._draw()
        self.query_one("#flame", FlameGraph).focus()
        self._show_titles()

    def _leave_sandwich(self) -> None:
        assert self.whole is not None
        self.model, self.whole = self.whole, None
        self._draw()
        self._show_titles()

    def action_weight(self) -> None:
        """Wall time or CPU time."""
        self.weight = "cpu" if self.weight == "wall" else "wall"
        self.load()

    def action_unzoom(self) -> None:
        """One step out; at last to the root."""
        if not self.leave() and self.model.unzoom():
            graph = self.query_one("#flame", FlameGraph)
            graph.scroll_to(y=0, animate=False, force=True)
            graph.refresh()
            self._show_titles()

    def leave(self) -> bool:
        if self.model.zoomed and self.model.unzoom():
            self.query_one("#flame", FlameGraph).refresh()
            self._show_titles()
            return True
        if self.model.search:
            self.model.search = ""
            self.query_one("#flame", FlameGraph).refresh()
            self._show_titles()
            return True
        if self.whole is not None:
            self._leave_sandwich()
            return True
        if self.comparison:
            self._leave_comparison()
            return True
        return False

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def done(text: str | None) -> None:
            if text is not None:
                self.model.search = text.lower()
                self.action_match(1)

        self.app.push_screen(
            Prompt("Search functions", self.model.search, hint="part of a name · n next"), done
        )

    def action_match(self, step: int) -> None:
        """The next (or previous) frame that matches."""
        found = self.model.found()
        if found:
            here = found.index(self.model.selected) if self.model.selected in found else -1 if step > 0 else 0
            self.query_one("#flame", FlameGraph).select(found[(here + step) % len(found)])
        self.query_one("#flame", FlameGraph).refresh()
        self._show_titles()

    def action_speedscope(self) -> None:
        """Write the profile as a speedscope document into the current folder."""
        self.export(self._profile_scope(), "speedscope")

    def action_export(self) -> None:
        """Choose what to write."""
        from relive_tui.screens.dialogs.menu import Menu

        scope = self._profile_scope()
        options = (
            ("speedscope", "speedscope: a JSON file in the current folder"),
            ("html", "HTML: an interactive page in the current folder"),
            ("pprof", "pprof: for go tool pprof and others"),
            ("collapsed", "collapsed stacks: for flamegraph.pl and others"),
            ("otlp_profile", "OTLP profile: a message as collectors take it"),
        )
        if self.comparison:
            self.notify("relive diff --json writes a comparison; v goes back", timeout=4, markup=False)
            return
        self.app.push_screen(
            Menu("Export the profile", options), lambda kind: self.export(scope, kind) if kind else None
        )

    def editor_target(self) -> tuple[str, int, int, str] | None:
        rows = self.query_one("#hot", VirtualRows)
        if not isinstance(rows.source, HotRows) or not len(rows.source):
            return None
        line = rows.source.lines[min(rows.cursor, len(rows.source) - 1)]
        return line.file, line.line, 0, line.function

    def go_error(self, step: int) -> None:
        self.notify("a flame graph has no failures; Esc, then e", timeout=2, markup=False)
