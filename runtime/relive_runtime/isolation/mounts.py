"""Namespaces and mounts, by their system calls."""

from __future__ import annotations

import ctypes
import os
from typing import Final

from relive_runtime.isolation.syscalls import check, libc

__all__ = [
    "NEW_IPC",
    "NEW_MOUNTS",
    "NEW_PROCESSES",
    "NO_DEVICES",
    "NO_EXECUTE",
    "NO_SUID",
    "bind",
    "make_folders",
    "make_private",
    "mount",
    "unmount",
    "unshare",
]

NEW_MOUNTS: Final = 0x0002_0000
NEW_IPC: Final = 0x0800_0000
NEW_PROCESSES: Final = 0x2000_0000
_NEW_USER: Final = 0x1000_0000

_READ_ONLY: Final = 1
NO_SUID: Final = 2
NO_DEVICES: Final = 4
NO_EXECUTE: Final = 8
_REMOUNT: Final = 32
_BIND: Final = 4_096
_RECURSIVE: Final = 16_384
_PRIVATE: Final = 1 << 18
_DETACH: Final = 2


def unshare(spaces: int) -> None:
    """Namespaces of its own for this process, which has one thread. As root if it may; else in a user
    namespace, in which this user is who it is outside. Raises OSError."""
    try:
        check(libc.unshare(ctypes.c_int(spaces)))
    except PermissionError:
        uid, gid = os.geteuid(), os.getegid()
        check(libc.unshare(ctypes.c_int(_NEW_USER | spaces)))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")


def make_private() -> None:
    """What is mounted from now on is seen here alone."""
    mount(b"none", b"/", None, _RECURSIVE | _PRIVATE)


def mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, options: bytes | None = None
) -> None:
    """mount(2). Raises OSError."""
    check(libc.mount(source, target, kind, ctypes.c_ulong(flags), options))


def unmount(target: str) -> None:
    """What was mounted there last, and what is in it. Raises OSError."""
    check(libc.umount2(os.fsencode(target), ctypes.c_int(_DETACH)))


def bind(descriptor: int, path: str, *, may_write: bool) -> None:
    """What `descriptor` names, at `path`, which is made if there is nothing. Needs /proc."""
    source, target = f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path)
    if not os.path.exists(path):  # else it is in what was put back before
        make_folders(os.path.dirname(path))
        if os.path.isdir(source):
            make_folders(path)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    mount(source, target, None, _BIND | _RECURSIVE)
    if not may_write:
        flags = os.statvfs(path).f_flag & (NO_SUID | NO_DEVICES | NO_EXECUTE)
        mount(None, target, None, _BIND | _REMOUNT | _READ_ONLY | flags)


def make_folders(path: str) -> None:
    """This folder and those above it, if all may pass, whatever the umask."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
