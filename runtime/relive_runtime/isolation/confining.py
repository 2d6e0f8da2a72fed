"""A zygote takes rights away from itself before it imports what others have written.

Standard library and `isolation` only: this runs before a dependency is on sys.path. What is taken away here
no worker gets back; so a zygote keeps what all of its workers need: the code of the functions with its
dependency set, and their scratch folders.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.core_files import core_folder, core_pattern
from relive_runtime.isolation.family import Family
from relive_runtime.isolation.paths import DEVICES, folders_of, readable_paths
from relive_runtime.isolation.read_only import own_view
from relive_runtime.isolation.slots import Slot, make_slots
from relive_runtime.isolation.syscalls import CAP_KILL, drop_capabilities, no_new_privileges, supported
from relive_runtime.isolation.users import Users, become, keep_capabilities

__all__ = ["Confined", "confine"]

_SLOTS: Final = 16
_CALLS_OF_A_ZYGOTE: Final = ("setns", "pidfd_open")
"""Into a slot, of which it has the descriptors; and for the numbers of its children."""


class Confined(NamedTuple):
    """What came of it: a /tmp for each of so many workers, and why not for more."""

    slots: tuple[Slot, ...] = ()
    no_slots: str = ""


def confine(
    runtime_dir: str,
    options: Mapping[str, object],
    family: Family | None = None,
    users: Users | None = None,
) -> Confined | None:
    """For the bootstrap's options `code_root`, `scratch_root`, `folders`, `tmp_mb`, `core`, `unix_sockets`;
    None if it is not wanted. What the kernel cannot do, each worker says for itself. Raises OSError if it
    can, and does not.

    With `users` this process becomes the first of them. Its workers are others, which it may end: with
    process numbers of its own (`family`) there is nobody else that it could reach.
    """
    code, scratch = str(options.get("code_root") or ""), str(options.get("scratch_root") or "")
    if not code or not supported():
        return None
    core = core_folder(core_pattern()) if options.get("core") else ""
    readable = [*readable_paths(runtime_dir, str(options.get("deps_dir") or "")), code]
    folders = folders_of(options)
    writable = [path for path in (scratch, core, *folders) if path]
    with contextlib.suppress(OSError):  # `gaps` tells if it cannot be had
        own_view([*writable, "/proc"])  # where the slots' user namespaces are told who is who
    slots: list[Slot] = []
    reason = "none is wanted (RELIVE_TMP_MB is 0)"
    tmp_mb = int(str(options.get("tmp_mb") or 0))
    if tmp_mb:
        slots, reason = make_slots(_SLOTS, tmp_mb, readable, writable, users)
    unix_sockets = bool(options.get("unix_sockets"))
    if users is not None:
        keep_capabilities()
        become(users.first)
    no_new_privileges()
    drop_capabilities(None if users is None else CAP_KILL)
    abi = landlock.abi_version()
    if abi:
        wanted = [(path, landlock.READ) for path in readable]
        wanted += [(path, landlock.DEVICE) for path in DEVICES]
        wanted += [(path, landlock.READ_WRITE) for path in (scratch, *folders)]
        wanted += [(core, landlock.MAKE_FILES)]
        _restrict(wanted, slots, family, abi, unix_sockets)
    if seccomp.available():
        reachable = unix_sockets or landlock.guards_unix_sockets(abi)
        seccomp.install(
            seccomp.assemble(seccomp.machine(), unix_sockets=reachable, but_for=_CALLS_OF_A_ZYGOTE)
        )
    return Confined(tuple(slots), reason)


def _restrict(
    wanted: list[tuple[str, int]], slots: list[Slot], family: Family | None, abi: int, unix_sockets: bool
) -> None:
    opened = [(landlock.open_path(path), rights) for path, rights in wanted if path]
    rules = [(*found, rights) for found, rights in opened if found]
    try:
        own = [(slot.tmp, True, landlock.READ_WRITE) for slot in slots]
        own += [] if family is None else [(family.numbers, True, landlock.READ)]
        landlock.restrict([*rules, *own], abi, unix_sockets=unix_sockets)
    finally:
        for descriptor, _folder, _rights in rules:
            os.close(descriptor)
