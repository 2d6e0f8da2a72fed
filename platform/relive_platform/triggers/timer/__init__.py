"""Timers: schedules, and the service that turns their firings into queued events."""

from __future__ import annotations

from relive_platform.triggers.timer.schedule import Schedule, ScheduleError, parse_schedule
from relive_platform.triggers.timer.service import Timer, TimerService

__all__ = ["Schedule", "ScheduleError", "Timer", "TimerService", "parse_schedule"]
