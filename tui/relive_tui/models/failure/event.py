"""The event of a failure: as it came, and where it differs from the last one that went well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_base.json_text import parse_bounded, pretty

from relive_tui.models.failure.syntax import highlight_json
from relive_tui.models.layout.format import clock, short_id
from relive_tui.models.layout.text import Line, clean

if TYPE_CHECKING:
    from relive_views.scenes.differences import EventChange, EventDiff

__all__ = ["difference_lines", "event_lines"]

EVENT_LINES = 500
EVENT_CHARS = 100_000


def event_lines(text: str) -> list[Line]:
    """The event, as indented JSON if it is JSON, else as it came."""
    if not text:
        return [[("no event was recorded", "dim")]]
    shown, cut = text[:EVENT_CHARS], len(text) > EVENT_CHARS
    try:
        if not cut:
            shown, cut = pretty(parse_bounded(text), EVENT_CHARS * 2)
    except ValueError:
        pass  # as it came
    rows = shown.split("\n")
    lines = [highlight_json(row) for row in rows[:EVENT_LINES]]
    left = len(rows) - EVENT_LINES
    if left > 0 or cut:
        lines.append([(f"… {max(left, 0)} more lines ({len(text)} characters in all)", "dim")])
    return lines


_SIGNS = {"removed": ("- ", "error"), "added": ("+ ", "ok"), "type": ("≠ ", "error")}
"""Other values: `~`."""
_TAILS = {"removed": ", absent here", "added": ", only here", "type": ", of another type"}
"""What the sign says already, for whoever does not know it: the first to go if the line is too long."""


def difference_lines(difference: EventDiff) -> list[Line]:
    """What this event has (`+`), lacks (`-`) and has otherwise (`~`) than the last one that went well."""
    since = f"{short_id(difference.invocation_id)} at {clock(difference.started_ns)}".removesuffix(" at ")
    lines: list[Line] = [[(f"last success {clean(since)}", "dim")]]
    if not difference.changes:
        return [*lines, [("the same event: the cause lies elsewhere", "ok")]]
    lines += [_change(change) for change in difference.changes]
    if difference.more:
        lines.append([(f"… {difference.more:,} more differences", "dim")])
    return lines


def _change(change: EventChange) -> Line:
    line: Line = [_SIGNS.get(change.change, ("~ ", "warn")), (clean(change.path), "key")]
    if change.change != "removed":
        line += [("  ", ""), (clean(change.after), "bold")]
    if change.change != "added":
        line += [("  was ", "dim"), (clean(change.before), "")]
    return [*line, (_TAILS.get(change.change, ""), "dim")]
