"""What a user writes: `relive.toml`, checked and turned into function configurations."""

from __future__ import annotations

from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.load import MANIFEST, from_folder, load
from relive_platform.registry.application.model import (
    Application,
    FunctionConfig,
    FunctionDefaults,
)

__all__ = [
    "MANIFEST",
    "Application",
    "ConfigError",
    "FunctionConfig",
    "FunctionDefaults",
    "Problem",
    "from_folder",
    "load",
]
