"""A failure as lines of text, and as JSON for machines."""

from __future__ import annotations

from relive_capture.explore.text.calls import call_lines, calls_json
from relive_capture.explore.text.event_diff import EventChange, EventDiff, diff_values, healthy_diff
from relive_capture.explore.text.lines import Line
from relive_capture.explore.text.render import RELATIONS, failure_lines, render_text, source_lines, to_json

__all__ = [
    "RELATIONS",
    "EventChange",
    "EventDiff",
    "Line",
    "call_lines",
    "calls_json",
    "diff_values",
    "failure_lines",
    "healthy_diff",
    "render_text",
    "source_lines",
    "to_json",
]
