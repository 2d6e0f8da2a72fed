"""The terminal UI: from launch to the failing line with one key."""

from __future__ import annotations

__all__: list[str] = []
