"""A heap as a tree that is opened step by step: what each node dominates, refers to, or is referred to by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from relive_tui.models.heap.rows import HEAP_COLUMNS, label_of, node_line, place_of
from relive_tui.models.layout.columns import Table
from relive_tui.models.layout.format import bytes_short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from relive_views.heaps import Heap

    from relive_tui.models.layout.text import Line

__all__ = ["PAGE", "HeapTree", "Relation", "TreeEntry"]

Relation = Literal["dominated", "referents", "referrers"]
PAGE = 500
"""Children that one key adds."""
MAX_DEPTH = 200
MAX_SEARCHED = 10_000
"""Siblings among which a node that is to be shown is looked for."""


@dataclass(slots=True)
class TreeEntry:
    """A row: a node and the label that leads to it; with `offset` > 0 the row that stands for its further
    children from there on."""

    node: int
    depth: int
    label: str = ""
    opened: bool = False
    offset: int = 0


class HeapTree:
    """Rows of a tree over `heap`. Opening a row only builds the rows right below it."""

    def __init__(self, heap: Heap, relation: Relation, roots: Iterable[int]) -> None:
        self.heap = heap
        self.relation: Relation = relation
        self.entries = [TreeEntry(node, 0) for node in roots]
        self._table = Table(HEAP_COLUMNS)

    def __len__(self) -> int:
        return len(self.entries)

    def node_at(self, row: int) -> int | None:
        """The node of a row; None for one that stands for more."""
        if not 0 <= row < len(self.entries) or self.entries[row].offset:
            return None
        return self.entries[row].node

    # ------------------------------------------------------------ opening and closing

    def has_more(self, node: int) -> bool:
        """Whether there is something below a node."""
        if self.relation == "dominated":
            return self.heap.retained_objects(node) > 1
        if self.relation == "referents":
            return self.heap.referent_count(node) > 0
        return self.heap.referrer_count(node) > 0

    def toggle(self, row: int) -> bool:
        """Open or close a row, or bring in more; False if nothing is below."""
        if not 0 <= row < len(self.entries):
            return False
        entry = self.entries[row]
        if entry.offset:
            self.entries[row : row + 1] = self._page(entry.node, entry.depth, entry.offset)
            return True
        return self.set_open(row, not entry.opened)

    def set_open(self, row: int, wanted: bool) -> bool:
        """Open (or close) a row; False if that changes nothing."""
        if not 0 <= row < len(self.entries):
            return False
        entry = self.entries[row]
        if entry.offset or entry.opened is wanted:
            return False
        if wanted and (entry.depth >= MAX_DEPTH or not self.has_more(entry.node)):
            return False
        entry.opened = wanted
        if wanted:
            self.entries[row + 1 : row + 1] = self._page(entry.node, entry.depth + 1, 0)
        else:
            del self.entries[row + 1 : self._end(row)]
        return True

    def parent_row(self, row: int) -> int:
        """The row above which a row hangs; itself at the top."""
        depth = self.entries[row].depth if row < len(self.entries) else 0
        return next((above for above in range(row - 1, -1, -1) if self.entries[above].depth < depth), row)

    def show_node(self, node: int) -> int:
        """Open all that a node hangs below in the dominator tree; gives its row, -1 if it is not held."""
        if not self.heap.is_held(node):
            return -1
        line = [node]
        tops = {entry.node for entry in self.entries if entry.depth == 0}
        while line[-1] not in tops:
            above = self.heap.dominator(line[-1])
            if above is None:
                return -1
            line.append(above)
        row = next(
            row for row, entry in enumerate(self.entries) if entry.depth == 0 and entry.node == line[-1]
        )
        for below in reversed(line[:-1]):
            if len(line) > MAX_DEPTH:
                return row
            self.set_open(row, True)
            row = self._row_below(row, below)
        return row

    def _row_below(self, row: int, node: int) -> int:
        """The row of a child of an open row; it is brought in if it is not there yet."""
        depth = self.entries[row].depth + 1
        place = row + 1
        while place < self._end(row):
            entry = self.entries[place]
            if entry.depth == depth and entry.offset and entry.offset < MAX_SEARCHED:
                self.toggle(place)
                entry = self.entries[place]
            if entry.depth == depth and entry.node == node and not entry.offset:
                return place
            place += 1
        self.entries.insert(place, TreeEntry(node, depth))
        return place

    def _end(self, row: int) -> int:
        """The row after all that is below a row."""
        depth = self.entries[row].depth
        end = row + 1
        while end < len(self.entries) and self.entries[end].depth > depth:
            end += 1
        return end

    def _page(self, node: int, depth: int, offset: int) -> list[TreeEntry]:
        found = list(islice(self._children(node, offset), PAGE + 1))
        rows = [TreeEntry(child, depth, label) for child, label in found[:PAGE]]
        if len(found) > PAGE:
            rows.append(TreeEntry(node, depth, offset=offset + PAGE))
        return rows

    def _children(self, node: int, offset: int) -> Iterator[tuple[int, str]]:
        heap = self.heap
        if self.relation == "dominated":
            tree = heap.analysis.tree
            for child in islice(tree.children(node), offset, None):
                yield child, label_of(heap, child, node)
            return
        listed = heap.referents if self.relation == "referents" else heap.referrers
        for reference in listed(node, offset, PAGE + 1):
            yield reference.node, reference.label

    # ------------------------------------------------------------ drawing

    def header(self, width: int) -> Line | None:
        return self._table.header(width)

    def line(self, index: int, width: int, selected: bool) -> Line:
        entry = self.entries[index]
        indent = "  " * min(entry.depth, 24)
        if entry.offset:
            text = f"{indent}… {self._left(entry)} (Enter: {PAGE} more)"
            blank = [("", "")] * (len(HEAP_COLUMNS) - 1)
            return self._table.row([(text, "dim"), *blank], width, selected=selected)
        label = entry.label if entry.depth else place_of(self.heap, entry.node)
        sign = "▾ " if entry.opened else "▹ " if self.has_more(entry.node) else "  "
        return node_line(
            self.heap, entry.node, self._table, width, selected, before=indent + sign, label=label
        )

    def _left(self, entry: TreeEntry) -> str:
        heap, node = self.heap, entry.node
        if self.relation == "referents":
            return f"{heap.referent_count(node) - entry.offset:,} more"
        if self.relation == "referrers":
            return f"{heap.referrer_count(node) - entry.offset:,} more"
        shown = sum(heap.retained(child) for child in islice(heap.analysis.tree.children(node), entry.offset))
        return f"more, {bytes_short(max(heap.retained(node) - heap.size(node) - shown, 0))} in all"
