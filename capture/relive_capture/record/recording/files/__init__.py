"""Files that an invocation reads, outside of its code, its dependencies and the standard library."""

from __future__ import annotations

from relive_capture.record.recording.files.noting import FileNotes
from relive_capture.record.recording.files.watching import outside_of_code, watch_files

__all__ = ["FileNotes", "outside_of_code", "watch_files"]
