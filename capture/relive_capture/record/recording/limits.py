"""What may be kept."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RecordingLimits"]


@dataclass(frozen=True, slots=True)
class RecordingLimits:
    """What one invocation may keep of its calls."""

    calls: int = 200
    body_bytes: int = 262_144  # of one request or response, with its head
    total_bytes: int = 2_097_152
    files: int = 200
    file_bytes: int = 1_048_576  # of one file; all of them together share `total_bytes` with the calls
    folder_names: int = 1_000
