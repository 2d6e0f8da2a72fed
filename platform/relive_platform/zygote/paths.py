"""sys.path of a zygote. Standard library only: this runs before anything of Relive is imported."""

from __future__ import annotations

import importlib
import os
import site
import sys

__all__ = ["add_dependencies", "prefer_runtime"]


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


def prefer_runtime(deps_dir: str, runtime_dir: str) -> None:
    """Relive's own packages before the function's, and what was imported of either forgotten."""
    sys.path[:] = [runtime_dir, *(entry for entry in sys.path if entry != runtime_dir)]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith((f"{deps_dir}/", f"{runtime_dir}/")) and name != "__main__":
            del sys.modules[name]
    importlib.invalidate_caches()
