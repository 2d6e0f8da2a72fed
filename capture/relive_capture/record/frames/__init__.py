"""Frames with their source lines and locals: of a traceback, of a thread, of a task."""

from __future__ import annotations

from relive_capture.record.frames.frames import (
    FrameRecorder,
    RawFrame,
    Stack,
    code_position,
    frame_locals,
    raw_chain,
    raw_frames,
    raw_stack,
    without_outer,
)
from relive_capture.record.frames.sources import InApp, SourceCache, SourceFiles
from relive_capture.record.frames.tasks import any_tasks, suspended_frames, tasks

__all__ = [
    "FrameRecorder",
    "InApp",
    "RawFrame",
    "SourceCache",
    "SourceFiles",
    "Stack",
    "any_tasks",
    "code_position",
    "frame_locals",
    "raw_chain",
    "raw_frames",
    "raw_stack",
    "suspended_frames",
    "tasks",
    "without_outer",
]
