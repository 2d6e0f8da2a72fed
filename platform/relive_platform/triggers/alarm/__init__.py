"""Alarms: somebody says that a state has changed, and functions hear of it."""
