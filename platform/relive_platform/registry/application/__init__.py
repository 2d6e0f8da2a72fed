"""What a user writes: `relive.toml` or a template, checked and turned into function configurations."""

from __future__ import annotations

from relive_platform.registry.application.document import Given, Ignored
from relive_platform.registry.application.errors import ConfigError, Problem
from relive_platform.registry.application.load import from_folder, load
from relive_platform.registry.application.manifest import MANIFEST, find_manifest, is_manifest
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
    "Given",
    "Ignored",
    "Problem",
    "find_manifest",
    "from_folder",
    "is_manifest",
    "load",
]
