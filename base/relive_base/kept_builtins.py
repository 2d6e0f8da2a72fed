"""The builtins as they were before any of the user's code ran, for code of ours that interrupts it.

A module that says `__builtins__ = KEPT` before its functions finds `len` and `Exception` in here: Python
looks builtins up where a function's module had them when it was made. Signal handlers need that: what they
raise comes up in the user's code, which may have taken a builtin away, and a missing name is such an error.
"""

from __future__ import annotations

import builtins
from typing import Any, Final

__all__ = ["KEPT", "intact"]

KEPT: Final[Any] = dict(vars(builtins))
__builtins__ = KEPT


def intact() -> bool:
    """Whether none of the builtins is gone, or cannot be called any more; else the standard library fails in
    any place."""
    now = builtins.__dict__
    return all(name in now and (not callable(kept) or callable(now[name])) for name, kept in KEPT.items())
