"""`?`: the keys of the screen, and those that work everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from relive_tui.models.layout.text import Line, fit
from relive_tui.models.navigation.keys import EVERYWHERE, KEYS, Keys
from relive_tui.widgets.rows import FixedRows, VirtualRows

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

__all__ = ["HelpScreen", "help_lines"]


def help_lines(view: str, more: Keys = ()) -> list[Line]:
    """The text of the help for a view; `more` are keys that only work now."""
    lines: list[Line] = []
    for title, keys in ((view.capitalize(), (*KEYS.get(view, ()), *more)), ("Everywhere", EVERYWHERE)):
        lines += [
            [(title, "name")],
            *([(f"  {fit(key, 14)}", "hint_key"), (text, "")] for key, text in keys),
            [],
        ]
    return lines


class HelpScreen(ModalScreen[None]):
    """A list of keys over the screen."""

    CSS = """
    HelpScreen { align: center middle; background: $r-background 60%; }
    HelpScreen > VirtualRows { width: 76; max-width: 96%; height: 90%; border: round $r-focus; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", show=False)]

    def __init__(self, view: str, more: Keys = ()) -> None:
        super().__init__()
        self.view = view
        self.more = more

    def compose(self) -> ComposeResult:
        yield VirtualRows(
            FixedRows(help_lines(self.view, self.more)),
            title="Keys · Esc closes",
            cursor=False,
            tells_more=True,
        )

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)

    def on_virtual_rows_chosen(self) -> None:
        self.dismiss()
