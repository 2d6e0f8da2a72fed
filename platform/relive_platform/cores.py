"""The cores of this machine, and how many gateways they are good for."""

from __future__ import annotations

import os
from typing import Final

from relive_platform.addresses import SettingsError

__all__ = ["check_gateways", "cores"]

_FOR_EACH: Final = 4


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_gateways(count: int) -> None:
    """Raises SettingsError if they are more than any load needs."""
    most = _FOR_EACH * cores()
    if count > most:
        raise SettingsError(
            f"{count} gateways are more than four for each core",
            where="RELIVE_GATEWAYS",
            hint=f"this machine has {cores()} cores: give a number from 1 to {most}",
        )
