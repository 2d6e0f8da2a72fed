"""Failure: the line that failed, with its locals; who called it; the event; the logs around it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.values import ValueNode
from relive_views.scenes.relevance import names_in
from textual.binding import Binding, BindingType
from textual.containers import Container

from relive_tui.models.failure.acts import ActsState, acts_line
from relive_tui.models.failure.code import SourceRows
from relive_tui.models.failure.completeness import completeness_line
from relive_tui.models.failure.event import difference_lines, event_lines
from relive_tui.models.failure.frames import MAX_STRIP, FrameRows
from relive_tui.models.failure.page import FailureModel, headline, history_line
from relive_tui.models.failure.stacks import StackRows
from relive_tui.models.failure.values import ValueRows, open_what_fits
from relive_tui.models.layout.text import Line, clean
from relive_tui.models.lists.feed import Feed
from relive_tui.models.lists.logs import LogPanelRows, call_row, logs_around
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.models.progress import Progress
from relive_tui.screens.failure_acts import FailureActs
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import FixedRows, VirtualRows
from relive_tui.widgets.titles import safe_title, short_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.failures import GroupView
    from relive_views.heaps import Heap
    from relive_views.records import LogRow
    from relive_views.scenes.model import FrameView, SceneView
    from textual.widget import Widget

    from relive_tui.models.heap.view import HeapView
    from relive_tui.source.reading import FailureRef
    from relive_tui.source.tickets import Ticket

__all__ = ["FailureScreen"]

LOGS_AROUND_NS = 2_000_000_000
STRIP_LEAVES = 22
"""Rows that a strip of frames leaves to everything else."""
STACK_ROWS = 8
"""Rows of the tree of stacks at most; it scrolls."""


class FailureScreen(FailureActs):
    """One scene. The innermost frame of the user's own code is selected, with its line and its locals."""

    HINTS: ClassVar = (
        ("j/k", "frame"), ("⏎", "locals"), ("[ ]", "chain"), ("D", "event diff"), ("e/E", "failure"),
        ("3", "trace"), ("o", "editor"),
    )  # fmt: skip
    REFRESH_S = 3.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "stack(-1)", show=False),
        Binding("right_square_bracket", "stack(1)", show=False),
        Binding("u", "library", show=False),
        Binding("D", "difference", show=False),
        Binding("5", "heap", show=False),
        Binding("T", "app.lens('3')", show=False),
        Binding("f", "app.lens('4')", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="headline")
        yield LineBar(id="history")
        yield LineBar(id="acts")
        with Container(classes="panes", id="upper"):
            with Container(classes="column", id="left"):
                yield VirtualRows(title="Exceptions", id="stacks")
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
        self.group: GroupView | None = None
        self.acts = ActsState()
        self.neighbours: list[FailureRef] = []
        stack = self.relive.navigator.stack
        self.listed = stack[-2].scope.without_invocation() if len(stack) > 1 else Scope()
        self.search = ""
        self.differing = False
        self.heap: Heap | None = None
        self.leak: Line = []
        self.opened: dict[tuple[int, int], set[tuple[int, ...]]] = {}

    def first_focus(self) -> str:
        return "#frames"

    # ------------------------------------------------------------ data

    def load(self) -> None:
        ident, attempt = self.scope.invocation_id or "last", self.scope.attempt
        self.ask("scene", self.scenes, lambda ticket: self.data.scene(ticket, ident, attempt), self._scene)

    def tick(self) -> None:
        """A scene stays as it is, what is known of its like does not; a missing one is asked for again."""
        if self.model is None:
            self.load()
        else:
            self.ask_history(self.model.scene)

    def failed(self, group: str, error: BaseException) -> None:
        if group == "scene" and self.model is None:
            rows = self.query_one("#frames", VirtualRows)
            self.say_nothing(rows, "No scene to show.\n\nrelive failures\nlists them")

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
        self.group = self.heap = None
        self.acts = ActsState()
        self.leak = []
        self.differing = scene.difference is not None
        self._show_all()
        self.update_bars()
        self._ask_logs(scene)
        self.ask_history(scene)
        self._ask_heap(scene)
        if not self.neighbours:
            everything = replace(self.listed, range_ns=self.scope.range_ns)
            self.ask(
                "neighbours",
                Feed("the other failures"),
                lambda ticket: self.data.failures(ticket, everything),
                self._found_neighbours,
            )

    def _found_neighbours(self, refs: list[FailureRef]) -> None:
        self.neighbours = refs

    def _ask_logs(self, scene: SceneView) -> None:
        """What the scene has is shown at once; the store may have lines that came after it."""
        self._show_logs(scene, [])
        scope = replace(self.scope, trace_id="", span_id="")
        at = scene.captured_ns

        def work(ticket: Ticket) -> list[LogRow]:
            until = at + LOGS_AROUND_NS if at else 0
            return self.data.logs(ticket, scope, since_ns=0, until_ns=until, limit=500)

        self.ask("logs", Feed("log lines"), work, lambda rows: self._show_logs(scene, rows))

    def ask_history(self, scene: SceneView) -> None:
        def work(ticket: Ticket) -> tuple[GroupView | None, ActsState]:
            group = self.data.history(ticket, scene.function, scene.fingerprint)
            replay = self.data.replay(ticket, scene.invocation_id, scene.attempt)
            state = group.state if group is not None else ""
            return group, ActsState(replay, self.data.kept(scene.invocation_id), True, state)

        def done(found: tuple[GroupView | None, ActsState]) -> None:
            self.group, self.acts = found
            self._show_history()

        self.ask("history", Feed("the failure's history"), work, done)

    def _ask_heap(self, scene: SceneView) -> None:
        """What the locals hold alive; if the scene has a heap, that may take seconds."""
        self.give_up("heap")
        if not scene.has_heap:
            return

        def done(found: HeapView) -> None:
            self.heap = found.heap
            if scene.kind == "memory" and found.heap is not None and found.suspects:
                from relive_tui.models.heap.path import suspect_line

                self.leak = suspect_line(found.heap, 0, found.suspects)
                self._show_headline()
            rows = self.query_one("#locals", VirtualRows)
            if isinstance(rows.source, ValueRows):
                rows.source.sizes = self._sizes(rows.source.values)
                rows.refresh()

        scope = self.scope
        self.ask(
            "heap",
            Feed("the heap"),
            lambda ticket: self.data.heap(ticket, scope, Progress()),
            done,
            once=True,
        )

    def _sizes(self, values: Iterable[tuple[str, ValueNode]]) -> dict[int, int]:
        """Address -> bytes held, of all captured values that are in the heap."""
        sizes: dict[int, int] = {}
        waiting = [value for _, value in values]
        while waiting and self.heap is not None:
            value = waiting.pop()
            waiting += [child for _, child in value.children]
            node = self.heap.find(value.id) if value.id else None
            if node is not None:
                sizes[value.id] = self.heap.retained(node)
        return sizes

    # ------------------------------------------------------------ showing

    def _show_all(self) -> None:
        assert self.model is not None
        scene = self.model.scene
        stacks = self.query_one("#stacks", VirtualRows)
        stacks.display = self.model.stacks > 1
        # without any frame the event and the logs are all there is to read
        self.set_class(not self.model.frames and self.model.stacks < 2, "bare")
        stacks.border_title = "Exceptions and threads" if scene.stacks else "Exceptions"
        self._show_stack()
        self._show_event()
        self._show_history()
        self.query_one("#parts", LineBar).set(
            [(" ", ""), *completeness_line(scene)], right=[("i why ", "dim")]
        )

    def _show_stack(self) -> None:
        assert self.model is not None
        self.query_one("#stacks", VirtualRows).show(StackRows(self.model.scene), self.model.stack)
        self._show_headline()
        self.show_frames()

    def _show_headline(self) -> None:
        """What happened; of a process that used too much memory also what filled it."""
        assert self.model is not None
        bar = self.query_one("#headline", LineBar)
        lines = headline(self.model) + ([self.leak] if self.leak else [])
        bar.styles.height = len(lines)
        bar.set(*[[(" ", ""), *line] for line in lines])

    def _show_history(self) -> None:
        if self.model is not None:
            bar, width = self.query_one("#history", LineBar), self.size.width - 2
            line = history_line(self.model.scene, self.group, self.data.now_ns(), width)
            bar.set([(" ", ""), *line])
            told, spots = acts_line(self.model.scene, self.acts, self.data.now_ns(), self.size.width)
            self.query_one("#acts", LineBar).set(told, spots=spots)

    def show_frames(self) -> None:
        assert self.model is not None
        rows = self.query_one("#frames", VirtualRows)
        frames = FrameRows(self.model)
        rows.say_empty("no Python frames\nwere captured")
        rows.show(frames, frames.row_of_current())
        rows.border_title = f"Frames {len(self.model.frames)}"
        self._lay_out(len(frames))
        self._show_frame()

    def _lay_out(self, frames: int) -> None:
        """A few frames are a strip on top, with the stacks beside them; more, or a low terminal, make them a
        list beside the source."""
        assert self.model is not None
        count = self.model.stacks
        tree = min(count, STACK_ROWS, max(self.size.height // 6, 2))
        rows = max(frames, tree if count > 1 else 0, 1)
        strip = frames <= MAX_STRIP and rows <= self.size.height - STRIP_LEAVES
        self.set_class(strip, "strip")
        self.query_one("#stacks").styles.height = "1fr" if strip else tree + 2
        self.query_one("#left").styles.height = rows if strip else "1fr"

    def _show_frame(self) -> None:
        assert self.model is not None
        frame = self.model.current
        source = self.query_one("#source", VirtualRows)
        reasons = {name: reason for name, _, reason in self.model.scene.parts}
        rows = SourceRows(frame, reasons.get("exception", ""))
        source.show(rows)
        source.center(rows.row_of_line())
        source.border_title = f"Source {short_path(frame.file)}:{frame.line}" if frame else "Source"
        values = self.query_one("#locals", VirtualRows)
        shown = self._values(frame)
        key = (self.model.stack, self.model.frame)
        names = names_in(frame) if frame else set()
        always = (*names, *(name for name, _ in shown if name.startswith("✖ ")))
        opened = self.opened.setdefault(key, open_what_fits(shown, values.page_rows, always))
        source.scroll_sideways(rows.pan_for(source.size.width))
        values.scroll_sideways(0)
        values.show(ValueRows(shown, opened, names, self._sizes(shown)), 0)
        values.border_title = f"Locals of {safe_title(frame.function)}" if frame else "Locals"

    def _values(self, frame: FrameView | None) -> tuple[tuple[str, ValueNode], ...]:
        """The frame's locals; after them what the exception itself carries, and a result that was refused."""
        assert self.model is not None
        exception, result = self.model.exception, self.model.scene.result
        shown = frame.locals if frame else ()
        if exception is not None and exception.details:
            text = f"what the {clean(exception.type)} has to tell"
            facts = [(name, ValueNode(type="", text=fact)) for name, fact in exception.details]
            details = (("✖ details", ValueNode(type="", text=text, children=facts)),)
            # they say the most of the line that failed, and the least of its callers
            shown = details + shown if self.model.frame == self.model.innermost_own() else shown + details
        if exception is not None and exception.attributes:
            text = f"what the {clean(exception.type)} carries"
            shown += (("✖ exception", ValueNode(type="", text=text, children=list(exception.attributes))),)
        if result is not None and result[2] is not None:
            shown = (("result", result[2]), *shown)
        return shown

    def _show_event(self) -> None:
        assert self.model is not None
        scene = self.model.scene
        rows = self.query_one("#event", VirtualRows)
        if scene.difference is not None and self.differing:
            rows.border_title = "Event vs. last success (D: whole)"
            lines = difference_lines(scene.difference)
        else:
            known = scene.difference is not None
            rows.border_title = "Event (D: vs. last success)" if known else "Event"
            lines = event_lines(scene.event)
        rows.show(FixedRows(lines), 0)

    def _show_logs(self, scene: SceneView, stored: list[LogRow]) -> None:
        calls = [call_row(call) for call in scene.calls]
        rows, earlier, before = logs_around((scene.logs, stored, calls), scene.captured_ns, LOGS_AROUND_NS)
        lines: list[LogRow | Line] = list(rows)
        if rows and scene.captured_ns:
            lines.insert(before, [("─── ✖ failed here ───", "error")])
        if earlier:
            lines.insert(0, [(f"… {earlier:,} earlier lines (6 shows all)", "dim")])
        panel = self.query_one("#logs", VirtualRows)
        panel.border_title = "Logs and calls ±2s" if calls else "Logs ±2s"
        panel.show(LogPanelRows(lines))
        panel.scroll_to(y=max(before + 2 + bool(earlier) - panel.page_rows, 0), animate=False, force=True)

    def on_resize(self) -> None:
        super().on_resize()
        if getattr(self, "model", None) is not None:
            self._show_history()
            self._lay_out(len(self.query_one("#frames", VirtualRows).source))
            self.call_after_refresh(self._keep_line)

    def _keep_line(self) -> None:
        """The failing expression stays in view, whatever the size has become."""
        source = self.query_one("#source", VirtualRows)
        if isinstance(source.source, SourceRows):
            source.scroll_sideways(source.source.pan_for(source.size.width))

    # ------------------------------------------------------------ keys

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        source = moved.rows.source
        if self.model is None:
            return
        if isinstance(source, FrameRows):
            self.model.frame = source.entries[moved.index].index
            self._show_frame()
        elif isinstance(source, StackRows) and moved.index != self.model.stack:
            self.model.select_stack(moved.index)
            self._show_stack()

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        source = chosen.rows.source
        if isinstance(source, ValueRows):
            if source.toggle(chosen.index):
                chosen.rows.refit()
        elif isinstance(source, StackRows):
            self.query_one("#frames", VirtualRows).focus()
        elif isinstance(source, FrameRows):
            if source.entries[chosen.index].folded or source.entries[chosen.index].repeated:
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
            self.show_frames()

    def action_stack(self, step: int) -> None:
        """Along the chain of causes, through groups, then the other threads."""
        if self.model is not None and self.model.move_stack(step):
            self._show_stack()
        else:
            self.app.bell()

    def action_heap(self) -> None:
        """The heap: at the object of the local under the cursor, else at the biggest leak suspect."""
        rows, address = self.query_one("#locals", VirtualRows), 0
        if rows.has_focus and isinstance(rows.source, ValueRows):
            address = rows.source.address_of(rows.cursor)
            if address not in rows.source.sizes:
                address = 0
        self.relive.go(Place("heap", replace(self.scope, object=address)))

    def _offers_heap(self) -> bool:
        scene = self.model.scene if self.model is not None else None
        return scene is not None and (scene.has_heap or bool(scene.heap_elsewhere and not self.data.file))

    def hints(self) -> tuple[tuple[str, str], ...]:
        if not self._offers_heap():
            return self.HINTS
        return (*self.HINTS[:2], ("5", "heap"), *self.HINTS[2:-1])

    def more_help(self) -> tuple[tuple[str, str], ...]:
        if not self._offers_heap():
            return ()
        return (("5", "the heap: what holds the memory; on a local: that object"),)

    def action_difference(self) -> None:
        """The whole event, or where it differs from the last one that went well."""
        if self.model is None:
            return
        if self.model.scene.difference is None:
            self.notify("the scene has no event of a successful invocation", timeout=3, markup=False)
            return
        self.differing = not self.differing
        self._show_event()

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
