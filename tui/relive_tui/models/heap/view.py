"""The views on one heap, which of them is shown, and where the cursor stands in each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from relive_tui.models.heap.filter import MAX_FOUND, biggest_first
from relive_tui.models.heap.growth import GrowthRows, growth_line
from relive_tui.models.heap.path import suspect_line
from relive_tui.models.heap.rows import TypeRows
from relive_tui.models.heap.tree import HeapTree
from relive_tui.models.layout.format import bytes_short, count_short
from relive_tui.models.layout.text import Line, clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relive_views.heaps import Comparison, Heap, Suspect

__all__ = ["HeapModel", "HeapView", "Rows", "view_heap"]

Rows = HeapTree | TypeRows | GrowthRows
VIEWS = ("growth", "dominators", "types", "objects", "roots")
_LARGE_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class HeapView:
    """An analysed heap with what the first view needs of it; `heap` None: `reason` says why there is none,
    `next_command` what may give one. With a heap, it is that of this invocation and attempt, and `reason`
    says why it is another failure's."""

    heap: Heap | None = None
    suspects: Sequence[Suspect] = ()
    types: Sequence[tuple[str, int, int, int]] = ()
    biggest: Sequence[int] = ()
    reason: str = ""
    next_command: str = ""
    invocation_id: str = ""
    attempt: int = 0


def view_heap(heap: Heap) -> HeapView:
    """Looks for suspects, counts types, and lists the largest objects. For a worker thread."""
    from relive_views.heaps import findings, suspects

    types = [(row.name, row.count, row.shallow, row.retained) for row in findings.types(heap)]
    return HeapView(heap, suspects(heap), types, list(islice(biggest_first(heap), MAX_FOUND)))


def _ours_last(heap: Heap) -> Iterator[int]:
    """What no other object holds, the largest first; then Relive's own, which is no answer to what fills the
    memory. Who holds an object is asked of the large ones only: it takes a walk."""
    from relive_views.heaps import is_ours, marks_ours

    ours = []
    least = _LARGE_SHARE * heap.total
    for node in islice(heap.analysis.tree.children(heap.root), MAX_FOUND):
        if marks_ours(heap, node) or (heap.retained(node) >= least and is_ours(heap, node)):
            ours.append(node)
        else:
            yield node
    yield from ours


