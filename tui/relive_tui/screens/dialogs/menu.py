"""A few things to choose from, over the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from relive_tui.widgets.rows import FixedRows, VirtualRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

__all__ = ["Menu"]


class Menu(ModalScreen[str | None]):
    """Dismissed with the name of what was chosen, or None. `options`: (name, what it does)."""

    CSS = """
    Menu { align: center middle; background: $r-background 60%; }
    Menu > VirtualRows { width: 60; max-width: 96%; border: round $r-focus; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", show=False)]

    def __init__(self, title: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.heading = title
        self.options = tuple(options)

    def compose(self) -> ComposeResult:
        lines = [[(f" {label} ", "")] for _, label in self.options]
        rows = VirtualRows(FixedRows([*lines]), title=f"{self.heading} · Enter chooses · Esc closes")
        rows.styles.height = len(self.options) + 2
        rows.one_click = True
        yield rows

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)

    def on_virtual_rows_chosen(self, chosen: VirtualRows.Chosen) -> None:
        chosen.stop()
        self.dismiss(self.options[chosen.index][0])
