"""Calls of typed values, played back: queries of databases and the like."""

from __future__ import annotations

from relive_capture.record.playback.typed.answers import TypedAnswer

__all__ = ["TypedAnswer"]
