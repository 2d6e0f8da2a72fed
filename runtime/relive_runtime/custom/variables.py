"""The environment of a program: what AWS Lambda gives to a custom runtime, and where its API is."""

from __future__ import annotations

import os
import sys
from typing import Final

from relive_base.wire.messages import FunctionSpec

from relive_runtime.zygote.options import WorkerStart

__all__ = ["variables_of"]

_NOT_OURS: Final = ("AWS_EXECUTION_ENV",)  # an OS-only runtime has none; ours for Node sets its own


def variables_of(start: WorkerStart, api: str) -> dict[str, str]:
    """Made from this process's environment, which is the function's already. `api`: host and port."""
    spec = start.spec
    own = spec.environment
    found = dict(os.environ)
    for name in _NOT_OURS:
        if name not in own:
            found.pop(name, None)
    folders = [spec.source, f"{spec.source}/lib"]
    wanted = {
        "LD_LIBRARY_PATH": ":".join(folders),
        "PYTHONFAULTHANDLER": "1",  # Python then prints where it stood when it is ended
        **_of_dependencies(spec),
    }
    found |= {name: value for name, value in wanted.items() if name not in own}
    found["_HANDLER"] = spec.handler
    found["AWS_LAMBDA_RUNTIME_API"] = api
    return found


def _of_dependencies(spec: FunctionSpec) -> dict[str, str]:
    """Those of requirements.txt, for the Python that they were installed for: it comes first on the PATH."""
    folder = spec.dependencies_dir
    if not folder:
        return {}
    interpreter = os.path.dirname(os.path.realpath(sys.executable))
    path = os.environ.get("PATH", os.defpath)
    return {
        "PYTHONPATH": f"{spec.source}:{folder}",
        "PATH": f"{folder}/bin:{interpreter}:{path}",
    }
