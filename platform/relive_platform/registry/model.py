"""What the registry hands out."""

from __future__ import annotations

from dataclasses import dataclass

from relive_base.errors import ReliveError
from relive_base.wire.messages import FunctionSpec

from relive_platform.registry.application.document import Ignored
from relive_platform.registry.application.model import FunctionConfig

__all__ = ["DeployError", "Deployed", "FunctionVersion", "Progress", "TrialResult"]


class DeployError(ReliveError):
    """The deploy was refused; what was in service stays in service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersion:
    """One immutable version. `spec` is complete but for `scratch`, which is a worker's own."""

    spec: FunctionSpec
    config: FunctionConfig
    code_dir: str
    deps_dir: str = ""  # "" if the function has no dependencies
    deps_hash: str = ""
    preload: tuple[str, ...] = ()  # top-level modules that the zygote imports
    created_ns: int = 0

    @property
    def name(self) -> str:
        """The function's name."""
        return self.spec.name

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self.spec.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The outcome for one function. `unchanged`: it equals the version in service, which stays."""

    function: str
    version: int
    code_hash: str
    seconds: float
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What a deploy is doing. `stage`: read, ignored, copy, install, trial, done, retired."""

    stage: str
    function: str = ""
    detail: str = ""
    ignored: Ignored | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """Whether a version's handler loads. `file` and `line` say where in the user's code it failed."""

    ok: bool
    message: str = ""
    file: str = ""
    line: int = 0
    traceback: str = ""
    seconds: float = 0.0
