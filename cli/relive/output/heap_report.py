"""A heap as text for the terminal: what fills it and who holds it, on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from relive_base.terminal import one_line

from relive.output import format_bytes, format_ns

if TYPE_CHECKING:
    from relive_views.heaps import Comparison, Heap, LocalRow, PlaceGrowth, Suspect

__all__ = ["comparison_text", "heap_text", "retainers_text"]

_PATHS = 8
_REFERRERS = 12
_SHARING = 4
_GROWN = 4


def heap_text(
    heap: Heap, title: str, ident: str, top: int, width: int, growth: Comparison | None = None
) -> str:
    """Total, suspects with their paths, locals, `growth` since a healthy heap, largest objects, types, and
    what to type next."""
    from relive_views.heaps import findings, suspects

    found = suspects(heap)
    lines = [*_head(heap, title), "", "Who holds it"]
    for suspect in found:
        lines += _suspect(heap, suspect)
    if not found:
        lines.append("  nothing holds 10 % of it alone")
    rows = _locals(findings.locals_of(heap))
    if rows:
        lines += ["", f"{'Locals':<28}{'leads to':>10}{'alone':>10}", *rows[:top]]
    lines += _since(growth, top)
    lines += ["", f"{'Largest objects':<18}{'retained':>10}{'objects':>11}"]
    lines += [_object(heap, node) for node in findings.biggest(heap, top)]
    lines += ["", f"{'Types':<8}{'retained':>10}{'own':>10}{'objects':>11}"]
    lines += [
        f"{'':<8}{format_bytes(row.retained):>10}{format_bytes(row.shallow):>10}{row.count:>11,}  {row.name}"
        for row in findings.types(heap)[:top]
    ]
    return _cut([*lines, *_next(heap, found, ident)], width)


def _head(heap: Heap, title: str) -> list[str]:
    meta = heap.meta
    facts = [f"{heap.held:,} objects", format_bytes(heap.total)]
    if meta.rss_bytes:
        facts.append(f"{format_bytes(meta.rss_bytes)} resident")
    if meta.cpu_ns:
        facts.append(f"taken in {format_ns(meta.cpu_ns)} CPU by the {meta.walker or 'unknown'} walker")
    lines = [f"Heap of {title}", "  " + " · ".join(facts)]
    if meta.truncated:
        lines.append(f"  not whole: {meta.truncated}; what was not walked is not in these figures")
    if heap.objects > heap.held:
        lines.append(f"  {heap.objects - heap.held:,} more objects that nothing holds")
    return lines


def _suspect(heap: Heap, suspect: Suspect) -> list[str]:
    path = suspect.path.text if suspect.path else heap.name(suspect.node)
    lines = [f"  {suspect.share:>5.1%}  {format_bytes(suspect.retained):>8}  {path}"]
    indent = " " * 19
    if suspect.point != suspect.node and suspect.point_path is not None:
        lines.append(f"{indent}all but little of it in {suspect.point_path.text}")
    if suspect.shared_by:
        lines.append(f"{indent}shared by {', '.join(suspect.shared_by[:_SHARING])}")
    if suspect.holds:
        lines.append(
            f"{indent}{suspect.holds_count:,} × {suspect.holds}, {format_bytes(suspect.holds_bytes)} by "
            f"themselves; {suspect.children:,} objects directly below"
        )
    return lines


def _since(growth: Comparison | None, top: int) -> list[str]:
    if growth is None:
        return []
    whole = growth.total_after - growth.total_before
    return [
        "",
        f"Grown since a healthy invocation, {_signed(whole)} of {format_bytes(growth.total_before)}",
        *_places([place for place in growth.places[: min(top, _GROWN)] if place.growth > 0]),
    ]


def _places(places: Sequence[PlaceGrowth]) -> list[str]:
    return [
        f"{'':<8}{_signed(place.growth):>10}{format_bytes(place.before):>10}{format_bytes(place.after):>10}  "
        f"{place.kind}  {place.path}"
        for place in places
    ]


def _locals(rows: Sequence[LocalRow]) -> list[str]:
    """One line for each object: of a local that is handed down, with all its frames."""
    same: dict[tuple[int, str], list[LocalRow]] = {}
    for row in rows:
        if row.reaches:
            same.setdefault((row.node, row.name), []).append(row)
    return [
        f"  {found[0].name:<26}{format_bytes(found[0].reaches):>10}{format_bytes(found[0].exclusive):>10}  "
        f"{found[0].kind}  {', '.join(row.frame for row in found)}"
        for found in same.values()
    ]


def _object(heap: Heap, node: int) -> str:
    path = heap.path(node)
    return (
        f"{'':<18}{format_bytes(heap.retained(node)):>10}{heap.retained_objects(node):>11,}  "
        f"{heap.kind(node)}  {path.text if path else ''}"
    )


def _next(heap: Heap, found: Sequence[Suspect], ident: str) -> list[str]:
    lines = ["", "Next"]
    points = [suspect.point for suspect in found if heap.is_object(suspect.point)]
    if points:
        lines.append(f"  relive heap {ident} --retainers {heap.address(points[0]):#x}")
    lines.append(f"  relive heap {ident} --compare ID")
    lines.append(f"  relive heap {ident} --export heap.heapsnapshot    (Chrome DevTools, memlab)")
    return lines


def retainers_text(heap: Heap, node: int, width: int) -> str:
    """The paths that hold an object, the shortest first, and what refers to it."""
    lines = [
        f"{heap.name(node, width)} at {heap.address(node):#x}",
        f"  {format_bytes(heap.size(node))} of its own, {format_bytes(heap.retained(node))} retained "
        f"in {heap.retained_objects(node):,} objects",
        "",
        "Paths that hold it, the shortest first",
    ]
    paths = heap.paths(node, 0, _PATHS)
    lines += [f"  {path.text}" for path in paths] or ["  none: nothing holds it"]
    count = heap.referrer_count(node)
    lines += ["", f"Referrers ({count:,})"]
    for edge in heap.referrers(node, 0, _REFERRERS):
        place = f"{heap.address(edge.node):#x}" if heap.is_object(edge.node) else ""
        lines.append(f"  {edge.label:<24} of {heap.name(edge.node, 60)} {place}".rstrip())
    if count > _REFERRERS:
        lines.append(f"  … {count - _REFERRERS:,} more")
    return _cut(lines, width)


def comparison_text(found: Comparison, before: str, after: str, top: int, width: int) -> str:
    """What has grown, by place and by type."""
    growth = found.total_after - found.total_before
    lines = [
        f"Growth from {before} to {after}",
        f"  {format_bytes(found.total_before)} to {format_bytes(found.total_after)} ({_signed(growth)}), "
        f"{found.objects_before:,} to {found.objects_after:,} objects",
        "",
        f"{'Places':<8}{'growth':>10}{'before':>10}{'after':>10}",
    ]
    shown = [*found.places[:top], *(place for place in found.places[top:][-3:] if place.growth < 0)]
    lines += _places(shown) or ["  none has changed"]
    lines += ["", f"{'Types':<8}{'growth':>10}{'before':>10}{'after':>10}"]
    lines += [
        f"{'':<8}{_signed(row.growth):>10}{row.count_before:>10,}{row.count_after:>10,}  {row.name}"
        for row in found.types[:top]
    ] or ["  none has changed"]
    return _cut(lines, width)


def _signed(count: int) -> str:
    return f"{'-' if count < 0 else '+'}{format_bytes(abs(count))}" if count else "0 B"


def _cut(lines: Iterable[str], width: int) -> str:
    return "\n".join(one_line(line, width) for line in lines)
