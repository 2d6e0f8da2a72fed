"""sys.path of a zygote. Standard library only: this runs before anything of Relive is imported."""

from __future__ import annotations

import importlib
import os
import site
import sys

__all__ = ["add_dependencies"]


def add_dependencies(deps_dir: str, runtime_dir: str) -> None:
    """Put `deps_dir`, and what its .pth files name, first on sys.path, and `runtime_dir` last.

    The interpreter runs with -S; the names that `site` adds to the builtins (exit, quit, help) are added
    here, because functions use them.
    """
    # A virtual environment's interpreter would give the function's own subprocesses Relive's packages.
    sys.executable = getattr(sys, "_base_executable", "") or sys.executable
    site.setquit()
    site.sethelper()
    before = [entry for entry in sys.path if entry != runtime_dir]
    if deps_dir and os.path.isdir(deps_dir):
        sys.path[:] = list(before)
        site.addsitedir(deps_dir)
        before = [entry for entry in sys.path if entry not in before] + before
    sys.path[:] = [*before, runtime_dir]
    importlib.invalidate_caches()
