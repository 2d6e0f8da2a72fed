"""Tests that look at the whole process, each in one of its own: the heap of a test run grows."""

from __future__ import annotations

import functools
import gc
import importlib.util
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from patience import PATIENCE_S

__all__ = ["in_a_fresh_process"]

ROOT = Path(__file__).resolve().parents[2]


def in_a_fresh_process(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test function in an interpreter that has imported its module only, without collections.

    It may take paths, texts and numbers.
    """

    @functools.wraps(test)
    def run(**given: Any) -> None:
        values = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
        command = [sys.executable, __file__, inspect.getfile(test), test.__name__, json.dumps(values)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def _main(file: str, name: str, given: str) -> None:
    gc.disable()
    sys.path[:0] = [str(Path(file).parent), str(ROOT), str(Path(__file__).parent)]
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    values = json.loads(given)
    if "tmp_path" in values:
        values["tmp_path"] = Path(values["tmp_path"])
    gc.collect()
    getattr(module, name).__wrapped__(**values)


if __name__ == "__main__":
    _main(*sys.argv[1:])
    from relive_base.ending import end_process  # here: a test sees no more than it imports

    end_process(0)
