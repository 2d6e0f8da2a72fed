"""Which functions there are: immutable numbered versions, and the one in service."""

from __future__ import annotations

from relive_platform.registry.model import Deployed, FunctionVersion, Progress, TrialResult
from relive_platform.registry.registry import DeployError, Registry, UnknownFunction
from relive_platform.registry.trial import SubprocessTrial

__all__ = [
    "DeployError",
    "Deployed",
    "FunctionVersion",
    "Progress",
    "Registry",
    "SubprocessTrial",
    "TrialResult",
    "UnknownFunction",
]
