"""Heap: what fills the memory, and who holds it. The cursor starts on the biggest leak suspect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container

from relive_tui.models.heap.filter import HeapQueryProblem, complete_heap, parse_heap, search
from relive_tui.models.heap.growth import GrowthRows
from relive_tui.models.heap.path import NodeRows, path_lines, path_text
from relive_tui.models.heap.rows import TypeRows
from relive_tui.models.heap.tree import HeapTree
from relive_tui.models.heap.view import HeapModel, HeapView
from relive_tui.models.layout.format import clock, short_id
from relive_tui.models.layout.text import Line, clean, line_width
from relive_tui.models.lists.feed import Feed
from relive_tui.models.progress import Progress, progress_lines
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar, Spot
from relive_tui.widgets.rows import FixedRows, VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.heaps import Comparison as Growth
    from relive_views.heaps import RetainerPath
    from textual.widget import Widget

    from relive_tui.models.heap.ref import HeapRef
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.source.tickets import Ticket

__all__ = ["HeapList", "HeapScreen"]

PROGRESS_S = 0.2
MAX_OTHERS = 15


def _other_text(ref: HeapRef) -> str:
    return f"{clock(ref.captured_ns)} {short_id(ref.invocation_id)} {clean(ref.title)}"[:56]


class HeapList(VirtualRows):
    """The list of objects; sideways keys that would scroll it go through the paths instead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "screen.path(-1)", show=False),
        Binding("greater_than_sign", "screen.path(1)", show=False),
    ]


