"""Some lines to read, over the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from relive_tui.widgets.rows import FixedRows, VirtualRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

    from relive_tui.models.layout.text import Line

__all__ = ["Reader"]


class Reader(ModalScreen[None]):
    """Shows the lines that `lines` gives for a width."""

    CSS = """
    Reader { align: center middle; background: $r-background 60%; }
    Reader > VirtualRows { width: 100; max-width: 96%; height: 6; border: round $r-focus; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i,enter", "dismiss", show=False)]

    def __init__(self, title: str, lines: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self.heading = title
        self.lines = lines

    def compose(self) -> ComposeResult:
        yield VirtualRows(title=f"{self.heading} · Esc closes", cursor=False, wide=True, tells_more=True)

    def on_resize(self) -> None:
        rows = self.query_one(VirtualRows)
        lines = self.lines(max(rows.scrollable_content_region.width, 40))
        rows.styles.height = min(len(lines) + 2, max(self.size.height - 2, 4))
        rows.show(FixedRows(lines))

    def on_mount(self) -> None:
        self.query_one(VirtualRows).focus()
        self.call_after_refresh(self.on_resize)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)

    def on_virtual_rows_chosen(self) -> None:
        self.dismiss()
