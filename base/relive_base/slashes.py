"""Paths whose segments hold slashes: `/orders/a%2Fb` has two segments, and its last one is "a/b"."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["SLASH", "has_slashes", "with_slashes", "without_slashes"]

SLASH: Final = "\ufdd0"
"""Stands for a slash that is part of a segment, in a decoded path: no character, so that no text has it."""

_ENCODED: Final = re.compile("%2f", re.IGNORECASE)


def has_slashes(target: str) -> bool:
    """Whether a segment of this path, as the client wrote it, holds one."""
    return "%2" in target and _ENCODED.search(target) is not None


def with_slashes(target: str) -> str:
    """The path, decoded, with SLASH for those inside of segments."""
    from urllib.parse import unquote  # here: few workers need it

    return SLASH.join(unquote(part) for part in _ENCODED.split(target))


def without_slashes(path: str) -> str:
    """As a function sees it: all slashes are alike."""
    return path.replace(SLASH, "/")
