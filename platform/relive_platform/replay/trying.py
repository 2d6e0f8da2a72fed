"""Running a test that was just written, once, to say what came out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.terminal import one_line
from relive_capture.explore.scene import SceneFile

from relive_platform.replay.cleaning import redactor_of
from relive_platform.replay.model import OTHER, PASSED, SAME
from relive_platform.replay.replaying import ReplayOptions, replay
from relive_platform.replay.warmth import warm_notes

__all__ = ["UNKNOWN", "Tried", "try_isolated", "try_test"]

UNKNOWN: Final = "unknown"
_GRACE_S: Final = 30.0
_MARK: Final = "relive-outcome:"
_CHARS: Final = 200
_NOT_RUN: Final = "It was not run here: the scene comes from elsewhere."
_FAILED: Final = "the function failed: "  # as FunctionDied says it
_ENDINGS: Final = ("signal", "exit", "memory")
# The file is run as pytest runs it: as a module, its one function called.
_RUNNER: Final = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("relive_tried", sys.argv[1])
module = importlib.util.module_from_spec(spec)
told = {}
try:
    spec.loader.exec_module(module)
    next(value for name, value in vars(module).items() if name.startswith("test_"))()
except BaseException as error:
    cls = type(error)
    told = {"type": cls.__qualname__, "module": cls.__module__, "message": str(error)[:2000]}
print("\\n" + sys.argv[2] + json.dumps(told), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """`outcome`: "same" (it failed with the recorded error), "other" (with another one), "passed", or
    "unknown". `text`: the same in a sentence; `notes`: what may be the reason."""

    outcome: str
    text: str
    notes: tuple[str, ...] = ()


def try_test(path: Path, scene: SceneFile, timeout_s: float) -> Tried:
    """Run the test in a process of its own, with this interpreter. Never raises."""
    limit_s = timeout_s + _GRACE_S
    try:
        ran = subprocess.run(
            [sys.executable, "-c", _RUNNER, str(path), _MARK],
            capture_output=True, text=True, errors="replace", timeout=limit_s, stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Tried(UNKNOWN, f"It was run once, and had not ended after {limit_s:g} s.")
    except OSError as error:
        return Tried(UNKNOWN, f"It could not be run: {error.strerror}.")
    line = next((line for line in reversed(ran.stdout.splitlines()) if line.startswith(_MARK)), None)
    if line is None:
        return Tried(UNKNOWN, f"It was run once, and ended its process with status {ran.returncode}.")
    redactor = redactor_of(os.environ)  # it had these, too
    told = {name: redactor.text(text) for name, text in json.loads(line.removeprefix(_MARK)).items()}
    return _judged(told, scene)


def try_isolated(scene: SceneFile, code: Path, home: Path) -> Tried:
    """Instead of the test of a scene from elsewhere: who made it has chosen what the code is called with. It
    is replayed, isolated and without the network. Never raises."""
    try:
        run = replay(scene, home, ReplayOptions(code=code, elsewhere=True)).runs[-1]
    except ReliveError as error:
        return Tried(UNKNOWN, f"{_NOT_RUN} A replay of it could not be run, either: {error.message}")
    said = one_line(f"{run.error_type}: {run.message}".rstrip(": "), _CHARS)
    if run.outcome == PASSED:
        return Tried(PASSED, f"{_NOT_RUN} A replay of it, isolated, passed.")
    if run.outcome == SAME:
        return Tried(SAME, f"{_NOT_RUN} A replay of it, isolated, failed with the recorded error, {said}")
    return Tried(OTHER, f"{_NOT_RUN} A replay of it, isolated, failed otherwise than recorded: {said}")


def _judged(told: dict[str, str], scene: SceneFile) -> Tried:
    if not told:
        fresh = warm_notes(scene.replay_notes, {})[:1]
        return Tried(PASSED, "It was run once, and passed: what failed does not fail there.", tuple(fresh))
    name, message = told["type"], told["message"]
    error = scene.manifest["error"]
    wanted = str(error.get("type", "")).rpartition(".")[2]
    first = message.splitlines()[0] if message else ""
    said = one_line(f"{name}: {first}" if first else name, _CHARS)
    if name == "FunctionDied":  # it ran in a process of its own
        return _judged_apart(message, said, scene)
    answered = name == "ServerError" and scene.manifest["kind"] == "response" and wanted in message
    if answered or name.rpartition(".")[2] == wanted:
        return Tried(SAME, f"It was run once, and failed with the recorded error, {said}")
    return Tried(OTHER, f"It was run once, and failed otherwise than recorded: {said}", _missing(name))


def _judged_apart(message: str, said: str, scene: SceneFile) -> Tried:
    """It failed there, or it ended its process."""
    kind, recorded = scene.manifest["kind"], str(scene.manifest["error"].get("type", ""))
    first = message.partition("\n")[0]
    if not first.startswith(_FAILED):
        same = kind in _ENDINGS or recorded in message
        return Tried(SAME if same else OTHER, f"It was run once, and failed with {said}")
    failed = first.removeprefix(_FAILED)
    name = failed.partition(":")[0].rpartition(".")[2]
    same = name == recorded.rpartition(".")[2] or (kind == "memory" and name == "MemoryError")
    words = "with" if same else "otherwise than recorded:"
    text = f"It was run once, and failed {words} {one_line(failed, _CHARS)}"
    return Tried(SAME if same else OTHER, text, () if same else _missing(name))


def _missing(name: str) -> tuple[str, ...]:
    if name in ("ModuleNotFoundError", "ImportError"):
        return ("install the function's requirements where the test runs",)
    return ()
