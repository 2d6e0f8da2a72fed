"""A trace as text, for `relive trace`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relive_base.terminal import cells, one_line, padded, title_line

from relive_tracer.explore.models import SpanRow
from relive_tracer.explore.tree import SpanTree, critical_path

__all__ = ["TraceLine", "duration_text", "render_text", "trace_lines"]

_NAME_SHARE: Final = 0.4  # of the width
_MAX_LINES: Final = 5_000
_MAX_DEPTH: Final = 12
_TIME: Final = 11  # cells of a duration
_TIMES: Final = 2 * _TIME + 2
_LEAST_BAR: Final = 10


def duration_text(ns: int) -> str:
    """A duration with three or so digits: "812 ns", "1.24 ms", "3.50 s", "2 min 05 s"."""
    if ns < 1_000:
        return f"{ns} ns"
    if ns < 1_000_000:
        return f"{ns / 1e3:.1f} us"
    if ns < 1_000_000_000:
        return f"{ns / 1e6:.2f} ms"
    if ns < 60_000_000_000:
        return f"{ns / 1e9:.2f} s"
    minutes = ns // 60_000_000_000
    if minutes < 60:
        return f"{minutes} min {ns // 1_000_000_000 % 60:02d} s"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24:02d} h"


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A line of the text. `style`: "head", "function" (the span of an invocation), "failed", "error" (why it
    failed), "between" (calls, queues: what leads to an invocation), "dim" or ""."""

    text: str
    style: str = ""


def render_text(tree: SpanTree, width: int = 120, *, limit: int = _MAX_LINES) -> str:
    """One line a span: name, bar, duration, own time. Failed spans are marked and carry their message below.

    Everything that came from outside is made safe for a terminal.
    """
    return "\n".join(line.text for line in trace_lines(tree, width, limit=limit))


def trace_lines(tree: SpanTree, width: int = 120, *, limit: int = _MAX_LINES) -> list[TraceLine]:
    """The same, line by line with a style."""
    if not tree.spans:
        return [TraceLine("no spans")]
    critical = set(critical_path(tree))
    count = min(len(tree), limit)
    names = [_name(tree, index) for index in range(count)]
    least = max(int(width * _NAME_SHARE), 20)
    name_width = min(max(map(cells, names)), max(width - _TIMES - _LEAST_BAR, 20), max(least, width // 2))
    bar_width = max(width - name_width - _TIMES - 1, _LEAST_BAR)
    first = tree.spans[0]
    errors = f"{len(tree.errors)} error{'s' * (len(tree.errors) != 1)}"
    lines = [
        TraceLine(
            f"trace {one_line(first.trace_id)}  {len(tree)} span{'s' * (len(tree) != 1)}"
            f"  {duration_text(tree.duration_ns)}  {errors}",
            "head",
        ),
        TraceLine(f"{'':{name_width + bar_width + 1}} {'took':>{_TIME}} {'self':>{_TIME}}", "dim"),
    ]
    for index in range(count):
        span = tree.spans[index]
        text = _line(tree, index, padded(one_line(names[index], name_width), name_width), bar_width, critical)
        lines.append(TraceLine(text, _style(span)))
        if span.failed and span.status_message:
            indent = "  " * min(tree.depths[index], _MAX_DEPTH)
            message = title_line(span.status_message, max(width - len(indent) - 4, 20))
            lines.append(TraceLine(f"{indent}    {message}", "error"))
    if len(tree) > limit:
        lines.append(TraceLine(f"{len(tree) - limit} more spans", "dim"))
    return lines


def _name(tree: SpanTree, index: int) -> str:
    span = tree.spans[index]
    mark = "x" if span.failed else "?" if tree.orphans[index] else " "
    return one_line(f"{'  ' * min(tree.depths[index], _MAX_DEPTH)}{mark} {span.title}")


def _line(tree: SpanTree, index: int, name: str, bar_width: int, critical: set[int]) -> str:
    span = tree.spans[index]
    total = max(tree.duration_ns, 1)
    begin = min((span.start_ns - tree.start_ns) * bar_width // total, bar_width - 1)
    length = max(span.duration_ns * bar_width // total, 1)
    bar = (" " * begin + ("━" if index in critical else "─") * length)[:bar_width]
    times = f"{duration_text(span.duration_ns):>{_TIME}} {duration_text(tree.self_ns[index]):>{_TIME}}"
    return f"{name} {bar:<{bar_width}} {times}".rstrip()


def _style(span: SpanRow) -> str:
    if span.failed:
        return "failed"
    if "faas.name" in span.attributes:
        return "function"
    return "between" if span.kind in ("Client", "Server", "Producer", "Consumer") else ""
