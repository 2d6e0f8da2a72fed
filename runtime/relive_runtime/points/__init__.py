"""Breakpoints ahead and logpoints, in a worker. Imported when the first one is armed."""

from __future__ import annotations

from relive_runtime.points.armed import Armed

__all__ = ["Armed"]
