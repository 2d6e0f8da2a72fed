"""The cores of this machine, and how many gateways they are good for."""

from __future__ import annotations

import os
from typing import Final

from relive_platform.addresses import SettingsError

__all__ = ["USERS_EACH", "check_gateways", "cores"]

_FOR_EACH: Final = 4
USERS_EACH: Final = 256
"""Users of one dependency set in one process of the server."""


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_gateways(count: int, users: int) -> None:
    """Raises SettingsError if they are more than any load needs, or than there are `users` for workers of."""
    if count > 1 and users < count * USERS_EACH:
        raise SettingsError(
            f"{users} users are too few for the workers of {count} gateways: each takes {USERS_EACH} for a"
            " dependency set",
            where="RELIVE_UID_COUNT",
            hint=f"give at least {count * USERS_EACH}, or fewer gateways",
        )
    most = _FOR_EACH * cores()
    if count > most:
        raise SettingsError(
            f"{count} gateways are more than four for each core",
            where="RELIVE_GATEWAYS",
            hint=f"this machine has {cores()} cores: give a number from 1 to {most}",
        )
