"""A trace as a waterfall: the tree as flat arrays, what is folded, where the bars are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_views.records import SpanRow, attempt_in

from relive_tui.models.layout.format import clock_ms, duration
from relive_tui.models.layout.text import Line, clean, clean_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "FUNCTION", "PLUMBING", "SPAN", "Trace", "attempts_of", "build_trace", "critical_path", "hidden_plumbing",
    "kind_of", "minimap", "span_lines",
]  # fmt: skip


@dataclass(slots=True)
class Trace:
    """Spans in the order of the tree (parents first, brothers by start). All lists have one entry a span."""

    spans: list[SpanRow]
    depth: list[int]
    parent: list[int]
    end: list[int]  # index after the last descendant
    self_ns: list[int]
    bad: list[bool]  # the span or one below it failed
    start_ns: int = 0
    total_ns: int = 1
    _errors: list[int] | None = None

    def errors(self) -> list[int]:
        """Indexes of failed spans."""
        if self._errors is None:
            self._errors = [index for index, span in enumerate(self.spans) if span.failed]
        return self._errors

    def worst(self, invocation_id: str = "", attempt: int = 0) -> int:
        """Where the cursor starts: the deepest failed span (of that invocation, if it has one), else the
        longest by itself."""
        errors = self.errors()
        plumbing = hidden_plumbing(self)
        errors = [index for index in errors if index not in plumbing] or errors
        own = [index for index in errors if _belongs(self.spans[index], invocation_id, attempt)]
        errors = own or errors
        if errors:
            return max(errors, key=lambda index: (self.depth[index], -self.spans[index].start_ns))
        return max(range(len(self.spans)), key=lambda index: self.self_ns[index], default=0)

    def invocation_of(self, index: int) -> tuple[str, int]:
        """(invocation id, attempt or 0) of a span: its own, its nearest ancestor's, else that of the trace's
        worst span or of any other; "" if no span has one."""
        for place in self._near(index):
            attributes = self.spans[place].attributes
            ident = attributes.get("faas.invocation_id", "")
            if ident:
                return ident, attempt_in(attributes, 0)
        return "", 0

    def _near(self, index: int) -> Iterator[int]:
        yield from self.path(index)[::-1]
        yield from self.path(self.worst())[::-1]
        yield from range(len(self.spans))

    def path(self, index: int) -> list[int]:
        """Ancestors of a span, from the root."""
        result: list[int] = []
        while index >= 0:
            result.append(index)
            index = self.parent[index]
        return result[::-1]

    def visible(self, folded: set[int]) -> list[int]:
        """Indexes of the spans that are shown when those in `folded` are closed."""
        result: list[int] = []
        index = 0
        while index < len(self.spans):
            result.append(index)
            index = self.end[index] if index in folded else index + 1
        return result


def _belongs(span: SpanRow, invocation_id: str, attempt: int) -> bool:
    if not invocation_id or span.attributes.get("faas.invocation_id") != invocation_id:
        return False
    return not attempt or span.attributes.get("relive.attempt", "1") == str(attempt)


FUNCTION, SPAN, PLUMBING = "function", "span", "plumbing"
_PLUMBING_NAMES = ("queue", "init", "trigger")


def kind_of(span: SpanRow) -> str:
    """What a span stands for: a function's run, the platform's work around it, or anything else, which is the
    application's own."""
    attributes = span.attributes
    if "faas.name" in attributes:
        return FUNCTION
    platform = "faas.trigger" in attributes or "faas.invoked_name" in attributes
    sends = span.kind == "Producer" and "faas.invocation_id" in attributes
    return PLUMBING if platform or sends or span.name in _PLUMBING_NAMES else SPAN


def hidden_plumbing(trace: Trace) -> set[int]:
    """The platform's spans that tell nothing by themselves: none that begins the trace, and none that failed
    without anything below it that failed."""
    return {
        index
        for index, span in enumerate(trace.spans)
        if trace.parent[index] >= 0
        and kind_of(span) == PLUMBING
        and not (span.failed and not any(trace.bad[index + 1 : trace.end[index]]))
    }


def attempts_of(trace: Trace) -> dict[int, int]:
    """Function span -> the number of its attempt, if its invocation was tried more than once."""
    numbers: dict[int, tuple[str, int]] = {}
    for index, span in enumerate(trace.spans):
        if kind_of(span) == FUNCTION:
            ident = span.attributes.get("faas.invocation_id", "")
            numbers[index] = (ident, attempt_in(span.attributes))
    often = {ident for ident, attempt in numbers.values() if ident and attempt > 1}
    return {index: attempt for index, (ident, attempt) in numbers.items() if ident in often}


def build_trace(spans: Iterable[SpanRow]) -> Trace:
    """The tree of spans that came in any order; an unknown parent, a cycle or a doubled id makes a root."""
    rows = sorted(spans, key=lambda span: (span.start_ns, -span.duration_ns))
    unique = list({span.span_id: span for span in reversed(rows)}.values())[::-1]
    known = {span.span_id for span in unique}
    children: dict[str, list[SpanRow]] = defaultdict(list)
    roots: list[SpanRow] = []
    for span in unique:
        parent = span.parent_span_id
        (children[parent] if parent in known and parent != span.span_id else roots).append(span)
    trace = Trace([], [], [], [], [], [])
    _lay_out(trace, roots, children)
    if len(trace.spans) < len(unique):  # a cycle: none of its spans hangs below a root
        placed = {span.span_id for span in trace.spans}
        _lay_out(trace, [span for span in unique if span.span_id not in placed], {})
    _measure(trace)
    return trace


