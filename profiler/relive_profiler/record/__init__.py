"""The recording half of the profiler: it runs in the function's process, on its main thread."""

from __future__ import annotations

from relive_profiler.record.beside import BesideSampler, Look, thread_cpu_ns
from relive_profiler.record.sampler import Sampler, SamplerLimits, preload

__all__ = ["BesideSampler", "Look", "Sampler", "SamplerLimits", "preload", "thread_cpu_ns"]
