"""The other side of the recording: a replay's worker, whose function gets what the failed invocation got."""

from __future__ import annotations

from relive_capture.record.playback.answers import NotRecorded
from relive_capture.record.playback.passing import Passing
from relive_capture.record.playback.player import TRAIL_STEPS, Player

__all__ = ["TRAIL_STEPS", "NotRecorded", "Passing", "Player"]
