"""What differs between the failed event and that of the last success."""

from __future__ import annotations

from relive_capture.explore.text import EventChange, EventDiff, healthy_diff

__all__ = ["EventChange", "EventDiff", "healthy_diff"]
