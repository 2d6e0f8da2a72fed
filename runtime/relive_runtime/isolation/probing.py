"""What this machine offers to keep functions apart, for `relive doctor`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Final

from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.family import FAMILY_TIER, probe_family
from relive_runtime.isolation.spaces import probe_spaces
from relive_runtime.isolation.syscalls import supported
from relive_runtime.isolation.users import ONLY_ROOT

__all__ = ["ROOT_HINT", "Probe", "gaps", "probe", "probe_apart"]

ROOT_HINT: Final = (
    "run it as a user of its own: `useradd --system --create-home relive`, then `sudo -u relive relive serve`"
    ", or `User=relive` in its systemd unit; ports below 1024 belong to a reverse proxy"
)
_ROOT: Final = (
    "the server runs as root: a function that breaks out of its limits, and a mistake of Relive's, has the"
    " whole machine"
)
_ROOT_WITH_USERS: Final = (
    "the server runs as root: a mistake of Relive's has the whole machine; functions in tier 2"
    " have users of their own"
)
_SPACES_HINT: Final = (
    "run as root, or allow user namespaces (sysctl user.max_user_namespaces,"
    " kernel.apparmor_restrict_unprivileged_userns)"
)
_TIERS: Final = (
    "own session, limits, clean environment",
    "Landlock and seccomp",
    "Landlock, seccomp, and spaces of its own",
)
_ABI_FILES: Final = 3
_APART_LIMIT_S: Final = 30.0
_OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was looked for: whether it is there, in words, and what to do if it is not."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def probe(unix_sockets: bool = False) -> list[Probe]:
    """Looks, changes nothing. The last entry is the tier that workers will reach.

    Forks, so this process is to have one thread: elsewhere `probe_apart`. `unix_sockets`: whether the owner
    allows those that have a path.
    """
    if not supported():
        return [Probe("isolation", False, "tier 0: tier 1 needs Linux", "run Relive on Linux 5.13 or newer")]
    abi = landlock.abi_version()
    filters = seccomp.available()
    no_tmp = probe_spaces()
    no_family = no_tmp or probe_family()
    tier = 0 if not (abi and filters) else 1 if no_family else FAMILY_TIER
    return [
        _landlock(abi),
        Probe(
            "seccomp",
            filters,
            f"filters on {seccomp.machine()}" if filters else f"no filter on {seccomp.machine()}",
            "" if filters else "use a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64",
        ),
        Probe("unix sockets", True, _unix_sockets(abi, filters, unix_sockets)),
        Probe("user", True, f"warning: {_ROOT}; {ROOT_HINT}" if not os.geteuid() else "not root"),
        Probe(
            "own /tmp",
            not no_tmp,
            f"none: {no_tmp}" if no_tmp else "each worker's own, in a mount namespace",
            f"{_SPACES_HINT}; until then functions have tempfile and TMPDIR" if no_tmp else "",
        ),
        Probe(
            "own spaces",
            not no_family,
            f"none: {no_family}" if no_family else "/proc, /dev, process numbers and IPC of each zygote",
            _SPACES_HINT if no_family else "",
        ),
        Probe("own user", True, _users(no_family)),
        Probe("isolation", tier > 0, f"tier {tier}: {_TIERS[tier]}", "" if tier else "see the lines above"),
    ]


def probe_apart(unix_sockets: bool = False) -> list[Probe]:
    """`probe` in an interpreter of its own: what it tries there needs a process without other threads, which
    one that has talked gRPC is not. Raises OSError and subprocess.SubprocessError.
    """
    command = [sys.executable, "-P", "-m", __spec__.name, *([_OPEN] if unix_sockets else [])]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_APART_LIMIT_S
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        hint = f"see all of it: {shlex.join(command)}"
        return [Probe("isolation", False, f"not known: the attempt failed: {last}", hint)]
    return [Probe(**entry) for entry in json.loads(done.stdout)]


def gaps(tier: int, unix_sockets: bool = False, no_mounts: str = "") -> list[str]:
    """What is not kept apart here though `tier` is wanted, in words: for `relive status`, and to warn of.

    `no_mounts`: why workers have no mounts of their own, which `probe_spaces` finds out by a fork, and the
    server does not.
    """
    found: list[str] = []
    if not os.geteuid():
        found.append(_ROOT_WITH_USERS if tier >= FAMILY_TIER else _ROOT)
    if tier < 1:
        return [*found, "tier 0 is set: functions read and change what the server's user can"]
    if not supported():
        return [*found, "tier 1 needs Linux: functions read and change what the server's user can"]
    abi, filters = landlock.abi_version(), seccomp.available()
    if not abi:
        found.append("no Landlock: functions read and change the files of the server's user")
    elif abi < _ABI_FILES:
        found.append(f"Landlock ABI {abi}: functions can cut any file of the server's user to length zero")
    if not landlock.guards_signals(abi):
        found.append(f"Landlock ABI {abi}: functions can send signals to all processes of the server's user")
        found.append(f"Landlock ABI {abi}: functions reach abstract unix sockets" if unix_sockets else "")
    if not filters:
        found.append("no seccomp: functions can limit and slow down all processes of the server's user")
    if unix_sockets or not (filters or landlock.guards_unix_sockets(abi)):
        found.append("functions reach unix sockets that have a path (databases, Docker, tmux, SSH agent)")
    if no_mounts:
        found.append(
            f"no mounts of their own ({no_mounts}): functions can change modes and times of what the server's"
            " user owns"
        )
    return [text for text in found if text]


def _users(no_family: str) -> str:
    if no_family:
        return f"none: {no_family}"
    if os.geteuid():
        return f"none in tier {FAMILY_TIER}: {ONLY_ROOT}; a worker has the server's"
    return f"each worker's own in tier {FAMILY_TIER}, from RELIVE_UID_BASE on"


def _unix_sockets(abi: int, filters: bool, allowed: bool) -> str:
    if allowed:
        return "functions reach those that have a path (RELIVE_UNIX_SOCKETS=open)"
    if landlock.guards_unix_sockets(abi):
        return "functions reach those that they have made themselves"
    if filters:
        return "functions have none; Linux 7.1 or newer allows those that they have made themselves"
    return "functions reach all of this user's"


def _landlock(abi: int) -> Probe:
    kernel = os.uname().release
    if not abi:
        hint = "use Linux 5.13 or newer, with landlock in the `lsm=` list of the kernel's command line"
        return Probe("landlock", False, f"not offered by kernel {kernel}", hint)
    if not landlock.guards_signals(abi):
        detail = f"ABI {abi}: files are protected, signals to other processes are not (Linux 6.12 or newer)"
        return Probe("landlock", True, detail)
    return Probe("landlock", True, f"ABI {abi}")


if __name__ == "__main__":
    print(json.dumps([asdict(entry) for entry in probe(_OPEN in sys.argv[1:])]))
