"""What a version's layers have, merged: it lies in its source folder and stands for Lambda's /opt."""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["LAYERS", "add_layers", "layer_folders", "layer_variables"]

LAYERS: Final = ".layers"
_SITE: Final = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
_LIBRARY: Final = os.path.dirname(os.__file__)


def layer_folders(source: str) -> list[str]:
    """Folders for sys.path, in Lambda's order; most versions have none."""
    top = f"{source}/{LAYERS}"
    if not os.path.isdir(top):
        return []
    return [path for path in (f"{top}/python/{_SITE}", f"{top}/python") if os.path.isdir(path)]


def add_layers(source: str) -> list[str]:
    """Put them behind the code and its dependencies, before the standard library; gives them."""
    folders = layer_folders(source)
    if folders:
        library = next((at for at, path in enumerate(sys.path) if _is_library(path)), len(sys.path))
        sys.path[library:library] = folders
    return folders


def _is_library(path: object) -> bool:
    return type(path) is str and (path == _LIBRARY or path.endswith(".zip"))


def layer_variables(source: str, path: str) -> dict[str, str]:
    """What programs of a layer need: `bin` before `path`, and `lib` for those that are started."""
    top = f"{source}/{LAYERS}"
    if not source or not os.path.isdir(top):
        return {}
    return {"PATH": f"{top}/bin:{path}", "LD_LIBRARY_PATH": f"{top}/lib", "RELIVE_LAYERS": top}
