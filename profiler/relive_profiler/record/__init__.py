"""The recording half of the profiler: it runs in the function's process, on its main thread."""

from __future__ import annotations

from relive_profiler.record.sampler import Sampler, SamplerLimits, preload

__all__ = ["Sampler", "SamplerLimits", "preload"]
