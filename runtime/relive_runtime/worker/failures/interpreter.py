"""What our own code needs of the interpreter to tell of a failure, should the user's have taken it away."""

from __future__ import annotations

import builtins
import sys
from typing import Final

__all__ = ["Interpreter"]

_CALLABLE: Final = callable


class Interpreter:
    """As it was before the user's code came. `restore` uses no name of the builtins: any may be gone."""

    def __init__(self) -> None:
        self._sys = sys
        self._names = builtins.__dict__
        self._builtins = dict(builtins.__dict__)
        self._modules = sys.modules
        self._loaded = dict(sys.modules)

    def restore(self) -> None:
        """Put back builtins that are gone or cannot be called any more, and what was loaded if sys.modules
        was emptied. For a process that has failed: it runs the user's code for a debugger only."""
        names = self._names
        for name, value in self._builtins.items():
            if name not in names or (_CALLABLE(value) and not _CALLABLE(names[name])):
                names[name] = value
        modules = self._modules
        if modules.get("sys") is not self._sys:  # `import sys` makes an empty one then
            modules.update(self._loaded)
        self._sys.modules = modules
