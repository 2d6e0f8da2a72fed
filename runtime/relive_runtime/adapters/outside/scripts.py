"""Runs a script as `python FILE ARGUMENTS` or `python -m MODULE ARGUMENTS` does, inside of the folder of its
code."""

from __future__ import annotations

import os
import runpy
import sys
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["HANDLER", "ScriptOutside", "run_script"]

HANDLER: Final = "relive_runtime.adapters.outside.scripts:run_script"
"""What scenes of scripts name as their handler."""
_MAIN: Final = "__main__"


class ScriptOutside(ReliveError):
    """The file of a script is not in the folder of its code."""

    __module__ = "builtins"  # users read its bare name


def _is_below(root: str, module: str) -> bool:
    """Whether a module or package of that name is in the folder: a scene must not run what else is
    installed."""
    if not all(name.isidentifier() for name in module.split(".")):
        return False
    path = os.path.realpath(os.path.join(root, *module.split(".")))
    return path.startswith(f"{root}/") and (
        os.path.isfile(f"{path}.py") or os.path.isfile(f"{path}/__main__.py")
    )


def run_script(file: str, module: str, arguments: list[str]) -> None:
    """`file` is relative to the first folder on the path. Raises what the script raises, ScriptOutside."""
    root = os.path.realpath(sys.path[0] or os.getcwd())
    before = sys.argv
    path = os.path.realpath(os.path.join(root, file))
    if not (_is_below(root, module) if module else path.startswith(f"{root}/")):
        where = module or file
        raise ScriptOutside("the scene names a script that is not in the folder of its code", where=where)
    sys.argv = [path, *map(str, arguments)]
    try:
        if module:
            runpy.run_module(module, run_name=_MAIN, alter_sys=True)
        else:
            runpy.run_path(path, run_name=_MAIN)
    finally:
        sys.argv = before
