"""What this machine offers to keep functions apart, for `relive doctor`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from relive_platform.isolation import landlock, seccomp
from relive_platform.isolation.syscalls import supported

__all__ = ["Probe", "probe"]

_ABI_COMPLETE: Final = 6


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was looked for: whether it is there, in words, and what to do where it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def probe() -> list[Probe]:
    """Looks, changes nothing. The last entry is the tier that workers will reach."""
    if not supported():
        return [Probe("isolation", False, "tier 0: tier 1 needs Linux", "run Relive on Linux 5.13 or newer")]
    abi = landlock.abi_version()
    filters = seccomp.available()
    tier = 1 if abi and filters else 0
    return [
        _landlock(abi),
        Probe(
            "seccomp",
            filters,
            f"filters on {seccomp.machine()}" if filters else f"no filter on {seccomp.machine()}",
            "" if filters else "use a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64",
        ),
        Probe(
            "isolation",
            tier == 1,
            f"tier {tier}"
            + (": Landlock and seccomp" if tier else ": own session, limits, clean environment"),
            "" if tier else "see the lines above",
        ),
    ]


def _landlock(abi: int) -> Probe:
    kernel = os.uname().release
    if not abi:
        remedy = "use Linux 5.13 or newer, with landlock in the `lsm=` list of the kernel's command line"
        return Probe("landlock", False, f"not offered by kernel {kernel}", remedy)
    if abi < _ABI_COMPLETE:
        detail = f"ABI {abi}: files are protected, signals to other processes are not"
        return Probe(
            "landlock", True, detail, "Linux 6.12 or newer protects other processes from signals, too"
        )
    return Probe("landlock", True, f"ABI {abi}")
