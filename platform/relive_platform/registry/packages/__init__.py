"""Code packages: safe reading of folders and zips, code hashes, and dependencies per lock hash."""

from __future__ import annotations

from relive_platform.registry.packages.content import (
    PackageError,
    PackageLimits,
    code_hash,
    copy_folder,
    unpack_zip,
)
from relive_platform.registry.packages.dependencies import (
    Dependencies,
    DependencyError,
    InstalledDependencies,
)
from relive_platform.registry.packages.preload import preload_modules

__all__ = [
    "Dependencies",
    "DependencyError",
    "InstalledDependencies",
    "PackageError",
    "PackageLimits",
    "code_hash",
    "copy_folder",
    "preload_modules",
    "unpack_zip",
]
