"""Builds the C extension when a compiler and Python's headers are there; else the wheel is pure Python.

RELIVE_PURE_PYTHON=1 leaves it out.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("capture/relive_capture/record/heap")
SOURCE = "_heapwalk.c"
WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-parameter")  # the interpreter's own headers have unused ones


class ExtensionHook(BuildHookInterface):
    """Compiles in place, so that an editable installation finds it, and adds it to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        target = Path(self.root) / FOLDER / f"_heapwalk{sysconfig.get_config_var('EXT_SUFFIX')}"
        problem = compile_extension(Path(self.root) / FOLDER / SOURCE, target)
        if problem:
            self.app.display_warning(f"the heap walker stays in Python: {problem}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(f"/{FOLDER}/{target.name}")
        build_data["force_include"][str(target)] = f"relive_capture/record/heap/{target.name}"


def compile_extension(source: Path, target: Path) -> str:
    """Compile and link `source`; gives what was in the way, or ""."""
    target.unlink(missing_ok=True)
    if os.environ.get("RELIVE_PURE_PYTHON") == "1":
        return "RELIVE_PURE_PYTHON=1"
    if sys.implementation.name != "cpython" or not sys.platform.startswith("linux"):
        return "it is written for CPython on Linux"
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").is_file():
        return f"there is no Python.h in {include}"
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    command = [
        *compiler,
        "-O2",
        "-fPIC",
        "-shared",
        *WARNINGS,
        f"-I{include}",
        str(source),
        "-o",
        str(target),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the compiler cannot be run: {error}"
    if done.returncode:
        return f"the compiler failed: {done.stderr[-2000:]}"
    if done.stderr:
        print(done.stderr, file=sys.stderr)
    return ""
