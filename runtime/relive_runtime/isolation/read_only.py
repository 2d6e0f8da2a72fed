"""A view of the file system in which nothing can be changed but some folders.

Landlock does not look at modes, owners, times and attributes: without this, a function could lock the server,
whose user it runs as, out of its own home by one `chmod`. Needs mounts of its own (see `spaces`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Mapping
from typing import Final

from relive_runtime.isolation.syscalls import check, libc, syscall

__all__ = ["make_read_only", "own_user", "own_view"]

_NR_MOUNT_SETATTR: Final = 442  # Linux 5.12
_CURRENT_FOLDER: Final = -100  # AT_FDCWD
_RECURSIVE: Final = 0x8000
_READ_ONLY: Final = 1
_BIND: Final = 4_096
_ALL_PRIVATE: Final = 16_384 | 1 << 18
_NEW_MOUNTS: Final = 0x0002_0000
_NEW_USER: Final = 0x1000_0000


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user", ctypes.c_uint64),
    )


def own_view(writable: Iterable[str], copies: Mapping[str, str] | None = None) -> None:
    """Mounts of its own for this process, which has one thread, in which only `writable` can be changed, and
    the folders that are the keys of `copies`: there it sees, and changes, the copies that the values name.

    Raises OSError if it cannot be had; the process then sees what it saw.
    """
    try:
        check(libc.unshare(ctypes.c_int(_NEW_MOUNTS)))
    except PermissionError:
        own_user()
        check(libc.unshare(ctypes.c_int(_NEW_MOUNTS)))
    check(libc.mount(b"none", b"/", None, ctypes.c_ulong(_ALL_PRIVATE), None))
    for folder, copy in sorted((copies or {}).items()):
        names = os.fsencode(copy), os.fsencode(folder)
        check(libc.mount(*names, None, ctypes.c_ulong(_BIND), None))
    make_read_only([*writable, *(copies or {})])


def own_user() -> None:
    """A user namespace for this process, which has one thread and is in it who it is outside. Raises
    OSError."""
    uid, gid = os.geteuid(), os.getegid()
    check(libc.unshare(ctypes.c_int(_NEW_USER)))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def make_read_only(writable: Iterable[str]) -> None:
    """Every file system that this process sees, but what is below `writable`, for good. Raises OSError."""
    kept = list(dict.fromkeys(os.path.realpath(path) for path in writable if path and os.path.isdir(path)))
    for path in kept:
        if not os.path.ismount(path):
            name = os.fsencode(path)
            check(libc.mount(name, name, None, ctypes.c_ulong(_BIND), None))
    _set("/", _Attributes(set=_READ_ONLY), _RECURSIVE)
    for path in kept:
        _set(path, _Attributes(clear=_READ_ONLY), 0)


def _set(path: str, attributes: _Attributes, flags: int) -> None:
    name = ctypes.c_char_p(os.fsencode(path))
    size = ctypes.sizeof(attributes)
    syscall(_NR_MOUNT_SETATTR, _CURRENT_FOLDER, name, flags, ctypes.byref(attributes), size)
