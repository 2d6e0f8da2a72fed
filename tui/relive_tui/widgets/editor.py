"""A query to type, over several lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

if TYPE_CHECKING:
    from textual import events

__all__ = ["QueryEditor"]

_NO_BEGINNINGS: Final = frozenset("0123456789?:")


class QueryEditor(TextArea):
    """Enter runs a query that ends with a semicolon, and begins a line otherwise."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5,ctrl+r", "run", show=False),
        Binding("tab", "complete", show=False),
    ]

    class Run(Message):
        """What is typed is to be run."""

    class Complete(Message):
        """The word before the cursor is to be completed."""

    def action_run(self) -> None:
        self.post_message(self.Run())

    def action_complete(self) -> None:
        self.post_message(self.Complete())

    @property
    def before(self) -> str:
        """The text up to the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def replace_before(self, replaced: str, text: str) -> None:
        """Put `text` for the last characters before the cursor."""
        row, column = self.cursor_location
        self.replace(text, (row, column - len(replaced)), (row, column))
        self.move_cursor((row, column - len(replaced) + len(text)))

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and self.text.rstrip().endswith(";") and not self._after().strip():
            event.stop()
            event.prevent_default()
            self.action_run()
            return
        if not self.check_consume_key(event.key, event.character):
            event.prevent_default()
            return
        await super()._on_key(event)

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """No query begins with a digit, `?` or `:`; while there is none they go to the screen."""
        if not self.text and character is not None and character in _NO_BEGINNINGS:
            return False
        return super().check_consume_key(key, character)

    def _after(self) -> str:
        return self.get_text_range(self.cursor_location, self.document.end)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()  # the screen would take it for a command
        event.prevent_default()
        self.replace(event.text.replace("\r\n", "\n").replace("\r", "\n"), *self.selection)
