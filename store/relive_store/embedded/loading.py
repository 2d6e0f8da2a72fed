"""The engine's extension module, without the package around it."""

from __future__ import annotations

import ctypes
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any, Final

__all__ = ["engine_module"]

_NAME: Final = "chdb._chdb"
_DEEPBIND: Final = 0x8
"""RTLD_DEEPBIND, with which chdb loads it: its allocator is for it alone."""


def engine_module() -> Any:
    """`chdb._chdb`. Raises ImportError.

    `import chdb` would load pyarrow and numpy as well, and start and stop an engine in memory only to ask for
    its version: nine tenths of the time that it takes, and 65 MB.
    """
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    module = _alone()
    if module is None:  # a release that is laid out in another way
        import chdb

        module = chdb._chdb
    return module


def _alone() -> Any | None:
    """None if it is not to be had without the package."""
    package = find_spec("chdb")  # finds, and runs nothing
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec(_NAME, folders) if folders else None
    if spec is None or spec.loader is None or not spec.origin:
        return None
    try:
        ctypes.CDLL(spec.origin, mode=sys.getdlopenflags() | _DEEPBIND)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, OSError):
        return None
    sys.modules[_NAME] = module  # a later `import chdb` takes this one
    return module
