"""What a worker may not do: limits, Landlock, seccomp. `apply` in the child, `probe` for the doctor."""

from __future__ import annotations

from relive_platform.isolation.applying import Isolation, Reached, apply, prepare
from relive_platform.isolation.probing import Probe, gaps, probe

__all__ = ["Isolation", "Probe", "Reached", "apply", "gaps", "prepare", "probe"]
