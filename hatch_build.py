"""Builds the C extensions when a compiler and Python's headers are there; else the wheel is pure Python.

RELIVE_PURE_PYTHON=1 leaves them out. Each has the fingerprint of its source in it: one that is older than the
source beside it is not used (platform/relive_platform/engine/workers/extensions.py).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EXTENSIONS = {
    Path("capture/relive_capture/record/heap/_heapwalk.c"): "the heap walker stays in Python",
    Path("capture/relive_capture/record/values/_trees.c"): "the walker of values stays in Python",
    Path("profiler/relive_profiler/record/_looks.c"): "the sampler's looks stay in Python",
    Path("profiler/relive_profiler/record/_ticks.c"): "threads are profiled from the main thread alone",
    Path("runtime/relive_runtime/worker/_standstill.c"): "crashes have frames without locals",
}
WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-parameter")  # the interpreter's own headers have unused ones


class ExtensionHook(BuildHookInterface):
    """Compiles in place, so that an editable installation finds them, and adds them to a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        for source, without in EXTENSIONS.items():
            target = source.with_name(source.stem + sysconfig.get_config_var("EXT_SUFFIX"))
            problem = compile_extension(Path(self.root) / source, Path(self.root) / target)
            if problem:
                self.app.display_warning(f"{without}: {problem}")
                continue
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"].append(f"/{target}")
            # Packages lie one folder deep in the source, and at the top of a wheel.
            build_data["force_include"][str(Path(self.root) / target)] = str(Path(*target.parts[1:]))


def fingerprint(source: Path) -> str:
    """Of a C source and of the headers beside it; who uses the extensions has the same."""
    digest = hashlib.sha256(source.read_bytes())
    for header in sorted(source.parent.glob("*.h")):
        digest.update(header.read_bytes())
    return digest.hexdigest()[:16]


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
        "-o",
        str(target),
        str(source),
        "-x",
        "c",
        "-",
    ]
    text = f"relive-source:{fingerprint(source)}"
    stamp = f'extern const char relive_source[];\nconst char relive_source[] = "{text}";\n'
    try:
        done = subprocess.run(command, input=stamp, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the compiler cannot be run: {error}"
    if done.returncode:
        return f"the compiler failed: {done.stderr[-2000:]}"
    if done.stderr:
        print(done.stderr, file=sys.stderr)
    return ""