class HeapModel:
    """What is shown of a heap. `extra` is a view that a key opened over the others, Escape closes it."""

    def __init__(self, found: HeapView) -> None:
        assert found.heap is not None
        self.found = found
        self.heap = found.heap
        self.growth: Comparison | None = None
        self.against = ""
        self.view = "dominators"
        self.suspect = 0
        self.extra: tuple[str, Rows] | None = None
        self.filter = ""
        self._rows: dict[str, Rows] = {}
        self.cursors: dict[str, int] = {}

    # ------------------------------------------------------------ views

    @property
    def views(self) -> tuple[str, ...]:
        """Those that there are: growth only against another heap."""
        return VIEWS if self.growth is not None else VIEWS[1:]

    def show_growth(self, growth: Comparison, against: str, *, shown: bool = True) -> None:
        """What has grown against another heap is the first view from now on; `shown`: and at once."""
        self.growth, self.against = growth, against
        if shown:
            self.extra, self.view = None, "growth"
        for name in ("growth", "types"):
            self._rows.pop(name, None)
        self.cursors["growth"] = 0

    @property
    def rows(self) -> Rows:
        """The rows that are shown."""
        if self.extra is not None:
            return self.extra[1]
        if self.view not in self._rows:
            self._rows[self.view] = self._make(self.view)
        return self._rows[self.view]

    @property
    def title(self) -> str:
        """What the rows are."""
        if self.extra is not None:
            return self.extra[0]
        return {
            "growth": "Growth: places that hold more than before",
            "dominators": "Dominators: what would be free without it",
            "types": "Types by retained size",
            "objects": f"Objects {self.filter}" if self.filter else "Objects, the largest first",
            "roots": "Roots: what is reachable by name",
        }[self.view]

    def _make(self, view: str) -> Rows:
        heap = self.heap
        if view == "growth" and self.growth is not None:
            return GrowthRows(self.growth)
        if view == "types":
            grown = {row.name: row.growth for row in self.growth.types} if self.growth is not None else None
            return TypeRows(heap, list(self.found.types), grown)
        if view == "objects":
            return HeapTree(heap, "referents", self.found.biggest)
        if view == "roots":
            held = [edge.node for edge in heap.referents(heap.root, 0, MAX_FOUND)]
            return HeapTree(heap, "referents", sorted(held, key=lambda node: -heap.retained(node)))
        return HeapTree(heap, "dominated", _ours_last(heap))

    def turn(self, step: int) -> None:
        """The next (or previous) view."""
        self.extra = None
        self.view = self.views[(self.views.index(self.view) + step) % len(self.views)]

    def close_extra(self) -> bool:
        """Escape: leave what a key opened, then the filter; False if there is neither."""
        if self.extra is not None:
            self.extra = None
            return True
        if self.filter:
            self.show_objects("", list(self.found.biggest))
            return True
        return False

    # ------------------------------------------------------------ going somewhere

    def show_suspect(self, place: int) -> int:
        """The row of a suspect in the dominator tree, opened down to what it holds; 0 if there is none."""
        if not self.found.suspects:
            return self._show("dominators", 0)
        self.suspect = place % len(self.found.suspects)
        row = self.show_dominated(self.found.suspects[self.suspect].point)
        tree = self.rows
        if isinstance(tree, HeapTree) and row >= 0:
            tree.set_open(row, True)
        return row

    def show_dominated(self, node: int) -> int:
        """The row of a node in the dominator tree; -1 if nothing holds it."""
        self.extra, self.view = None, "dominators"
        tree = self.rows
        assert isinstance(tree, HeapTree)
        row = tree.show_node(node)
        return self._show("dominators", row) if row >= 0 else -1

    def show_address(self, address: int) -> int:
        """The row of the object at an address; -1 if the heap does not have it."""
        node = self.heap.find(address)
        return -1 if node is None else self.show_dominated(node)

    def show_retainers(self, node: int) -> None:
        """What refers to a node, as a tree of its own."""
        tree = HeapTree(self.heap, "referrers", [node])
        tree.set_open(0, True)
        self.extra = (f"What refers to {self.heap.name(node, 40)}", tree)

    def show_objects(self, text: str, nodes: Sequence[int]) -> None:
        """The list of objects that a filter found."""
        self.extra, self.view, self.filter = None, "objects", text
        self._rows["objects"] = HeapTree(self.heap, "referents", nodes)
        self.cursors["objects"] = 0

    def _show(self, view: str, row: int) -> int:
        self.view = view
        self.cursors[view] = row
        return row

    # ------------------------------------------------------------ bars

    def summary(self) -> list[Line]:
        """What the snapshot is, its views, and what looks like a leak in it."""
        heap, meta = self.heap, self.heap.meta
        first: Line = [
            (f"{heap.objects:,} objects ", "bold"),
            (f"{bytes_short(heap.total)} ", "bold"),
            ("held", "dim"),
        ]
        garbage = heap.objects - heap.held
        if garbage > 0:
            first.append((f" · {count_short(garbage)} garbage", "dim"))
        if meta.rss_bytes:
            first.append((f" · process {bytes_short(meta.rss_bytes)}", "dim"))
        if meta.truncated:
            first.append((f" · ◐ cut: {clean(meta.truncated)}", "warn"))
        if self.growth is not None:
            first += growth_line(self.growth, self.against)
        second: Line = [("Tab ", "hint_key")]
        for name in self.views:
            here = name == self.view and self.extra is None
            second.append((f" {'▸' if here else ' '}{name.capitalize()} ", "here" if here else "dim"))
        return [first, second, suspect_line(heap, self.suspect, self.found.suspects)]
