"""Timers: when they fire."""

from relive_platform.timers.schedule import Schedule, ScheduleError, parse_schedule

__all__ = ["Schedule", "ScheduleError", "parse_schedule"]
