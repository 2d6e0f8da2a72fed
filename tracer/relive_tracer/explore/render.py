"""A trace as text, for `relive trace`."""

from __future__ import annotations

from typing import Final

from relive_base.terminal import one_line

from relive_tracer.explore.tree import SpanTree, critical_path

__all__ = ["duration_text", "render_text"]

_NAME_SHARE: Final = 0.4  # of the width
_MAX_LINES: Final = 5_000


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
    return f"{ns // 60_000_000_000} min {ns // 1_000_000_000 % 60:02d} s"


def render_text(tree: SpanTree, width: int = 120, *, limit: int = _MAX_LINES) -> str:
    """One line a span: name, bar, duration, own time. Failed spans are marked and carry their message below.

    Everything that came from outside is made safe for a terminal.
    """
    if not tree.spans:
        return "no spans"
    critical = set(critical_path(tree))
    name_width = max(int(width * _NAME_SHARE), 20)
    bar_width = max(width - name_width - 32, 10)
    first = tree.spans[0]
    lines = [
        f"trace {one_line(first.trace_id)}  {len(tree)} spans  {duration_text(tree.duration_ns)}"
        f"  {len(tree.errors)} errors"
    ]
    for index in range(min(len(tree), limit)):
        lines.append(_line(tree, index, name_width, bar_width, index in critical))
        span = tree.spans[index]
        if span.failed and span.status_message:
            indent = "  " * min(tree.depths[index], 12)
            lines.append(f"{indent}    {one_line(span.status_message, max(width - len(indent) - 4, 20))}")
    if len(tree) > limit:
        lines.append(f"{len(tree) - limit} more spans")
    return "\n".join(lines)


def _line(tree: SpanTree, index: int, name_width: int, bar_width: int, critical: bool) -> str:
    span = tree.spans[index]
    mark = "x" if span.failed else "?" if tree.orphans[index] else " "
    name = one_line(f"{'  ' * min(tree.depths[index], 12)}{mark} {span.name}", name_width)
    total = max(tree.duration_ns, 1)
    begin = min((span.start_ns - tree.start_ns) * bar_width // total, bar_width - 1)
    length = max(span.duration_ns * bar_width // total, 1)
    bar = (" " * begin + ("━" if critical else "─") * length)[:bar_width]
    times = f"{duration_text(span.duration_ns):>11}  self {duration_text(tree.self_ns[index]):>11}"
    return f"{name:<{name_width}} {bar:<{bar_width}} {times}".rstrip()
