"""The one list widget: it draws the rows that are visible and knows nothing of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from relive_base.shown_numbers import counted
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView

from relive_tui.models.layout.text import Line, line_text, skip_cells, wrap_lines
from relive_tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.strip import Strip

__all__ = ["FixedRows", "RowSource", "VirtualRows"]


_FOLDS = "▹▸▾"
"""Signs that open or close a row with one click."""
MAX_PAN = 4_000
"""Cells to the right: as many as characters of a value are looked at."""


class RowSource(Protocol):
    """What a VirtualRows shows: any number of rows, each a line when it is asked for."""

    def __len__(self) -> int: ...

    def header(self, width: int) -> Line | None:
        """A line that stays on top, or None."""

    def line(self, index: int, width: int, selected: bool) -> Line:
        """One row; longer lines are cut."""


class FixedRows:
    """Rows that are there already."""

    def __init__(self, lines: Sequence[Line] = ()) -> None:
        self.lines = list(lines)

    def __len__(self) -> int:
        return len(self.lines)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        return self.lines[index]


class VirtualRows(ScrollView, can_focus=True):
    """A scrollable list of `source`. With `cursor=False` the keys scroll instead of moving a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("home,g", "edge(-1)", "first", show=False),
        Binding("end,G", "edge(1)", "last", show=False),
        Binding("left,h", "side(-1)", "close", show=False),
        Binding("right,l", "side(1)", "open", show=False),
        Binding("shift+left,less_than_sign", "pan(-1)", "left", show=False),
        Binding("shift+right,greater_than_sign", "pan(1)", "right", show=False),
        Binding("enter", "choose", "open", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: VirtualRows, index: int) -> None:
            super().__init__()
            self.rows = rows
            self.index = index

        @property
        def control(self) -> VirtualRows:
            """The list that was moved in."""
            return self.rows

    class Chosen(Moved):
        """Enter (or a double click) on a row."""

    class Sideways(Moved):
        """Left (-1) or right (1) on a row."""

        def __init__(self, rows: VirtualRows, index: int, step: int) -> None:
            super().__init__(rows, index)
            self.step = step

    def __init__(
        self,
        source: RowSource | None = None,
        *,
        title: str = "",
        cursor: bool = True,
        empty: str = "",
        wide: bool = False,
        tells_more: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.source: RowSource = source if source is not None else FixedRows()
        self.cursor = 0
        self.has_cursor = cursor
        self.empty: list[Line] = [[(line, "dim")] for line in empty.split("\n")] if empty else []
        self.waiting = empty.startswith("…")  # for a first answer
        self.on_look: Callable[[int, int], None] | None = None
        self.border_title = title
        self.wide = wide  # whether lines may be longer than the panel, and can be scrolled sideways
        self.pan = 0  # cells that are scrolled off to the left
        self.tells_more = tells_more  # how many lines are below, in the lower edge
        self.one_click = False  # whether one click opens a row
        self.centered = -1  # the row that a resize keeps in the middle, until somebody scrolls
        self._headed = False
        if not cursor:
            self.add_class("plain")

    def on_mount(self) -> None:
        self.refit()

    # ------------------------------------------------------------ content

    def show(self, source: RowSource, cursor: int | None = None) -> None:
        """Show `source`; the cursor goes to `cursor`, or stays as near as it can to where it was."""
        self.source = source
        self.refit()
        before = self.cursor
        self.cursor = min(max(before if cursor is None else cursor, 0), max(len(source) - 1, 0))
        if cursor is not None or before != self.cursor:
            self._follow()
        self._look()
        self.refresh()

    def refit(self) -> None:
        """The number of rows has changed."""
        self._headed = self.source.header(max(self.size.width, 1)) is not None
        self.virtual_size = Size(0, len(self.source) + self._headed)
        self.refresh()

    def say_empty(self, text: str, style: str = "dim", *, waiting: bool = False) -> None:
        """What is shown instead of no rows; `waiting`: until an answer comes."""
        self.say_lines([[(line, style)] for line in text.split("\n")], waiting=waiting)

    def say_lines(self, lines: Sequence[Line], *, waiting: bool = False) -> None:
        """The same in colours."""
        self.waiting = waiting
        self.empty = list(lines)
        self.refresh()

    @property
    def page_rows(self) -> int:
        """Rows that fit."""
        return max(self.scrollable_content_region.height - self._headed, 1)

    @property
    def shown(self) -> tuple[int, int]:
        """First and last visible row."""
        first = self.scroll_offset.y
        return first, min(first + self.page_rows, max(len(self.source), 1)) - 1

    # ------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        width, base = self.scrollable_content_region.width, self.rich_style
        if not len(self.source):
            said = wrap_lines(self.empty, width - 4)
            return strip_of([("  ", ""), *said[y]] if y < len(said) else [], width, base)
        if self._headed:
            if y == 0:
                head = self.source.header(width + self.pan) or []
                return strip_of(skip_cells(head, self.pan) if self.pan else head, width, base)
            y -= 1
        index = self.scroll_offset.y + y
        if index >= len(self.source):
            return strip_of([], width, base)
        selected = self.has_cursor and index == self.cursor
        over = ("cursor_focus" if self.has_focus else "cursor") if selected else ""
        line = self.source.line(index, width + self.pan, selected)
        return strip_of(skip_cells(line, self.pan) if self.pan else line, width, base, over)

    def on_resize(self, event: events.Resize) -> None:
        if self.centered >= 0:
            self.center(self.centered)
        self._follow()
        self._look()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._look()

    def _look(self) -> None:
        if self.tells_more:
            below = max(len(self.source) - 1 - self.shown[1], 0)
            self.border_subtitle = f"↓ {counted(below, 'more line')} · j k" if below else ""
        if self.on_look is not None:
            self.on_look(*self.shown)

    # ------------------------------------------------------------ moving

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and let it be seen."""
        index = min(max(index, 0), max(len(self.source) - 1, 0))
        moved = index != self.cursor
        self.cursor = index
        self._follow()
        self.refresh()
        if moved:
            self.post_message(self.Moved(self, index))

    def _follow(self) -> None:
        if not self.has_cursor:
            return
        first, rows = self.scroll_offset.y, self.page_rows
        if self.cursor < first:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= first + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, force=True)

    def center(self, index: int) -> None:
        """Scroll so that a row is in the middle; it stays there when the size changes."""
        self.centered = index
        self.scroll_to(y=max(index - self.page_rows // 2, 0), animate=False, force=True)

    def action_move(self, step: int) -> None:
        if self.has_cursor:
            self.move_to(self.cursor + step)
        else:
            self.centered = -1
            self.scroll_to(y=self.scroll_offset.y + step, animate=False)

    def action_page(self, step: int) -> None:
        self.action_move(step * max(self.page_rows - 1, 1))

    def action_edge(self, step: int) -> None:
        if self.has_cursor:
            self.move_to(0 if step < 0 else len(self.source) - 1)
        else:
            self.centered = -1
            self.scroll_to(y=0 if step < 0 else self.virtual_size.height, animate=False)

    def scroll_sideways(self, cells: int) -> None:
        """Scroll to this many cells from the left."""
        self.pan = min(max(cells, 0), MAX_PAN)
        self.refresh()

    def action_pan(self, step: int) -> None:
        if self.wide:
            self.scroll_sideways(self.pan + step * max(self.scrollable_content_region.width // 2, 1))
        else:
            self.app.bell()

    def action_side(self, step: int) -> None:
        self.post_message(self.Sideways(self, self.cursor, step))

    def action_choose(self) -> None:
        if len(self.source):
            self.post_message(self.Chosen(self, self.cursor))

    def on_mouse_scroll_down(self) -> None:
        self.centered = -1

    def on_mouse_scroll_up(self) -> None:
        self.centered = -1

    def on_click(self, event: events.Click) -> None:
        row = event.get_content_offset(self)
        if row is None or not self.has_cursor:
            return
        index = self.scroll_offset.y + row.y - self._headed
        if row.y < self._headed or index >= len(self.source):
            return
        self.move_to(index)
        line = self.source.line(index, self.scrollable_content_region.width + self.pan, True)
        sign = line_text(skip_cells(line, self.pan + row.x))[:1] if row.x > 1 else ""
        if sign and sign in _FOLDS:
            self.action_side(-1 if sign == "▾" else 1)
        elif event.chain == 2 or self.one_click:
            self.action_choose()
