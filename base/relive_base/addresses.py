"""Addresses as they may be shown."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["names_password", "without_password"]

_SCHEME: Final = re.compile(
    r"\s*(?:clickhouses?|https?|grpcs?|tcp|unix|postgres(?:ql)?|mysql|redis)://", re.I
)
"""Known ones: `user://pass@host` has a user and no scheme."""


def without_password(address: str) -> str:
    """A URL with `***` in the place of its password, for errors, logs and screens.

    Whatever stands between the first colon of the user and the last `@` counts as password: one that was not
    percent-encoded may hold `/`, `@` and `:`.
    """
    head, at, tail = address.rpartition("@")
    if not at:
        return address
    match = _SCHEME.match(head)
    scheme = match[0] if match else ""
    user, colon, _ = head[len(scheme) :].partition(":")
    return f"{scheme}{user}:***@{tail}" if colon else address


def names_password(address: str) -> bool:
    """Whether it is a URL with a password."""
    return without_password(address) != address
