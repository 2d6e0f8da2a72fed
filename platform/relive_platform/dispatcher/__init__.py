"""Brings events to workers and their outcomes back."""
