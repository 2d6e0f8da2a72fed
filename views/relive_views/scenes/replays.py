"""What replays of a failure came to."""

from __future__ import annotations

from relive_platform.replay.history import ReplayNote, last_replay

__all__ = ["ReplayNote", "last_replay"]
