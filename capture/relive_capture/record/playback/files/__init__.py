"""Files in a replay."""

from __future__ import annotations

from relive_capture.record.playback.files.functions import play_files
from relive_capture.record.playback.files.overlay import Overlay

__all__ = ["Overlay", "play_files"]
