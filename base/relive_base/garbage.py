"""The garbage collector of processes that hold many live objects for a moment: batches, rows, invocations."""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["settle"]

_THRESHOLDS: Final = (20_000, 20, 50)


def settle() -> None:
    """What is here now stays: collections need not look at it again, nor come after every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
