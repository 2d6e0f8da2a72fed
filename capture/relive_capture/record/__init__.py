"""Record side: runs inside the user's process. Standard library and msgspec only."""

from __future__ import annotations

from relive_capture.record.budget import Budget
from relive_capture.record.capture import (
    NO_RESULT,
    Moment,
    capture_answer,
    capture_exception,
    capture_frames,
    capture_moment,
    error_info,
    preload,
)
from relive_capture.record.frames import suspended_frames
from relive_capture.record.guard import install_guard
from relive_capture.record.result_path import find_unserialisable

__all__ = [
    "NO_RESULT",
    "Budget",
    "Moment",
    "capture_answer",
    "capture_exception",
    "capture_frames",
    "capture_moment",
    "error_info",
    "find_unserialisable",
    "install_guard",
    "preload",
    "suspended_frames",
]
