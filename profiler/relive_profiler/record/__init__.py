"""The recording half of the profiler: it runs in the function's process, on its main thread.

What is for attempts beside each other is loaded when it is asked for: most workers have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relive_profiler.record.costs import COST_FILES, CostMeter
from relive_profiler.record.outlook import Awaiting, Outlook
from relive_profiler.record.rhythm import voluntary_switches
from relive_profiler.record.sampler import Sampler, SamplerLimits, preload
from relive_profiler.record.timer import native_thread, thread_cpu_ns

if TYPE_CHECKING:
    from relive_profiler.record.beside import BesideSampler, Look

__all__ = [
    "COST_FILES",
    "Awaiting",
    "BesideSampler",
    "CostMeter",
    "Look",
    "Outlook",
    "Sampler",
    "SamplerLimits",
    "native_thread",
    "preload",
    "thread_cpu_ns",
    "voluntary_switches",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from relive_profiler.record import beside

    return getattr(beside, name)
