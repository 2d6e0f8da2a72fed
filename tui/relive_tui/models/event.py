"""The event of a failure: as it came, and where it differs from the last one that went well."""

from __future__ import annotations

import json

from relive_tui.models.compare import MAX_DIFFERENCES, event_differences
from relive_tui.models.syntax import highlight_json
from relive_tui.models.text import Line, clean

__all__ = ["difference_lines", "event_lines"]

EVENT_LINES = 500
EVENT_CHARS = 100_000
ABSENT = "–"


def event_lines(text: str) -> list[Line]:
    """The event, as indented JSON where it is JSON, else as it came."""
    if not text:
        return [[("no event was recorded", "dim")]]
    cut = text[:EVENT_CHARS]
    try:
        pretty = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if len(text) == len(cut) else cut
    except (ValueError, RecursionError):
        pretty = cut
    rows = pretty.split("\n")
    lines = [highlight_json(row) for row in rows[:EVENT_LINES]]
    left = len(rows) - EVENT_LINES
    if left > 0 or len(text) > len(cut):
        lines.append([(f"… {max(left, 0)} more lines ({len(text)} characters in all)", "dim")])
    return lines


def difference_lines(healthy: str, failed: str) -> list[Line]:
    """What this event has (`+`), lacks (`-`) and has otherwise (`~`) than the last one that went well."""
    differences = event_differences(healthy, failed)
    if not differences:
        return [[("the same as the event of the last success:", "ok")], [("the cause lies elsewhere", "dim")]]
    lines: list[Line] = []
    for path, before, after in differences:
        name = clean(path.removeprefix("event.").removeprefix("event") or "the whole")
        if after == ABSENT:
            lines.append(
                [("- ", "error"), (name, "key"), ("  absent here, was ", "dim"), (clean(before), "")]
            )
        elif before == ABSENT:
            lines.append([("+ ", "ok"), (name, "key"), ("  only here: ", "dim"), (clean(after), "bold")])
        else:
            lines.append(
                [
                    ("~ ", "warn"),
                    (name, "key"),
                    ("  ", ""),
                    (clean(after), "bold"),
                    ("  was ", "dim"),
                    (clean(before), ""),
                ]
            )
    if len(differences) >= MAX_DIFFERENCES:
        lines.append([(f"… the first {MAX_DIFFERENCES} differences", "dim")])
    return lines
