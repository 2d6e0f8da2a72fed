"""What has grown from one heap to another: places by the bytes that they hold more, and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.heap.rows import signed
from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.format import bytes_short, count_short
from relive_tui.models.layout.text import Line, Span, clean

if TYPE_CHECKING:
    from relive_views.heaps import Comparison

__all__ = ["GrowthRows", "growth_line"]


OWN_PLACES = "module relive_"
"""Where the recorder keeps what it needs: it grows with a failure, and is not what is looked for."""


class GrowthRows:
    """Places, those that have grown most first; what has shrunk is at the end. The recorder's own are left
    out."""

    def __init__(self, growth: Comparison) -> None:
        self.places = [place for place in growth.places if not place.path.startswith(OWN_PLACES)]
        self._table = Table(
            (
                Column("PLACE", 28, keep=10, grow=1, cut="start"),
                Column("GROWTH", 8, "right", keep=9),
                Column("NOW", 7, "right", keep=7),
                Column("OBJECTS", 9, "right", keep=5),
                Column("TYPE", 12, keep=4),
            )
        )

    def __len__(self) -> int:
        return len(self.places)

    def node_at(self, row: int) -> int | None:
        """The place in the newer heap; None if it is gone."""
        return self.places[row].node if 0 <= row < len(self.places) else None

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        place = self.places[index]
        grown = place.growth > 0
        objects = place.objects_after - place.objects_before
        new = "new" if place.node_before is None else "gone" if place.node is None else ""
        cells: list[Span] = [
            (clean(place.path) + (f"  ({new})" if new else ""), "value"),
            (signed(place.growth), "bold warn" if grown else "ok"),
            (
                bytes_short(place.after) if place.node is not None else new,
                "" if place.node is not None else "dim",
            ),
            (("+" if objects > 0 else "-" if objects < 0 else "") + count_short(abs(objects)), "dim"),
            (clean(place.kind), "key"),
        ]
        return self._table.row(cells, width, selected=selected)


def growth_line(growth: Comparison, title: str) -> Line:
    """Against what, and by how much the whole has grown."""
    change = growth.total_after - growth.total_before
    objects = growth.objects_after - growth.objects_before
    return [
        (" · against ", "dim"), (clean(title), ""),
        (f" {signed(change)}", "bold warn" if change > 0 else "ok"),
        (f", {objects:+,} objects", "dim"),
        ("" if growth.one_process else " (another process)", "dim"),
    ]  # fmt: skip
