"""How a node of a heap is shown: what it holds alive, its share, its own bytes, what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.layout.columns import Column, Table
from relive_tui.models.layout.format import bytes_short, count_short
from relive_tui.models.layout.text import Line, Span, clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relive_views.heaps import Heap

__all__ = [
    "BIG_SHARE",
    "HEAP_COLUMNS",
    "TypeRows",
    "label_of",
    "node_line",
    "place_of",
    "share_bar",
    "signed",
]

HEAP_COLUMNS = (
    Column("WHAT", 30, keep=10, grow=1),
    Column("RETAINED", 8, "right", keep=9),
    Column("SHARE", 11, keep=5),
    Column("OBJECTS", 7, "right", keep=4),
    Column("OWN", 6, "right", keep=3),
)
_BLOCKS = " ▏▎▍▌▋▊▉█"
BAR_CELLS = 6
BIG_SHARE = 0.1
MAX_PATH = 64
UNNAMED = "(reference)"
"""The label of an edge of the interpreter's own that has no name."""


def share_bar(share: float, cells: int = BAR_CELLS) -> str:
    """A bar of up to `cells` cells, in eighths."""
    eighths = round(max(min(share, 1.0), 0.0) * cells * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_BLOCKS[rest] if rest else "")).ljust(cells)


def signed(count: int) -> str:
    """`+388M`, `-12K`, `=`."""
    return "=" if not count else ("+" if count > 0 else "-") + bytes_short(abs(count))


def node_line(
    heap: Heap, node: int, table: Table, width: int, selected: bool, *, before: str = "", label: str = ""
) -> Line:
    """One row: the figures, then `before` (a tree's indentation), the label and the node's name."""
    share = heap.share(node)
    style = "warn" if share >= BIG_SHARE else ""
    what = " ".join(part for part in (clean(label), heap.name(node, 120)) if part)
    cells: list[Span] = [
        (before + what, "value" if heap.is_object(node) else "name"),
        (bytes_short(heap.retained(node)), f"bold {style}".strip()),
        (f"{share_bar(share)} {share * 100:3.0f}%", style or "dim"),
        (count_short(heap.retained_objects(node)), "dim"),
        (bytes_short(heap.size(node)) if heap.is_object(node) else "", "dim"),
    ]
    return table.row(cells, width, selected=selected)


def label_of(heap: Heap, node: int, above: int | None = None) -> str:
    """The label of the edge that leads to a node; if it does not come from `above`, that is said."""
    edge = heap.reached_by(node)
    if edge is None or not heap.is_object(node) or edge.label == UNNAMED:
        return ""
    return edge.label if above is None or edge.node == above else f"…{edge.label}"


def place_of(heap: Heap, node: int, limit: int = 40) -> str:
    """The end of the path to an object, for rows that hang below nothing: `hog › .CACHE`."""
    if not heap.is_object(node) or not heap.is_held(node) or heap.analysis.distance[node] > MAX_PATH:
        return ""
    path = heap.path(node)
    text = path.text.removesuffix(f" › {UNNAMED}") if path is not None else ""
    return text if len(text) <= limit else "…" + text[-limit:]


class TypeRows:
    """Types, those whose objects retain most first. Of `heap` only the total is asked."""

    def __init__(
        self, heap: Heap, types: list[tuple[str, int, int, int]], growth: Mapping[str, int] | None = None
    ) -> None:
        self.types = types  # (name, objects, own bytes, retained bytes)
        self.growth = growth  # of the own bytes, by name, against another heap
        self._total = heap.total or 1
        grown = (Column("GROWTH", 8, "right", keep=8),) if growth is not None else ()
        self._table = Table((Column("TYPE", 20, keep=10, grow=1), *HEAP_COLUMNS[1:], *grown))

    def __len__(self) -> int:
        return len(self.types)

    def node_at(self, row: int) -> int | None:
        """A type is no node."""
        return None

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        name, count, own, retained = self.types[index]
        share = retained / self._total
        style = "warn" if share >= BIG_SHARE else ""
        cells: list[Span] = [
            (clean(name), "key"),
            (bytes_short(retained), f"bold {style}".strip()),
            (f"{share_bar(share)} {share * 100:3.0f}%", style or "dim"),
            (count_short(count), ""),
            (bytes_short(own), "dim"),
            *self._grown(name),
        ]
        return self._table.row(cells, width, selected=selected)

    def _grown(self, name: str) -> list[Span]:
        if self.growth is None:
            return []
        change = self.growth.get(name, 0)
        return [(signed(change), "bold warn" if change > 0 else "ok" if change else "dim")]
