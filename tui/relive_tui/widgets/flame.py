"""The flame graph: VirtualRows whose cursor is a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_views.profiles.trees import FlameTree
from textual.message import Message

from relive_tui.models.profile.flame import FlameModel, FlameRows
from relive_tui.widgets.rows import VirtualRows

if TYPE_CHECKING:
    from textual import events

__all__ = ["FlameGraph"]


class FlameGraph(VirtualRows):
    """Arrows move the selected frame, Enter zooms into it."""

    class Selected(Message):
        """Another frame is selected, or the zoom has changed."""

    model = FlameModel(FlameTree())

    def show_flame(self, model: FlameModel) -> None:
        """Show a model."""
        self.model = model
        self.show(FlameRows(model), 0)
        if model.base > 0:
            self.scroll_to(y=model.flame.depth[model.base], animate=False, force=True)
        self._see()

    def select(self, index: int) -> None:
        """Select a frame and let it be seen."""
        left, span = self.model.window
        if not left <= self.model.flame.start[index] < left + span:
            self.model.zoomed.clear()
        self.model.selected = index
        self._see()
        self.refresh()
        self.post_message(self.Selected())

    def _see(self) -> None:
        if self.model.selected < 0:
            return
        depth = self.model.flame.depth[self.model.selected]
        first, last = self.shown
        if not first <= depth <= last:
            self.scroll_to(y=max(depth - self.page_rows // 2, 0), animate=False, force=True)

    def _moved(self, key: str) -> None:
        if self.model.move(key):
            self.select(self.model.selected)

    def action_move(self, step: int) -> None:
        self._moved("up" if step < 0 else "down")

    def action_side(self, step: int) -> None:
        self._moved("left" if step < 0 else "right")

    def action_edge(self, step: int) -> None:
        if step < 0 and len(self.model.flame):
            self.select(self.model.zoomed[-1] if self.model.zoomed else 0)

    def action_choose(self) -> None:
        if self.model.selected >= 0:
            self.model.zoom(self.model.selected)
            self._see()
            self.refresh()
            self.post_message(self.Selected())

    def on_click(self, event: events.Click) -> None:
        spot = event.get_content_offset(self)
        if spot is None:
            return
        depth = self.scroll_offset.y + spot.y
        if depth >= len(self.model.levels):
            return
        width = self.scrollable_content_region.width
        for index, first, cells in self.model.visible(depth, width):
            if first <= spot.x < first + cells:
                self.select(index)
        if event.chain == 2:
            self.action_choose()
