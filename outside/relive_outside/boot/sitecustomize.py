"""Python imports this by itself as it starts, if the folder is on PYTHONPATH: `relive-record` puts it
there."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

__all__ = ["begin"]


def begin() -> None:
    """Run the sitecustomize that would have been found without this one, and begin to record. It raises
    nothing but what that one does."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != own]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)
    try:
        from relive_outside.hosts.startup import start

        start()
    except Exception as error:  # whatever it is, the program runs as before
        os.write(2, f"relive: nothing is recorded: {type(error).__name__}: {error}\n".encode())


if __name__ == "sitecustomize":
    begin()
