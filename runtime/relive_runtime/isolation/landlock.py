"""Landlock: what a worker may read and write. Rights are only ever taken away, for this process and its
children.

Numbers are from linux/landlock.h; the ABI says which of them the running kernel knows.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from relive_runtime.isolation.syscalls import prepared_syscall, supported, syscall

__all__ = [
    "DEVICE",
    "MAKE_FILES",
    "READ",
    "READ_WRITE",
    "abi_version",
    "guards_signals",
    "guards_unix_sockets",
    "open_path",
    "restrict",
]

_NR_CREATE_RULESET: Final = 444
_NR_ADD_RULE: Final = 445
_NR_RESTRICT_SELF: Final = 446
_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_MAKE_REG: Final = 1 << 8
_UP_TO_MAKE_SYM: Final = (1 << 13) - 1
_REFER: Final = 1 << 13  # ABI 2
_TRUNCATE: Final = 1 << 14  # ABI 3
_IOCTL_DEV: Final = 1 << 15  # ABI 5
_RESOLVE_UNIX: Final = 1 << 16  # ABI 9
_SCOPE_ABSTRACT_UNIX_SOCKET: Final = 1 << 0  # ABI 6
_SCOPE_SIGNAL: Final = 1 << 1  # ABI 6

READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
MAKE_FILES: Final = _WRITE_FILE | _MAKE_REG | _TRUNCATE  # neither read nor list
READ_WRITE: Final = _UP_TO_MAKE_SYM | _REFER | _TRUNCATE
DEVICE: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
_FILE_RIGHTS: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV | _RESOLVE_UNIX

_ABI_REFER: Final = 2
_ABI_TRUNCATE: Final = 3
_ABI_IOCTL_DEV: Final = 5
_ABI_SCOPES: Final = 6
_ABI_RESOLVE_UNIX: Final = 9


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what _pack_ means from Python 3.14 on
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi_version() -> int:
    """The kernel's Landlock ABI; 0 if there is none."""
    if not supported():
        return 0
    try:
        return syscall(_NR_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def guards_signals(abi: int) -> bool:
    """Whether signals and abstract unix sockets end at the process and what it starts (Linux 6.12)."""
    return abi >= _ABI_SCOPES


def guards_unix_sockets(abi: int) -> bool:
    """Whether unix sockets that others have put into the file system are out of reach (Linux 7.1)."""
    return abi >= _ABI_RESOLVE_UNIX


def open_path(path: str) -> tuple[int, bool] | None:
    """A descriptor that names `path` in a rule, and whether it is a folder; None if there is no such
    path."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY), True
    except NotADirectoryError:
        return os.open(path, os.O_PATH | os.O_CLOEXEC), False
    except OSError:
        return None


def restrict(rules: list[tuple[int, bool, int]], abi: int, *, unix_sockets: bool = False) -> None:
    """Allow what `rules` name (descriptor, is a folder, rights) and nothing else of the file system.

    Signals and unix sockets of processes outside are shut off if the kernel can; `unix_sockets`: those
    that have a path stay open. The caller has set no_new_privs. Raises OSError.
    """
    handled = _UP_TO_MAKE_SYM
    handled |= _REFER if abi >= _ABI_REFER else 0
    handled |= _TRUNCATE if abi >= _ABI_TRUNCATE else 0
    handled |= _IOCTL_DEV if abi >= _ABI_IOCTL_DEV else 0
    handled |= _RESOLVE_UNIX if abi >= _ABI_RESOLVE_UNIX and not unix_sockets else 0
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if abi >= _ABI_SCOPES else 0
    attributes = _RulesetAttributes(handled, 0, scoped)
    size = ctypes.sizeof(attributes) if scoped else 8
    ruleset = syscall(_NR_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        _add_rules(ruleset, rules, handled)
        syscall(_NR_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _add_rules(ruleset: int, rules: list[tuple[int, bool, int]], handled: int) -> None:
    rule = _PathBeneath()
    add = prepared_syscall(_NR_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    for fd, folder, rights in rules:
        rule.allowed_access = rights & handled & (handled if folder else _FILE_RIGHTS)
        rule.parent_fd = fd
        add()
