"""What stood around the failure: the interpreter, names of variables, versions of modules, other threads."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from relive_base.escapes import to_json

from relive_capture.model import ThreadView
from relive_capture.record.budget import Budget
from relive_capture.record.frames import FrameRecorder, RawFrame, Stack, raw_stack
from relive_capture.record.inspection import dict_items, instance_dict

__all__ = ["Environment", "ModuleVersions", "thread_names", "threads"]

_MAX_NAMES = 500
_MAX_MODULES = 3000
# Values that help and hide nothing; of every other variable only the name is kept.
_HARMLESS = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONUTF8", "STAGE")


class Environment:
    """Facts about the process. Values of environment variables are left out but for a few. Written once, as
    long as nothing of it changes."""

    def __init__(self) -> None:
        self._state: object = None
        self._versions: dict[str, str] | None = None
        self._json = b""

    def json(self, names: list[str], secret: list[str], versions: dict[str, str]) -> bytes:
        """`names` are all variables, `secret` those whose names say so."""
        values = {name: os.environ[name][:200] for name in _HARMLESS if name in os.environ}
        state = names, secret, values, os.getpid(), sys.getrecursionlimit()
        # versions by identity: they are always found anew as a whole
        if self._versions is not versions or self._state != state:
            self._json = to_json(self._facts(names, secret, versions, values))
            self._state, self._versions = state, versions
        return self._json

    def _facts(
        self, names: list[str], secret: list[str], versions: dict[str, str], values: dict[str, str]
    ) -> dict[str, Any]:
        shown = sorted(names)[:_MAX_NAMES]
        system = os.uname()
        return {
            "python": sys.version.split()[0],
            "implementation": sys.implementation.name,
            "system": f"{system.sysname} {system.release} {system.machine}",
            "pid": os.getpid(),
            "cpus": os.cpu_count(),
            "recursion_limit": sys.getrecursionlimit(),
            "variables": shown,
            "values": values,
            "secret_variables": [name for name in shown if name in secret],
            "modules": versions,
        }


class ModuleVersions:
    """Versions that loaded top-level modules state themselves. Asked again once another one was loaded."""

    def __init__(self) -> None:
        self._loaded = 0
        self._found: dict[str, str] = {}

    def current(self) -> dict[str, str]:
        """By the module's name."""
        loaded = dict.__len__(sys.modules) if issubclass(type(sys.modules), dict) else 0
        if not loaded or loaded != self._loaded:
            self._found, self._loaded = _versions(), loaded
        return self._found


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, module in dict_items(sys.modules, _MAX_MODULES):
        if type(name) is not str or "." in name or module is None:
            continue
        version = (instance_dict(module) or {}).get("__version__")
        if type(version) is str:
            found[name] = version[:40]
    return found


def threads(
    budget: Budget, recorder: FrameRecorder, inner: Callable[[list[RawFrame]], list[RawFrame]]
) -> tuple[list[ThreadView], int]:
    """(the process's other threads with their frames, how many were left out). `inner` takes Relive's own
    frames off a stack."""
    own = threading.get_ident()
    names = thread_names()
    views: list[ThreadView] = []
    stacks = [(ident, frame) for ident, frame in sys._current_frames().items() if ident != own]
    for number, (ident, frame) in enumerate(stacks[: budget.threads]):
        raw = inner(raw_stack(frame, budget.thread_frames))
        heads = [recorder.head(one) for one in raw]
        recorder.fill_own([Stack(heads, raw, f"threads[{number}]")])
        views.append(ThreadView(name=names.get(ident, "?"), ident=ident, frames=heads))
    return views, max(len(stacks) - budget.threads, 0)


def thread_names() -> dict[int, str]:
    """Names of the threads by their ident, as far as Python knows them."""
    # threading.enumerate() takes a lock that the interrupted code may hold
    known: Any = threading._active  # type: ignore[attr-defined]
    found: dict[int, str] = {}
    for ident, thread in dict_items(known, 1000):
        name = (instance_dict(thread) or {}).get("_name")
        if type(name) is str:
            found[ident] = name[:100]
    return found
