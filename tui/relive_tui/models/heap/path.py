"""From a root to an object, and what the object is: the two panes beside the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_tui.models.heap.rows import BIG_SHARE
from relive_tui.models.layout.format import bytes_short
from relive_tui.models.layout.text import Line, clean, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.heaps import Heap, RetainerPath, Suspect

__all__ = ["NodeRows", "path_lines", "path_text", "suspect_line"]

MAX_STEPS = 40
MAX_REFERENTS = 200
KEY_LABEL = "(key "


def path_lines(path: RetainerPath | None, heap: Heap) -> list[Line]:
    """The path as a stair, a step each; of a long one the middle is left out."""
    if path is None:
        return [[("nothing holds it: it was garbage when the snapshot was taken", "dim")]]
    lines: list[Line] = []
    steps = path.steps
    left_out = len(steps) - MAX_STEPS
    last = len(steps) - 1
    for number, step in enumerate(steps):
        if left_out > 0 and MAX_STEPS // 2 <= number < len(steps) - MAX_STEPS // 2:
            if number == MAX_STEPS // 2:
                lines.append([(f"  ⋮ {left_out} steps", "dim")])
            continue
        corner = "└▸" if number == last else "└ "
        indent = "  " * min(number - 1, 12) + corner if number else ""
        is_object = heap.is_object(step.node)
        label = clean(step.label)
        kind = f"  {clean(step.kind)}" if is_object and not label.startswith(step.kind) else ""
        style = "name" if not is_object else "bold" if number == last else "key"
        lines.append(
            [
                (indent, "accent" if number == last else "dim"), (label, style), (kind, "dim"),
                (f"  {bytes_short(step.retained)}", "warn" if heap.share(step.node) >= BIG_SHARE else ""),
            ]
        )  # fmt: skip
    return lines


def path_text(path: RetainerPath | None) -> str:
    """`cart.py:88 handler › basket › ['items']`, for the clipboard."""
    return path.text if path is not None else ""


class NodeRows:
    """What a node is: its name, sizes and address, then what it refers to first; keys of a dict stand in the
    labels of their values already."""

    def __init__(self, heap: Heap, node: int) -> None:
        self.heap = heap
        self.node = node
        self._count = heap.referent_count(node)
        listed = heap.referents(node, 0, MAX_REFERENTS)
        self._shown = [reference for reference in listed if not reference.label.startswith(KEY_LABEL)]
        self._left = self._count - len(listed)

    def __len__(self) -> int:
        return 2 + len(self._shown) + (self._left > 0)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        heap, node = self.heap, self.node
        if index == 0:
            return [(clean(heap.name(node, 400)), "bold")]
        if index == 1:
            return [(self._facts(), "dim")]
        if index - 2 >= len(self._shown):
            return [(f"  … {self._left:,} more", "dim")]
        found = self._shown[index - 2]
        return [
            ("  " + fit(clean(found.label), 24), "key"),
            (f"{bytes_short(heap.retained(found.node)):>7}  ", "dim"),
            (heap.name(found.node, 120), "value"),
        ]

    def _facts(self) -> str:
        heap, node = self.heap, self.node
        facts = f"holds {bytes_short(heap.retained(node))} in {heap.retained_objects(node):,} objects"
        if heap.is_object(node):
            facts += f" · own {bytes_short(heap.size(node))} · {heap.address(node):#x}"
            facts += f" · referred to {heap.referrer_count(node):,}×"
        return f"{facts} · refers to {self._count:,}"


def _tail(text: str, limit: int = 48) -> str:
    """The end of a long path: what is near the object says more."""
    return clean(text if len(text) <= limit else "…" + text[-limit:])


def suspect_line(heap: Heap, place: int, suspects: Sequence[Suspect]) -> Line:
    """What looks like a leak, in one line."""
    if not suspects:
        return [("✔ ", "ok"), ("no object holds a tenth of the heap", "dim")]
    suspect = suspects[place]
    point = suspect.point
    line: Line = [
        ("◆ ", "error"),
        (f"leak suspect {place + 1}/{len(suspects)}  ", "error"),
        (f"{bytes_short(heap.retained(point))} ({heap.share(point) * 100:.0f}%) ", "bold"),
        (f"in {heap.kind(point)} ", "warn"),
        (_tail(path_text(suspect.point_path)), "name"),
    ]
    if suspect.holds:
        line.append(
            (
                f"  {suspect.children:,} children, mostly {clean(suspect.holds)} ×{suspect.holds_count:,}",
                "dim",
            )
        )
    if len(suspects) > 1:
        line.append(("  (e next)", "dim"))
    return line
