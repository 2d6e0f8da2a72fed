"""Applying a tier. Prepared in the zygote, applied in each child, in well under a millisecond."""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec
from relive_base.wire.messages import FunctionSpec

from relive_runtime.isolation import landlock, seccomp
from relive_runtime.isolation.confining import Confined
from relive_runtime.isolation.core_files import core_folder, core_pattern
from relive_runtime.isolation.family import FAMILY_TIER
from relive_runtime.isolation.limits import apply_limits
from relive_runtime.isolation.paths import DEVICES, readable_paths
from relive_runtime.isolation.read_only import make_read_only
from relive_runtime.isolation.slots import Slot, enter_slot
from relive_runtime.isolation.spaces import TMP, enter, probe_spaces, within
from relive_runtime.isolation.syscalls import drop_capabilities, no_new_privileges, supported
from relive_runtime.isolation.users import become
from relive_runtime.isolation.ways import closed_part

__all__ = ["Isolation", "Reached", "apply", "prepare"]


class Isolation(msgspec.Struct, eq=False):
    """What a zygote has prepared for its children: open path descriptors, the assembled filter."""

    abi: int = 0
    rules: list[tuple[int, bool, int]] = []  # descriptor, is a folder, rights
    program: seccomp.Filter | None = None
    program_with_unix: seccomp.Filter | None = None
    """If Landlock guards unix sockets, or the owner allows them."""
    readable: list[str] = []
    no_tmp: str = ""  # why no worker can have a /tmp of its own
    slots: tuple[Slot, ...] = ()  # if the zygote is under Landlock, and no worker can make one
    slot: Slot | None = None
    no_family: str = ""  # why the zygote has no spaces of its own
    no_users: str = ""  # why no worker can have a user of its own

    def with_slot(self, slot: Slot | None) -> Isolation:
        """For one worker."""
        return self if slot is None else msgspec.structs.replace(self, slot=slot)


def prepare(
    runtime_dir: str,
    deps_dir: str,
    confined: Confined | None = None,
    no_family: str = "not wanted",
    no_users: str = "not wanted",
) -> Isolation:
    """What does not depend on the function version. Never raises; what is missing is told by `apply`."""
    abi = landlock.abi_version()
    rules: list[tuple[int, bool, int]] = []
    readable = readable_paths(runtime_dir, deps_dir)
    if abi:
        for path in readable:
            rules.extend(_rule(path, landlock.READ))
        for path in DEVICES:
            rules.extend(_rule(path, landlock.DEVICE))
    closed = open_ = None
    if seccomp.available():
        closed, open_ = (seccomp.assemble(seccomp.machine(), unix_sockets=given) for given in (False, True))
    no_tmp = probe_spaces() if confined is None else confined.no_slots or "all of this zygote's are in use"
    slots = () if confined is None else confined.slots
    if confined is not None and not slots:  # a confined zygote's worker changes its user in one
        no_users = no_users or no_tmp
    return Isolation(
        abi, rules, closed, open_, within(TMP, readable), no_tmp, slots, None, no_family, no_users
    )


class Reached(NamedTuple):
    """What became of a process: the tier, what could not be had, in words, and whether /tmp is its own."""

    tier: int
    detail: list[str]
    own_tmp: bool = False