def _lay_out(trace: Trace, roots: Sequence[SpanRow], children: dict[str, list[SpanRow]]) -> None:
    todo = [(span, 0, -1) for span in reversed(roots)]
    while todo:
        span, depth, parent = todo.pop()
        index = len(trace.spans)
        trace.spans.append(span)
        trace.depth.append(depth)
        trace.parent.append(parent)
        todo.extend((child, depth + 1, index) for child in reversed(children.get(span.span_id, ())))


def _measure(trace: Trace) -> None:
    """Ends of subtrees, own time (without what the union of the children covers), failures below."""
    count = len(trace.spans)
    trace.end = list(range(1, count + 1))
    trace.bad = [span.failed for span in trace.spans]
    covered = [0] * count
    reached = [span.start_ns for span in trace.spans]
    for index in range(count):
        parent = trace.parent[index]
        if parent >= 0:
            span, above = trace.spans[index], trace.spans[parent]
            finish = min(span.start_ns + span.duration_ns, above.start_ns + above.duration_ns)
            begin = max(span.start_ns, reached[parent])
            covered[parent] += max(finish - begin, 0)
            reached[parent] = max(reached[parent], finish)
    for index in range(count - 1, 0, -1):
        parent = trace.parent[index]
        if parent >= 0:
            trace.end[parent] = max(trace.end[parent], trace.end[index])
            trace.bad[parent] = trace.bad[parent] or trace.bad[index]
    trace.self_ns = [max(span.duration_ns - covered[index], 0) for index, span in enumerate(trace.spans)]
    if count:
        trace.start_ns = min(span.start_ns for span in trace.spans)
        finish = max(span.start_ns + span.duration_ns for span in trace.spans)
        trace.total_ns = max(finish - trace.start_ns, 1)


def critical_path(trace: Trace) -> dict[int, int]:
    """Spans that the end of the trace waited for -> how long it waited for each of them itself, in ns.

    Backwards from the end of the root that ends last, with all it set off: the child that ended last before
    that point held it up, and before its start the child that ended last before, and so on.
    """
    children: dict[int, list[int]] = defaultdict(list)
    roots: list[int] = []
    for index, parent in enumerate(trace.parent):
        (children[parent] if parent >= 0 else roots).append(index)
    if not roots:
        return {}

    # what a span set off may end after it, as a queued event does: it counts with all that lies below it
    ends = [span.start_ns + span.duration_ns for span in trace.spans]
    for index in range(len(ends) - 1, -1, -1):
        if trace.parent[index] >= 0:
            ends[trace.parent[index]] = max(ends[trace.parent[index]], ends[index])
    end = ends.__getitem__
    result: dict[int, int] = {}
    top = max(roots, key=end)
    todo = [(top, trace.spans[top].start_ns, end(top))]
    while todo:
        index, low, until = todo.pop()
        low = max(low, trace.spans[index].start_ns)
        point = last = min(until, end(index))
        own = 0
        for child in sorted(children[index], key=end, reverse=True):
            begin = max(trace.spans[child].start_ns, low)
            finish = min(end(child), last)
            if begin < finish <= point:  # what ended later was not waited for
                own += point - finish
                todo.append((child, begin, finish))
                point = begin
        result[index] = own + max(point - low, 0)
    return result


def minimap(trace: Trace, width: int) -> Line:
    """Density of the trace over time in one line; ✖ if a span failed."""
    if not trace.spans or width <= 0:
        return []
    counts = [0] * (width + 1)
    for span in trace.spans:
        first = (span.start_ns - trace.start_ns) * width // trace.total_ns
        last = (span.start_ns + span.duration_ns - trace.start_ns) * width // trace.total_ns
        counts[min(first, width - 1)] += 1
        counts[min(max(last, first + 1), width)] -= 1
    failed = {
        min((trace.spans[index].start_ns + trace.spans[index].duration_ns - trace.start_ns) * width
            // trace.total_ns, width - 1)
        for index in trace.errors()
    }  # fmt: skip
    levels: list[int] = []
    level = 0
    for change in counts[:width]:
        level += change
        levels.append(level)
    top = max(max(levels), 1)
    glyphs = " ▁▂▃▄▅▆▇█"
    return [
        ("✖", "error") if cell in failed else (glyphs[(value * 8 + top - 1) // top], "bar")
        for cell, value in enumerate(levels)
    ]


def span_lines(trace: Trace, index: int) -> list[Line]:
    """Everything on one span, for the pane beside the logs."""
    span = trace.spans[index]
    lines: list[Line] = [
        [("✖ " * span.failed, "error"), (clean(span.name), "bold"), ("  " + clean(span.kind), "dim")],
        [
            ("total ", "dim"), (duration(span.duration_ns), ""), ("  self ", "dim"),
            (duration(trace.self_ns[index]), ""), ("  at +", "dim"),
            (duration(span.start_ns - trace.start_ns), ""),
        ],
    ]  # fmt: skip
    if span.status_message:
        lines.append([(clean_title(span.status_message), "error")])
    for name, value in sorted(span.attributes.items()):
        lines.append([(clean(name), "key"), (" = ", "dim"), (clean(value), "value")])
    for event in span.events:
        lines.append([(clock_ms(event.timestamp_ns), "dim"), (" ◆ ", "accent"), (clean(event.name), "")])
        for name, value in sorted(event.attributes.items()):
            if name != "exception.stacktrace":
                lines.append([("    " + clean(name), "key"), (" = ", "dim"), (clean(value), "value")])
    lines.append(
        [("span ", "dim"), (clean(span.span_id), "dim"), ("  service ", "dim"), (clean(span.service), "")]
    )
    return lines
