"""Record side: runs inside the user's process. Standard library and msgspec only."""

from __future__ import annotations

from relive_capture.record.budget import Budget
from relive_capture.record.capture import (
    NO_RESULT,
    SKIP_FILES,
    TaskSnapshot,
    capture_exception,
    capture_frames,
    capture_tasks,
    error_info,
    preload,
)
from relive_capture.record.result_path import find_unserialisable

__all__ = [
    "NO_RESULT",
    "SKIP_FILES",
    "Budget",
    "TaskSnapshot",
    "capture_exception",
    "capture_frames",
    "capture_tasks",
    "error_info",
    "find_unserialisable",
    "preload",
]
