"""Which functions there are: immutable numbered versions, and the one in service."""

from __future__ import annotations

from relive_platform.registry.aliases import Alias, Aliases, UnknownAlias
from relive_platform.registry.model import Deployed, FunctionVersion, Progress, TrialResult
from relive_platform.registry.notes import Notes
from relive_platform.registry.registry import DeployError, Registry, UnknownFunction
from relive_platform.registry.trial import SubprocessTrial

__all__ = [
    "Alias",
    "Aliases",
    "DeployError",
    "Deployed",
    "FunctionVersion",
    "Notes",
    "Progress",
    "Registry",
    "SubprocessTrial",
    "TrialResult",
    "UnknownAlias",
    "UnknownFunction",
]
