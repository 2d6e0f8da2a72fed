"""What a failure has to say, as lines of text."""

from __future__ import annotations

from relive_capture.explore.text.before import file_lines, left_lines
from relive_capture.explore.text.beside import beside_lines, task_lines, thread_lines
from relive_capture.explore.text.calls import call_lines, calls_json
from relive_capture.explore.text.event_diff import EventChange, EventDiff, diff_values, healthy_diff
from relive_capture.explore.text.frames import source_lines
from relive_capture.explore.text.lines import Line

__all__ = [
    "EventChange",
    "EventDiff",
    "Line",
    "beside_lines",
    "call_lines",
    "calls_json",
    "diff_values",
    "file_lines",
    "healthy_diff",
    "left_lines",
    "source_lines",
    "task_lines",
    "thread_lines",
]
