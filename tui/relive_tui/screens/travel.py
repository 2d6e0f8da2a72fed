"""Travel: a failed run again, and back from its failure step by step; source and locals follow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from relive_base.errors import ReliveError
from textual.binding import Binding, BindingType
from textual.containers import Container

from relive_tui.models.failure.code import SourceRows
from relive_tui.models.failure.values import ValueRows, open_what_fits
from relive_tui.models.layout.text import Line, clean, clean_title, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.models.travel import (
    Locals,
    Moment,
    MomentFrames,
    Step,
    changed,
    parse_step,
    parse_strip,
    read_locals,
    read_moment,
    strip_lines,
    told,
)
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.bars import LineBar
from relive_tui.widgets.rows import FixedRows, VirtualRows
from relive_tui.widgets.titles import safe_title

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from relive_tui.models.travel import Asking
    from relive_tui.outside.adapter import Adapter
    from relive_tui.source.tickets import Ticket

__all__ = ["TravelScreen"]

_COLUMNS = 240


class TravelScreen(ReliveScreen):
    """It begins at the failure. The run is a process of its own, and ends with the screen."""

    HINTS: ClassVar = (
        ("[ ]", "step"), ("{ }", "over calls"), ("(", "caller"), ("o", "origin"), ("w", "why"),
        ("v", "values"), ("s", "go to"), ("^ $", "ends"), ("b", "pdb"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "step(-1)", show=False),
        Binding("right_square_bracket", "step(1)", show=False),
        Binding("left_curly_bracket", "command('rn')", show=False),
        Binding("right_curly_bracket", "command('next')", show=False),
        Binding("left_parenthesis", "command('rr')", show=False),
        Binding("right_parenthesis", "command('return')", show=False),
        Binding("circumflex_accent", "command('start')", show=False),
        Binding("dollar_sign", "command('end')", show=False),
        Binding("o", "origin", show=False),
        Binding("v", "values", show=False),
        Binding("w", "command('why')", show=False),
        Binding("s", "go", show=False),
        Binding("b", "debug", show=False),
    ]

    def body(self) -> Iterable[Widget]:
        yield LineBar(id="strip")
        with Container(id="upper", classes="panes"):
            yield VirtualRows(title="Frames", empty="… running it again, up to its failure", id="frames")
            with Container(id="right", classes="column"):
                yield VirtualRows(title="Source", cursor=False, id="source")
                yield VirtualRows(title="Locals", id="locals")
        yield VirtualRows(title="What it said", cursor=False, id="said")

    def setup(self) -> None:
        self.adapter: Adapter | None = None
        self.moment: Moment | None = None
        self.names = Locals()
        self.opened: set[tuple[int, ...]] = set()
        self.changed: set[str] = set()  # names whose values are others than where one stood before
        self.frame = 0
        self._wanted: int | None = None  # the step to be at, while another question is on its way
        self._heading: int | None = None  # the step that it is on its way to
        self.query_one("#strip").styles.height = 2

    def first_focus(self) -> str:
        return "#locals"

    def on_unmount(self) -> None:
        super().on_unmount()
        if self.adapter is not None:
            self.adapter.close()

    # ------------------------------------------------------------ asking

    def load(self) -> None:
        if self.adapter is not None or self.moment is not None:
            return
        command = [*self.data.command, "dap", self.data.file or self.scope.invocation_id, "--mode", "travel"]
        if not self.data.command:
            self.query_one("#frames", VirtualRows).say_empty("there is no `relive` to run it again with")
            return

        def work(ticket: Ticket) -> Moment | ReliveError:
            from relive_tui.outside.adapter import Adapter

            adapter = Adapter(command)
            try:
                adapter.begin(ticket)
                ask = _asking(adapter, ticket)
                strip = parse_strip(ask("reliveCommand", {"line": f"strip {_COLUMNS}"})["text"])
                moment = read_moment(ask, Step(), strip, adapter.take_said().strip())
            except ReliveError as error:
                adapter.close()
                return error
            except BaseException:
                adapter.close()
                raise
            self.adapter = adapter
            if ticket.cancelled:  # the screen has gone, and may have looked before
                adapter.close()
            return moment

        def done(found: Moment | ReliveError) -> None:
            if isinstance(found, Moment):
                self._arrived(found)
            else:
                self.query_one("#frames", VirtualRows).say_empty(clean_title(found.message))
                self.query_one("#said", VirtualRows).say_empty(
                    clean(found.hint or "Esc: back to the failure")
                )

        self.ask("moment", Feed("the run"), work, done, once=True)

    def tick(self) -> None:
        """Nothing changes by itself."""

    def _at(self, line: str, frame: int = 0) -> None:
        """A command of the debugger, and what is seen where it leads."""
        adapter, before = self.adapter, self.moment
        if adapter is None or before is None or self.busy_moving:
            self.app.bell()
            return
        self._heading = None

        def work(ticket: Ticket) -> Moment:
            ask = _asking(adapter, ticket)
            found = ask("reliveCommand", {"line": line, "frameId": frame})
            step, said = parse_step(str(found["moment"])), str(found["text"]).strip()
            if step == before.step:
                return replace(before, said=said)
            return read_moment(ask, step, before.strip, said)

        self.ask("moment", Feed("the step"), work, self._arrived, once=True)

    @property
    def busy_moving(self) -> bool:
        """Whether the debugger is on its way."""
        job = self._jobs.get("moment")
        return job is not None and job.feed.loading

    def _arrived(self, moment: Moment) -> None:
        before = self.moment
        same = before is not None and before.step == moment.step
        self.moment = moment
        if not same:
            self.changed = changed(before.names, moment.names) if before is not None else set()
            self.frame = moment.selected
            self.names = moment.names
            self.opened = set()
        self._show(moment, keep=same)
        wanted, self._wanted = self._wanted, None
        if wanted is not None and wanted != moment.step.number:
            self._go_to(wanted)

    # ------------------------------------------------------------ showing

    def _show(self, moment: Moment, *, keep: bool) -> None:
        self._show_strip()
        said = self.query_one("#said", VirtualRows)
        lines: list[Line] = [
            [(clean(row), "warn" if row.startswith("***") else "")] for row in told(moment.said)
        ]
        rows = wrap_lines(lines, max(self.size.width - 4, 40)) if lines else []
        said.styles.height = min(max(len(rows), 2) + 2, max(self.size.height // 3, 4))
        said.show(FixedRows(rows))
        said.say_empty("o: where the local under the cursor has its value from · w: why it failed")
        if keep:
            return
        frames = self.query_one("#frames", VirtualRows)
        frames.show(MomentFrames(moment.frames), self.frame)
        frames.border_title = f"Frames {len(moment.frames)}"
        frames.say_empty("no line of the application")
        self._show_frame()

    def _show_strip(self) -> None:
        if self.moment is not None:
            bar = self.query_one("#strip", LineBar)
            bar.set(*strip_lines(self.moment.strip, self.moment.step, self.size.width))

    def _show_frame(self) -> None:
        moment = self.moment
        frame = moment.frames[self.frame] if moment is not None and moment.frames else None
        source = self.query_one("#source", VirtualRows)
        rows = SourceRows(frame)
        source.show(rows)
        source.center(rows.row_of_line())
        source.border_title = f"Source {safe_title(frame.file)}:{frame.line}" if frame else "Source"
        self._show_locals()

    def _show_locals(self) -> None:
        rows = self.query_one("#locals", VirtualRows)
        if not self.opened:
            self.opened = open_what_fits(self.names.values, rows.page_rows)
        rows.show(ValueRows(self.names.values, self.opened, self.changed), 0)
        moment = self.moment
        frame = moment.frames[self.frame] if moment is not None and moment.frames else None
        rows.border_title = f"Locals of {safe_title(frame.function)}" if frame else "Locals"

    def on_resize(self) -> None:
        super().on_resize()
        if getattr(self, "moment", None) is not None:
            self._show_strip()

    # ------------------------------------------------------------ keys

    def on_virtual_rows_moved(self, moved: VirtualRows.Moved) -> None:
        if moved.rows.id == "frames" and self.moment is not None and moved.index != self.frame:
            self.frame = moved.index
            self._ask_locals(moved.index)

    def _ask_locals(self, number: int) -> None:
        adapter, moment = self.adapter, self.moment
        if adapter is None or moment is None or self.busy_moving:
            return

        def done(found: Locals) -> None:
            self.names, self.opened, self.changed = found, set(), set()
            self._show_frame()

        ident = moment.idents[number]
        self.ask(
            "locals",
            Feed("the frame's locals"),
            lambda ticket: read_locals(_asking(adapter, ticket), ident),
            done,
            once=True,
        )

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        source = chosen.rows.source
        if isinstance(source, ValueRows):
            if source.toggle(chosen.index):
                chosen.rows.refit()
        elif isinstance(source, MomentFrames):
            self.query_one("#locals", VirtualRows).focus()

    def on_virtual_rows_sideways(self, side: VirtualRows.Sideways) -> None:
        source = side.rows.source
        if isinstance(source, ValueRows) and source.set_open(side.index, side.step > 0):
            side.rows.refit()

    def action_step(self, by: int) -> None:
        """By so many steps; keys that come while one is on its way add up."""
        moment = self.moment
        if moment is None:
            self.app.bell()
            return
        total = moment.strip.total
        at = moment.step.number
        here = total if at is None else at  # the failure is after the last one
        if self.busy_moving and self._heading is not None:
            here = self._heading
        target = (self._wanted if self._wanted is not None else here) + by
        if not 0 <= target <= total or not total:
            self.app.bell()
        elif self.busy_moving:
            self._wanted = target
        else:
            self._go_to(target)

    def _go_to(self, step: int) -> None:
        total = self.moment.strip.total if self.moment is not None else 0
        self._at(f"goto {step}" if step < total else "end")
        self._heading = step

    def action_command(self, line: str) -> None:
        """A word of the debugger's."""
        moment = self.moment
        ident = moment.idents[self.frame] if moment is not None and moment.idents else 0
        self._at(line, ident if line == "why" else 0)

    def _expression(self) -> str:
        rows = self.query_one("#locals", VirtualRows)
        source = rows.source
        if not isinstance(source, ValueRows) or not 0 <= rows.cursor < len(source.entries):
            return ""
        return self.names.paths.get(source.entries[rows.cursor].path, "")

    def _about_the_local(self, word: str) -> None:
        expression, moment = self._expression(), self.moment
        if not expression or moment is None:
            self.notify("put the cursor on a local, or on what is in one", timeout=2, markup=False)
            return
        self._at(f"{word} {expression}", moment.idents[self.frame])

    def action_origin(self) -> None:
        """To the step that gave the local its value; again: to the one before."""
        self._about_the_local("origin")

    def action_values(self) -> None:
        """All values that the local had up to here."""
        self._about_the_local("values")

    def action_go(self) -> None:
        """To a step by its number."""
        from relive_tui.screens.dialogs.prompt import Prompt

        if self.moment is None:
            self.app.bell()
            return
        last = max(self.moment.strip.total - 1, 0)

        def check(text: str) -> str:
            good = text.isascii() and text.isdigit() and int(text) <= last
            return "" if good or not text else f"a step from 0 to {last}"

        def done(text: str | None) -> None:
            if text and not check(text):
                self._go_to(int(text))

        self.app.push_screen(Prompt(f"Go to step (0 to {last:,})", "", check=check), done)

    def action_debug(self) -> None:
        """A pdb over such a run, in the terminal; then back to the screen."""
        if self.data.command:
            ident = self.data.file or self.scope.invocation_id
            self.relive.run_outside([*self.data.command, "replay", ident, "--travel"])

    def yank_text(self) -> str:
        return self._expression()


def _asking(adapter: Adapter, ticket: Ticket) -> Asking:
    return lambda command, arguments: adapter.ask(command, arguments, ticket)
