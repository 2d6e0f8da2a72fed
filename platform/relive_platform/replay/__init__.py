"""Running a recorded failure again: in a worker like the one that failed, on the event, calls, clock and
chance it had."""

from __future__ import annotations

from relive_platform.replay.errors import ReplayError
from relive_platform.replay.model import Difference, ReplayOutcome, ReplayRun
from relive_platform.replay.replaying import ReplayOptions, replay

__all__ = ["Difference", "ReplayError", "ReplayOptions", "ReplayOutcome", "ReplayRun", "replay"]