class HeapScreen(ReliveScreen):
    """One snapshot. Nothing of it is loaded before the first paint, and the analysis runs elsewhere."""

    HINTS: ClassVar = (
        ("⏎", "expand"), ("Tab", "view"), ("r", "retainers"), ("d", "dominators"), ("< >", "path"),
        ("/", "filter"), ("e", "suspect"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn(1)", show=False),
        Binding("shift+tab", "turn(-1)", show=False),
        Binding("r", "retainers", show=False),
        Binding("d", "dominators", show=False),
        Binding("B", "baseline", show=False),
        Binding("x", "export", show=False),
        Binding("less_than_sign", "path(-1)", show=False),
        Binding("greater_than_sign", "path(1)", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="summary")
        with Container(classes="panes", id="upper"):
            yield HeapList(title="Heap", id="list")
            yield VirtualRows(title="Retainer path", cursor=False, wide=True, id="path")
        yield VirtualRows(title="Value", cursor=False, wide=True, id="value")

    def setup(self) -> None:
        self.feed: Feed[HeapView] = Feed("the heap")
        self.model: HeapModel | None = None
        self.progress = Progress()
        self.number = 0
        self.shown: RetainerPath | None = None
        self.query_one("#list", HeapList).say_empty("… opening the heap", waiting=True)
        self.set_interval(PROGRESS_S, self._show_progress)

    def first_focus(self) -> str:
        return "#list"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        if self.model is None:
            scope, progress = replace(self.scope, object=0), self.progress
            self.ask("heap", self.feed, lambda ticket: self.data.heap(ticket, scope, progress), self._opened)

    def _show_progress(self) -> None:
        if self.model is None and self.feed.loading:
            lines = progress_lines(self.progress, self.data.now_ns())
            self.query_one("#list", HeapList).say_lines(lines, waiting=True)

    def _opened(self, found: HeapView) -> None:
        rows = self.query_one("#list", HeapList)
        if found.heap is None:
            self.model = None
            text = f"No heap here: {clean(found.reason)}"
            rows.say_empty(text + (f"\n\n{clean(found.next_command)}" if found.next_command else ""))
            return
        self.model = HeapModel(found)
        rows.border_subtitle = safe_title(found.reason)
        meta = found.heap.meta
        scope = self.scope
        here = (scope.invocation_id, scope.attempt or found.attempt)
        if found.invocation_id and (found.invocation_id, found.attempt) != here:
            scope = replace(
                scope,
                invocation_id=found.invocation_id,
                attempt=found.attempt,
                trace_id="",
                span_id="",
                object=0,
            )
        elif meta.invocation_id:
            scope = replace(scope, invocation_id=meta.invocation_id, function=meta.function)
        if scope != self.scope:
            self.relive.rescope_screen(self, scope)
        row = self.model.show_address(self.scope.object) if self.scope.object else -1
        if self.scope.object and row < 0:
            self.notify("the heap does not have that object", timeout=3, markup=False)
        if row < 0:
            row = self.model.show_suspect(0)
        self._show(row)
        self._ask_healthy()

    def _ask_healthy(self) -> None:
        """If a healthy invocation's heap is there, growth against it is known without a key."""
        scope = self.lens_scope()

        def done(others: list[HeapRef]) -> None:
            if others and others[0].file and self.model is not None:
                self._compare(others[0], shown=False)

        self.ask(
            "others",
            Feed("other heaps"),
            lambda ticket: self.data.heap_others(ticket, scope),
            done,
            once=True,
        )

    def tick(self) -> None:
        """A snapshot stays as it is; one that is not here is asked for again."""
        if self.model is None and not self.feed.value:
            self.load()

    # ------------------------------------------------------------ showing

    def _show(self, row: int | None = None) -> None:
        assert self.model is not None
        listed = self.query_one("#list", HeapList)
        listed.say_empty("nothing matches")
        listed.show(self.model.rows, self.model.cursors.get(self.model.view, 0) if row is None else row)
        listed.center(listed.cursor)
        listed.border_title = safe_title(self.model.title)
        self._show_bars()
        self._show_node()

    def _show_bars(self) -> None:
        assert self.model is not None
        lines: list[Line] = [[(" ", ""), *line] for line in self.model.summary()]
        spots: list[Spot] = []
        begin = line_width(lines[1][:2])
        for name, (text, _) in zip(self.model.views, lines[1][2:], strict=True):
            spots.append((begin, begin + len(text), f"view({name!r})"))
            begin += len(text)
        self.query_one("#summary", LineBar).set(*lines, spots=spots, row=1)

    def _node(self) -> int | None:
        if self.model is None:
            return None
        return self.model.rows.node_at(self.query_one("#list", HeapList).cursor)

    def _show_node(self) -> None:
        """The panes beside the list, for the row under the cursor."""
        node = self._node()
        path, value = self.query_one("#path", VirtualRows), self.query_one("#value", VirtualRows)
        self.number = 0
        if node is None or self.model is None:
            path.show(FixedRows(), 0)
            value.show(FixedRows(), 0)
            return
        value.show(NodeRows(self.model.heap, node), 0)
        value.scroll_to(y=0, animate=False, force=True)
        self._show_path(self.model.heap.path(node))

    def _show_path(self, path: RetainerPath | None) -> None:
        assert self.model is not None
        self.shown = path
        panel = self.query_one("#path", VirtualRows)
        panel.show(FixedRows(path_lines(path, self.model.heap)))
        which = f"path {self.number + 1}" if self.number else "shortest path"
        panel.border_title = f"Held by: {which} (< > others)"
        panel.scroll_to(y=0, animate=False, force=True)

    # ------------------------------------------------------------ keys

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "list" and self.model is not None:
            if self.model.extra is None:
                self.model.cursors[self.model.view] = moved.index
            self._show_node()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        if self.model is None or chosen.rows.id != "list":
            return
        rows = self.model.rows
        if isinstance(rows, TypeRows):
            self._filter(f"type:{rows.types[chosen.index][0]}")
        elif isinstance(rows, GrowthRows):
            self.action_dominators()
        elif rows.toggle(chosen.index):
            chosen.rows.refit()
            self._show_node()

    def on_virtual_rows_sideways(self, side: VirtualRows.Sideways) -> None:
        if self.model is None or not isinstance(self.model.rows, HeapTree):
            return
        if self.model.rows.set_open(side.index, side.step > 0):
            side.rows.refit()
        elif side.step < 0:
            side.rows.move_to(self.model.rows.parent_row(side.index))

    def action_turn(self, step: int) -> None:
        """The next view."""
        if self.model is not None:
            self.model.turn(step)
            self._show()

    def action_view(self, name: str) -> None:
        """The view whose name was clicked."""
        if self.model is not None:
            self.model.extra, self.model.view = None, name
            self._show()

    def action_retainers(self) -> None:
        """What refers to the object."""
        node = self._node()
        if self.model is not None and node is not None:
            self.model.show_retainers(node)
            self._show(0)

    def action_dominators(self) -> None:
        """The object in the dominator tree."""
        node = self._node()
        if self.model is None or node is None:
            return
        row = self.model.show_dominated(node)
        if row < 0:
            self.notify("nothing holds it: it was garbage", timeout=3, markup=False)
        self._show(max(row, 0))

    def action_baseline(self) -> None:
        """Choose the heap against which growth is shown."""
        scope = self.lens_scope()

        def done(others: list[HeapRef]) -> None:
            from relive_tui.screens.dialogs.menu import Menu

            if not others:
                self.notify("no other failure of this function has a heap", timeout=3, markup=False)
                return
            options = [(str(place), _other_text(ref)) for place, ref in enumerate(others[:MAX_OTHERS])]
            menu = Menu("Compare with", options)
            self.app.push_screen(menu, lambda name: self._compare(others[int(name)]) if name else None)

        if self.model is not None:
            self.ask(
                "others", Feed("other heaps"), lambda ticket: self.data.heap_others(ticket, scope), done,
                once=True,
            )  # fmt: skip

    def _compare(self, other: HeapRef, *, shown: bool = True) -> None:
        scope, model = self.lens_scope(), self.model
        assert model is not None

        def work(ticket: Ticket) -> Growth:
            return self.data.heap_growth(ticket, scope, other, Progress())

        def done(growth: Growth) -> None:
            model.show_growth(growth, _other_text(other), shown=shown)
            if shown:
                self._show(0)
            else:
                self._show_bars()

        self.ask("growth", Feed("the other heap"), work, done, once=True)

    def action_path(self, step: int) -> None:
        """The next (or previous) path to the object."""
        node, model = self._node(), self.model
        number = self.number + step
        if node is None or model is None or number < 0:
            self.app.bell()
            return

        def done(path: RetainerPath | None) -> None:
            if self._node() != node:
                return
            if path is None:
                self.notify("there is no further path", timeout=2, markup=False)
                return
            self.number = number
            self._show_path(path)

        self.ask("path", Feed("another path"), lambda ticket: model.heap.path(node, number), done, once=True)

    def go_error(self, step: int) -> None:
        if self.model is None:
            self.app.bell()  # there is no heap, as the list says, or not yet
            return
        if not self.model.found.suspects:
            self.notify("no object holds a tenth of the heap", timeout=2, markup=False)
            return
        self._show(self.model.show_suspect(self.model.suspect + step))

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        if self.model is None:
            return

        def check(line: str) -> str:
            try:
                parse_heap(line)
            except HeapQueryProblem as problem:
                return str(problem)
            return ""

        def done(line: str | None) -> None:
            if line is not None:
                self._filter(line.strip())

        hint = "type:dict size:>1MB own:>64KB part of a value · Tab completes"
        prompt = Prompt("Objects", self.model.filter, hint=hint, check=check, complete=complete_heap)
        self.app.push_screen(prompt, done)

    def _filter(self, text: str) -> None:
        """Look through all objects, in a thread."""
        model, query = self.model, parse_heap(text)
        assert model is not None

        def work(ticket: Ticket) -> list[int]:
            return (
                search(model.heap, query, lambda: not ticket.cancelled)
                if query
                else list(model.found.biggest)
            )

        def done(nodes: list[int]) -> None:
            model.show_objects(text, nodes)
            self._show(0)

        self.ask("search", Feed("the objects"), work, done, once=True)

    def leave(self) -> bool:
        if self.model is not None and self.model.close_extra():
            self._show()
            return True
        return False

    def lens_scope(self) -> Scope:
        return replace(self.scope, object=0)

    def yank_text(self) -> str:
        return path_text(self.shown) if self.model is not None else ""

    def action_export(self) -> None:
        """Write the snapshot for other tools, or the scene."""
        from relive_tui.screens.dialogs.menu import Menu

        scope = self.lens_scope()
        options = (
            ("heapsnapshot", "heapsnapshot: for Chrome DevTools and memlab"),
            ("scene", "scene: one .scene file, the heap in it"),
        )
        self.app.push_screen(
            Menu("Export the heap", options), lambda kind: self.export(scope, kind) if kind else None
        )