def apply(spec: FunctionSpec, prepared: Isolation) -> Reached:
    """Take rights away from this process, for good.

    Tier 0 is always reached: resource limits. Tier 1 needs both Landlock and seccomp; what there is of the
    two is applied in any case.
    """
    no_user = _no_user(spec, prepared)
    detail = apply_limits(spec.memory_mb, spec.core_mb, own_user=not no_user)
    if spec.isolation_tier < 1:
        return Reached(0, detail)
    if not supported():
        return Reached(0, [*detail, "tier 1 needs Linux"])
    missing: list[str] = []
    no_tmp = _own_tmp(spec, prepared)
    if no_tmp:
        detail.append(f"/tmp: {no_tmp}")
    try:
        no_user = no_user or _become(spec.uid)
        no_new_privileges()
        drop_capabilities()
    except OSError as error:
        return Reached(0, [*detail, f"no_new_privs, capabilities: {error.strerror}"], not no_tmp)
    missing += _apply_landlock(spec, prepared, own_tmp=not no_tmp)
    missing += _apply_seccomp(spec, prepared)
    tier = 0 if missing else 1
    if spec.isolation_tier >= FAMILY_TIER:
        lacking = prepared.no_family or no_tmp
        tier = tier if lacking or missing else FAMILY_TIER
        missing += [f"tier {FAMILY_TIER}: {lacking}"] if lacking else []
        missing += [f"no user of its own: {no_user}"] if no_user and not lacking else []
    return Reached(tier, [*detail, *missing], not no_tmp)


def _no_user(spec: FunctionSpec, prepared: Isolation) -> str:
    """Why this worker cannot have a user of its own; "" if it can."""
    if spec.isolation_tier < FAMILY_TIER or prepared.no_users:
        return prepared.no_users or "not wanted"
    if not spec.uid:
        return "all of its zygote's are in use"
    if prepared.slots and prepared.slot is None:
        return prepared.no_tmp
    for path, read in ((spec.source, True), (spec.scratch, False)):
        closed = closed_part(path, read=read)
        if closed:
            return f"others may not pass {closed}"
    return ""


def _become(uid: int) -> str:
    try:
        become(uid)
    except OSError as error:
        return str(error)
    return ""


def _own_tmp(spec: FunctionSpec, prepared: Isolation) -> str:
    """Give this process a /tmp; "", or why it has none."""
    if not spec.tmp_mb:
        return "none is wanted (RELIVE_TMP_MB is 0)"
    if prepared.no_tmp and prepared.slot is None:
        return prepared.no_tmp
    try:
        if prepared.slot is not None:
            enter_slot(prepared.slot)
            return ""
        cores = [core_folder(core_pattern())] if spec.core_mb else []
        writable = [spec.scratch, *cores, *spec.folders]
        enter(spec.tmp_mb, [*prepared.readable, spec.source, spec.dependencies_dir], writable)
        make_read_only([TMP, *writable])
    except OSError as error:
        return str(error)
    return ""


def _apply_landlock(spec: FunctionSpec, prepared: Isolation, *, own_tmp: bool) -> list[str]:
    if not prepared.abi:
        return ["the kernel has no Landlock"]
    own = [*_rule(spec.source, landlock.READ), *_rule(spec.dependencies_dir, landlock.READ)]
    for path in (spec.scratch, *spec.folders):
        own += _rule(path, landlock.READ_WRITE)
    if own_tmp:
        own += _rule(TMP, landlock.READ_WRITE)
    if spec.core_mb:
        own += _rule(core_folder(core_pattern()), landlock.MAKE_FILES)
    try:
        landlock.restrict([*prepared.rules, *own], prepared.abi, unix_sockets=spec.unix_sockets)
    except OSError as error:
        return [f"Landlock: {error.strerror}"]
    finally:
        for fd, _folder, _rights in own:
            os.close(fd)
    return []


def _apply_seccomp(spec: FunctionSpec, prepared: Isolation) -> list[str]:
    with_unix = spec.unix_sockets or landlock.guards_unix_sockets(prepared.abi)
    program = prepared.program_with_unix if with_unix else prepared.program
    if program is None:
        return [f"no seccomp filter for this kernel or machine ({seccomp.machine()})"]
    try:
        seccomp.install(program, os.getpid())
    except OSError as error:
        return [f"seccomp: {error.strerror}"]
    return []


def _rule(path: str, rights: int) -> list[tuple[int, bool, int]]:
    opened = landlock.open_path(path) if path else None
    return [(*opened, rights)] if opened else []
