"""sys.path of a zygote. Standard library only: this runs before anything of Relive is imported."""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["add_dependencies", "dependencies_first", "prefer_runtime"]


def add_dependencies(deps_dir: str, runtime_dir: str) -> list[str]:
    """Put `deps_dir`, and what its .pth files name, on sys.path, and `runtime_dir` last; gives the folders.

    The standard library stays first until `dependencies_first`: a dependency may have a module with a name of
    its, which is for the function and not for Relive. The interpreter runs with -S; the names that `site`
    adds to the builtins (exit, quit, help) are added here, because functions use them.
    """
    import site  # once, in the process that needs it: it takes 2 ms

    # A virtual environment's interpreter would give the function's own subprocesses Relive's packages.
    sys.executable = getattr(sys, "_base_executable", "") or sys.executable
    site.setquit()
    site.sethelper()
    library = [entry for entry in sys.path if entry != runtime_dir]
    folders: list[str] = []
    if deps_dir and os.path.isdir(deps_dir):
        sys.path[:] = list(library)
        site.addsitedir(deps_dir)
        folders = [entry for entry in sys.path if entry not in library]
    sys.path[:] = [*library, *folders, runtime_dir]
    importlib.invalidate_caches()
    return folders


def dependencies_first(folders: list[str], behind: str) -> None:
    """Before the function's modules are imported: dependencies, the standard library, Relive's runtime.
    `behind`: a folder that stays first if it is."""
    first = sys.path[:1] if sys.path[:1] == [behind] else []
    rest = [entry for entry in sys.path[len(first) :] if entry not in folders]
    sys.path[:] = [*first, *folders, *rest]


def prefer_runtime(deps_dir: str, runtime_dir: str) -> None:
    """Relive's own packages before the function's, and what was imported of either forgotten."""
    sys.path[:] = [runtime_dir, *(entry for entry in sys.path if entry != runtime_dir)]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith((f"{deps_dir}/", f"{runtime_dir}/")) and name != "__main__":
            del sys.modules[name]
    importlib.invalidate_caches()
