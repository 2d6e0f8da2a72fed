"""Importing modules of the standard library, whatever names the user's own modules have taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

__all__ = ["standard_library"]

_LIBRARY: Final = os.path.dirname(os.path.abspath(os.__file__))


@contextmanager
def standard_library() -> Iterator[None]:
    """Imports in this block find the standard library alone: a function may have a code.py or a cmd.py.

    What was imported under such a name before is back, as it was, at the end.
    """
    hidden = {name: module for name, module in list(sys.modules.items()) if _shadows(name, module)}
    path = list(sys.path)
    for name in hidden:
        del sys.modules[name]
    dynamic = [entry for entry in path if entry.startswith(_LIBRARY) and "-packages" not in entry]
    sys.path[:] = [_LIBRARY, *(entry for entry in dynamic if entry != _LIBRARY)]
    try:
        yield
    finally:
        sys.path[:] = path
        sys.modules.update(hidden)


def _shadows(name: str, module: object) -> bool:
    if name.partition(".")[0] not in sys.stdlib_module_names or name == "__main__":
        return False
    if type(module) is not ModuleType:
        return True  # sys.modules may hold anything
    file = module.__dict__.get("__file__")
    return type(file) is str and (not file.startswith(_LIBRARY) or "-packages" in file)
