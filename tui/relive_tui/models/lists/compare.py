"""Two invocations side by side: their figures, what differs in their events, which lines took longer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.home import failure_title
from relive_tui.models.layout.format import bytes_short, clock_ms, duration, short_id
from relive_tui.models.layout.text import Line, clean, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relive_views.records import InvocationRow

__all__ = ["Comparison", "HotChange", "compare_lines", "event_differences"]

MAX_DIFFERENCES = 200
MAX_DEPTH = 20
_LABEL = 12


@dataclass(frozen=True, slots=True)
class HotChange:
    """A line and its own time in both, in ms."""

    file: str
    line: int
    name: str
    before_ms: float
    after_ms: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What had to be asked for. `events`: the two as text, None if an invocation left no scene."""

    events: tuple[str | None, str | None] = (None, None)
    hot: tuple[HotChange, ...] = ()
    note: str = ""  # how far the lines can be trusted


def event_differences(before: str, after: str) -> list[tuple[str, str, str]]:
    """(path, before, after) of what differs between two JSON texts; of other texts, the texts themselves."""
    try:
        old, new = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return [] if before == after else [("event", before, after)]
    found: list[tuple[str, str, str]] = []
    for difference in _walk("event", old, new, 0):
        found.append(difference)
        if len(found) >= MAX_DIFFERENCES:
            break
    return found


def _walk(path: str, old: object, new: object, depth: int) -> Iterator[tuple[str, str, str]]:
    if old == new and type(old) is type(new):
        return
    if depth < MAX_DEPTH and isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{path}.{key}"
            if key not in old or key not in new:
                yield inner, _text(old[key]) if key in old else "–", _text(new[key]) if key in new else "–"
            else:
                yield from _walk(inner, old[key], new[key], depth + 1)
    elif depth < MAX_DEPTH and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old) or index >= len(new):
                yield (
                    inner,
                    _text(old[index]) if index < len(old) else "–",
                    _text(new[index]) if index < len(new) else "–",
                )
            else:
                yield from _walk(inner, old[index], new[index], depth + 1)
    else:
        yield path, _text(old), _text(new)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def compare_lines(
    before: InvocationRow, after: InvocationRow, found: Comparison | None, width: int
) -> list[Line]:
    """The whole comparison; without `found` what is known of the rows alone."""
    column = max((width - _LABEL - 2) // 3, 10)
    lines = [_row("", "A", "B", "", column, "head")]
    lines += [_figure(*entry, column) for entry in _facts(before, after)]
    lines += [_measure(*entry, column) for entry in _measures(before, after)]
    if found is None:
        return [*lines, [], [("… loading events and profiles", "dim")]]
    return [*lines, [], *_event_lines(found, column), [], *_hot_lines(found)]


def _facts(before: InvocationRow, after: InvocationRow) -> list[tuple[str, str, str]]:
    def error(row: InvocationRow) -> str:
        return failure_title(row.error_type, row.error_message) if row.error_type else ""

    return [
        ("invocation", short_id(before.invocation_id), short_id(after.invocation_id)),
        ("function", before.function, after.function),
        ("version", f"v{before.version}", f"v{after.version}"),
        ("started", clock_ms(before.started_at), clock_ms(after.started_at)),
        ("status", before.status, after.status),
        ("error", error(before), error(after)),
        ("start", "cold" if before.cold else "warm", "cold" if after.cold else "warm"),
        ("from", before.trigger, after.trigger),
        ("attempt", str(before.attempt), str(after.attempt)),
        ("http", str(before.http_status or ""), str(after.http_status or "")),
    ]


def _measures(before: InvocationRow, after: InvocationRow) -> list[tuple[str, int, int, bool]]:
    return [
        ("queue", before.queue_ns, after.queue_ns, True),
        ("init", before.init_ns, after.init_ns, True),
        ("handler", before.duration_ns, after.duration_ns, True),
        ("cpu", before.cpu_ns, after.cpu_ns, True),
        ("memory", before.peak_rss_bytes, after.peak_rss_bytes, False),
    ]


def _figure(label: str, before: str, after: str, column: int) -> Line:
    same = before == after or label in ("invocation", "started")
    return _row(label, before, after, "" if same else "≠", column, "" if same else "warn")


def _measure(label: str, before: int, after: int, is_time: bool, column: int) -> Line:
    show = duration if is_time else bytes_short
    change = ""
    if before and after:
        change = f"×{after / before:.2f}"
    far = bool(before and after) and not 0.67 < after / before < 1.5
    return _row(label, show(before) if before else "-", show(after) if after else "-", change, column,
                "warn" if far else "")  # fmt: skip


def _row(label: str, before: str, after: str, change: str, column: int, style: str) -> Line:
    return [
        (fit(label, _LABEL), "dim"),
        (fit(clean(before), column - 1) + " ", style),
        (fit(clean(after), column - 1) + " ", style),
        (fit(change, column), style),
    ]


def _event_lines(found: Comparison, column: int) -> list[Line]:
    before, after = found.events
    title: Line = [("Events", "name")]
    if before is None or after is None:
        which = (
            "A and B have" if before is None and after is None else f"{'A' if before is None else 'B'} has"
        )
        return [title, [(f"  {which} no scene, and only scenes keep the event", "dim")]]
    differences = event_differences(before, after)
    if not differences:
        return [title, [("  the same", "ok")]]
    lines = [title]
    for path, old, new in differences:
        lines.append([("  " + clean(path), "key")])
        lines.append([("    A ", "dim"), (clean(old), "value")])
        lines.append([("    B ", "dim"), (clean(new), "value")])
    if len(differences) >= MAX_DIFFERENCES:
        lines.append([(f"  … the first {MAX_DIFFERENCES} differences", "dim")])
    return lines


def _hot_lines(found: Comparison) -> list[Line]:
    lines: list[Line] = [
        [("Lines by own time, the greatest change first", "name"), ("  " + found.note, "dim")]
    ]
    if not found.hot and found.note.startswith("profiles"):
        return lines
    if not found.hot:
        return [*lines, [("  too short for samples", "dim")]]
    for row in found.hot:
        change = row.after_ms - row.before_ms
        lines.append(
            [
                (f"  {change:+9.1f} ms ", "warn" if change > 0 else "ok"),
                (f"A {row.before_ms:8.1f}  B {row.after_ms:8.1f}  ", "dim"),
                (f"{clean(row.file.rsplit('/', 1)[-1])}:{row.line} ", "path"),
                (clean(row.name), "name"),
            ]
        )
    return lines
