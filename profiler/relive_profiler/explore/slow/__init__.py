"""Why an invocation was slow: what of it differs from its function's normal self, and by how much."""

from __future__ import annotations

from relive_profiler.explore.slow.answer import CAUSES, WhySlow
from relive_profiler.explore.slow.measured import Profiled, Profiles, profiles_of
from relive_profiler.explore.slow.observed import Blocked, CallSum, Observed, Spent, trimmed
from relive_profiler.explore.slow.parts import Part
from relive_profiler.explore.slow.verdict import explain

__all__ = [
    "CAUSES",
    "Blocked",
    "CallSum",
    "Observed",
    "Part",
    "Profiled",
    "Profiles",
    "Spent",
    "WhySlow",
    "explain",
    "profiles_of",
    "trimmed",
]
