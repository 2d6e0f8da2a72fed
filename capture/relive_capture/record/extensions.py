"""Whether the C extensions are to be used. Each has its twin in Python, for when it could not be built."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relive_capture.record.values._trees import Trees

__all__ = ["PURE_VARIABLE", "is_pure", "native_trees"]

PURE_VARIABLE: Final = "RELIVE_PURE_PYTHON"
"""Set to 1 it keeps the extensions from being built, and from being used."""


def is_pure() -> bool:
    """Whether Python alone is wanted."""
    return os.environ.get(PURE_VARIABLE) == "1"


def native_trees() -> type[Trees] | None:
    """What makes value trees in C; None if it was not built, or for another interpreter."""
    try:
        from relive_capture.record.values._trees import Trees
    except ImportError:
        return None
    return Trees
