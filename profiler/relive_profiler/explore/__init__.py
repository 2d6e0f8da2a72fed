"""The exploring half of the profiler: rows, hot lists, flame trees, differences, exports."""

from __future__ import annotations

__all__: list[str] = []
