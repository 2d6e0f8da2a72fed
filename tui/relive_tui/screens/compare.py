"""`d`: two marked invocations side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from relive_tui.models.layout.text import clean
from relive_tui.models.lists.compare import Comparison, compare_lines
from relive_tui.source.tickets import Ticket
from relive_tui.widgets.rows import FixedRows, VirtualRows

if TYPE_CHECKING:
    from relive_views.records import InvocationRow
    from textual.app import ComposeResult

    from relive_tui.shell import Shell

__all__ = ["CompareScreen"]


class CompareScreen(ModalScreen[None]):
    """What differs: figures at once; events and hot lines when they are here."""

    CSS = """
    CompareScreen { align: center middle; background: $r-background 60%; }
    CompareScreen > VirtualRows { width: 110; max-width: 98%; height: 94%; border: round $r-focus; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,d,q,enter", "dismiss", show=False)]

    def __init__(self, app_: Shell, before: InvocationRow, after: InvocationRow) -> None:
        super().__init__()
        self.relive = app_
        self.before, self.after = before, after
        self.found: Comparison | None = None
        self.problem = ""
        self.ticket = Ticket()

    def compose(self) -> ComposeResult:
        yield VirtualRows(title="A and B · Esc closes", cursor=False)

    def on_mount(self) -> None:
        self.query_one(VirtualRows).focus()
        self.call_after_refresh(self._show)
        self.run_worker(self._load, thread=True, exit_on_error=False)

    def on_unmount(self) -> None:
        self.relive.cancel_in_background(self.ticket)

    def on_resize(self) -> None:
        self._show()

    def _load(self) -> None:
        try:
            found = self.relive.source.compare(self.ticket, self.before, self.after)
        except Exception as error:  # whatever it was, the figures stay and the reason is shown
            self.app.call_from_thread(self._arrived, Comparison(), str(error))
        else:
            self.app.call_from_thread(self._arrived, found, "")

    def _arrived(self, found: Comparison, problem: str) -> None:
        if self.is_mounted:
            self.found, self.problem = found, problem
            self._show()

    def _show(self) -> None:
        rows = self.query_one(VirtualRows)
        width = max(rows.scrollable_content_region.width, 40)
        lines = compare_lines(self.before, self.after, self.found, width)
        if self.problem:
            lines.append([("✖ " + clean(self.problem), "error")])
        rows.show(FixedRows(lines))
