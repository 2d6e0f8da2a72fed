"""What the globals of the application's modules hold: state that an invocation leaves to the next one in the
same process, and that a replay, in a fresh process, has not."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict, defaultdict, deque
from functools import lru_cache
from itertools import islice
from types import ModuleType
from typing import Any, Final

from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.wire.messages import FunctionSpec

from relive_capture.record.budget import Budget, Meter
from relive_capture.record.inspection import class_dict
from relive_capture.record.values import Walker

__all__ = ["module_state", "modules_of"]

_MOST: Final = 100
_MODULES: Final = 200
_NAMES: Final = 1_000  # of one module
_TEXT: Final = 160
_PLAIN_IDS: Final = frozenset(map(id, (
    dict, list, set, tuple, frozenset, deque, OrderedDict, defaultdict, bytearray, str, bytes, int, float,
    bool, type(None),
)))  # fmt: skip
_CACHE: Final = type(lru_cache(lambda: None))
_file_of: Final = class_dict(ModuleType)["__dict__"].__get__


def module_state(spec: FunctionSpec) -> dict[str, str]:
    """`module.name` -> a short text of the value, for plain data, instances of the application's own classes
    and function caches. At most 100, without secrets. Runs none of the application's code."""
    budget = Budget(text=_TEXT)
    redactor = Redactor(spec.redact_keys)
    walker = Walker(budget, Meter(budget), redactor, [])
    own = modules_of(spec)
    found: dict[str, str] = {}
    for module, names in own.items():
        for name, value in islice(list(names.items()), _NAMES):
            if len(found) >= _MOST:
                return found
            if type(name) is str and not name.startswith("__") and _holds_state(value, own):
                strength = redactor.secret_key(name) if value is not None else ""
                secret = redactor.is_secret(name, value) if strength == "path" else strength
                found[f"{module}.{name}"] = PLACEHOLDER if secret else _text(walker, value, name)
    return found


def modules_of(spec: FunctionSpec) -> dict[str, dict[str, Any]]:
    """The application's own modules that are loaded, and their globals."""
    folders = tuple(f"{os.path.abspath(folder)}{os.sep}" for folder in (spec.source, *spec.in_app))
    found: dict[str, dict[str, Any]] = {}
    for name, module in list(sys.modules.items()):
        if type(module) is not ModuleType:
            continue  # a module class of the application's own could run code
        names: dict[str, Any] = _file_of(module)
        file = names.get("__file__")
        if type(file) is str and file.startswith(folders) and len(found) < _MODULES:
            found[name] = names
    return found


def _holds_state(value: Any, own: dict[str, dict[str, Any]]) -> bool:
    cls = type(value)
    return id(cls) in _PLAIN_IDS or cls is _CACHE or class_dict(cls).get("__module__") in own


def _text(walker: Walker, value: Any, name: str) -> str:
    if type(value) is _CACHE:
        return f"<cache of {value.cache_info().currsize}>"
    return walker.value(value, name).text[:_TEXT]
