"""What a worker may not do: limits, Landlock, seccomp. `apply` in the child, `probe` for the doctor.

Loaded when asked for: a zygote confines itself before anything but the standard library is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relive_runtime.isolation.applying import Isolation, Reached, apply, prepare
    from relive_runtime.isolation.probing import Probe, gaps, probe, probe_apart

__all__ = ["Isolation", "Probe", "Reached", "apply", "gaps", "prepare", "probe", "probe_apart"]

_APPLYING = ("Isolation", "Reached", "apply", "prepare")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = "applying" if name in _APPLYING else "probing"
    return getattr(importlib.import_module(f"{__name__}.{place}"), name)
