"""The tree of a trace's spans: pure functions, tolerant of everything that a real trace has.

Parents that are missing make roots, cycles are cut, duplicates are left out, children may begin before their
parents (clocks differ). Flat arrays and no recursion: 100,000 spans are a normal case.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relive_tracer.explore.models import SpanRow

__all__ = ["SpanTree", "build_tree", "critical_path", "next_error"]


@dataclass(slots=True)
class SpanTree:
    """Spans as a waterfall shows them: parents before children, siblings by start. Parallel lists."""

    spans: list[SpanRow] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)  # index of the parent, -1 for a root
    sizes: list[int] = field(default_factory=list)  # the span and everything below it
    self_ns: list[int] = field(default_factory=list)  # own time that no child covers
    orphans: list[bool] = field(default_factory=list)  # names a parent that is not here
    errors: list[int] = field(default_factory=list)  # indices of failed spans, in this order
    start_ns: int = 0
    end_ns: int = 0
    duplicates: int = 0

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end."""
        return self.end_ns - self.start_ns

    def children(self, index: int) -> list[int]:
        """The direct children of a span."""
        result = []
        child = index + 1
        end = index + self.sizes[index]
        while child < end:
            result.append(child)
            child += self.sizes[child]
        return result

    def root_cause(self) -> int:
        """Where to look first: the deepest failed span that failed first; -1 if nothing failed."""
        if not self.errors:
            return -1
        inner = [i for i in self.errors if not self._error_below(i)]
        return min(inner, key=lambda i: (self.spans[i].end_ns, -self.depths[i]))

    def _error_below(self, index: int) -> bool:
        at = bisect_left(self.errors, index + 1)
        return at < len(self.errors) and self.errors[at] < index + self.sizes[index]


def build_tree(rows: Iterable[SpanRow]) -> SpanTree:
    """The tree of `rows`, in any order."""
    spans: dict[str, SpanRow] = {}
    duplicates = 0
    for row in rows:
        if row.span_id in spans:
            duplicates += 1
        else:
            spans[row.span_id] = row
    children: dict[str, list[SpanRow]] = {}
    roots: list[SpanRow] = []
    for row in spans.values():
        parent = row.parent_span_id
        if parent and parent in spans and parent != row.span_id:
            children.setdefault(parent, []).append(row)
        else:
            roots.append(row)
    for group in children.values():
        group.sort(key=_by_start)
    tree = SpanTree(duplicates=duplicates)
    _walk(tree, sorted(roots, key=_by_start), children, spans)
    if len(tree) < len(spans):
        _cut_cycles(tree, children, spans)
    _measure(tree)
    return tree


def _by_start(row: SpanRow) -> tuple[int, int, str]:
    return row.start_ns, -row.duration_ns, row.span_id


def _walk(
    tree: SpanTree, roots: Sequence[SpanRow], children: dict[str, list[SpanRow]], known: dict[str, SpanRow]
) -> None:
    stack = [(row, 0, -1) for row in reversed(roots)]
    while stack:
        row, depth, parent = stack.pop()
        index = len(tree.spans)
        tree.spans.append(row)
        tree.depths.append(depth)
        tree.parents.append(parent)
        tree.orphans.append(bool(row.parent_span_id) and row.parent_span_id not in known)
        if row.failed:
            tree.errors.append(index)
        for child in reversed(children.get(row.span_id, ())):
            stack.append((child, depth + 1, index))


def _cut_cycles(tree: SpanTree, children: dict[str, list[SpanRow]], known: dict[str, SpanRow]) -> None:
    """Spans that no root reaches are in a cycle or below one: the earliest becomes a root, and so on."""
    reached = {span.span_id for span in tree.spans}
    left = sorted((row for row in known.values() if row.span_id not in reached), key=_by_start)
    for row in left:
        if row.span_id in reached:
            continue
        children[row.parent_span_id] = [c for c in children[row.parent_span_id] if c is not row]
        before = len(tree.spans)
        _walk(tree, [row], children, known)
        reached.update(span.span_id for span in tree.spans[before:])


def _measure(tree: SpanTree) -> None:
    """Sizes, self times and the trace's bounds, in one pass from the leaves up."""
    count = len(tree.spans)
    tree.sizes = [1] * count
    tree.self_ns = [0] * count
    pending: dict[int, list[tuple[int, int]]] = {}
    for index in range(count - 1, -1, -1):
        span = tree.spans[index]
        tree.self_ns[index] = span.duration_ns - _covered(span, pending.pop(index, ()))
        parent = tree.parents[index]
        if parent >= 0:
            tree.sizes[parent] += tree.sizes[index]
            pending.setdefault(parent, []).append((span.start_ns, span.end_ns))
    if count:
        tree.start_ns = min(span.start_ns for span in tree.spans)
        tree.end_ns = max(span.end_ns for span in tree.spans)


def _covered(span: SpanRow, intervals: Sequence[tuple[int, int]]) -> int:
    """How much of `span` the intervals cover; what they cover twice counts once."""
    covered = 0
    reached = span.start_ns
    for start, end in sorted(intervals):
        start = max(start, reached)
        end = min(end, span.end_ns)
        if end > start:
            covered += end - start
            reached = end
    return covered


def critical_path(tree: SpanTree) -> list[int]:
    """Indices of the spans that the trace's end waited for, in waterfall order.

    Walks back from the end of the longest root: of the children, the one that ended last before the point
    reached, then the same below it and before it.
    """
    roots = [i for i, parent in enumerate(tree.parents) if parent < 0]
    if not roots:
        return []
    path: list[int] = []
    stack = [(max(roots, key=lambda i: tree.spans[i].duration_ns), tree.end_ns)]
    while stack:
        index, until = stack.pop()
        path.append(index)
        span = tree.spans[index]
        reached = min(until, span.end_ns)
        for child in sorted(tree.children(index), key=lambda i: tree.spans[i].end_ns, reverse=True):
            row = tree.spans[child]
            if row.end_ns <= reached and row.end_ns > span.start_ns:
                stack.append((child, reached))
                reached = row.start_ns
    return sorted(path)


def next_error(tree: SpanTree, index: int, step: int = 1) -> int:
    """The next failed span after `index` (step 1) or before it (-1), around the end; -1 if nothing failed."""
    if not tree.errors:
        return -1
    at = bisect_left(tree.errors, index)
    if step > 0:
        at += at < len(tree.errors) and tree.errors[at] == index
        return tree.errors[at % len(tree.errors)]
    return tree.errors[at - 1]
