"""One line to type: filters, searches, commands. What is wrong with it is said beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from relive_tui.models.layout.text import clean
from relive_tui.widgets.bars import LineBar

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

__all__ = ["Prompt"]


class PromptInput(Input):
    """All of what is pasted, on one line."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(" ".join(event.text.split()), *self.selection)


class Prompt(ModalScreen[str | None]):
    """Dismissed with the line, or with None on Escape. `check` gives what is wrong, or an empty text."""

    CSS = """
    Prompt { align: left bottom; background: transparent; }
    Prompt > Input { height: 3; border: round $r-focus; background: $r-panel; padding: 0 1; }
    Prompt > LineBar { background: $r-panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(
        self,
        label: str,
        value: str = "",
        *,
        hint: str = "",
        check: Callable[[str], str] | None = None,
        complete: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__()
        self.label = label
        self.value = value
        self.hint = hint
        self.check = check or (lambda _text: "")
        self.complete = complete or (lambda text: text)
        self.problem = ""

    def compose(self) -> ComposeResult:
        box = PromptInput(value=self.value, id="line")
        box.border_title = self.label
        box.cursor_blink = False
        yield box
        yield LineBar(id="problem")

    def on_mount(self) -> None:
        self._judge(self.value)
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._judge(event.value)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss(None)

    def _judge(self, text: str) -> None:
        self.problem = self.check(text)
        line = (f" ✖ {clean(self.problem)}", "error") if self.problem else (f" {self.hint}", "dim")
        self.query_one("#problem", LineBar).set([line])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._judge(event.value)
        if not self.problem:
            self.dismiss(event.value)

    def action_complete(self) -> None:
        box = self.query_one(Input)
        box.value = self.complete(box.value)
        box.cursor_position = len(box.value)
