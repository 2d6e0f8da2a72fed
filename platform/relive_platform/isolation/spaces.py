"""A worker's own view of the file system: a mount namespace with an empty /tmp of its own.

Needs CAP_SYS_ADMIN, or a user namespace. The mounts end with the last process of the worker.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Final

from relive_platform.isolation.syscalls import check, libc, supported

__all__ = ["TMP", "enter", "probe_spaces", "within"]

TMP: Final = "/tmp"

_NEW_MOUNTS: Final = 0x0002_0000
_NEW_IPC: Final = 0x0800_0000
_NEW_USER: Final = 0x1000_0000

_READ_ONLY: Final = 1
_NO_SUID: Final = 2
_NO_DEVICES: Final = 4
_REMOUNT: Final = 32
_BIND: Final = 4_096
_RECURSIVE: Final = 16_384
_PRIVATE: Final = 1 << 18
_KEPT_FLAGS: Final = _NO_SUID | _NO_DEVICES | 8  # noexec
_MIB: Final = 1_048_576


def enter(tmp_mb: int, readable: Iterable[str], writable: Iterable[str]) -> None:
    """Give this process, which has one thread, mounts of its own, and a /tmp with room for `tmp_mb`.

    What of `readable` and `writable` lies below /tmp stays there, and nothing else does. Raises OSError; the
    process is then to be ended, or to go on in what it has.
    """
    _unshare()
    _mount(b"none", b"/", None, _RECURSIVE | _PRIVATE)
    kept = [(path, False) for path in within(TMP, readable)] + [
        (path, True) for path in within(TMP, writable)
    ]
    opened = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC), may_write) for path, may_write in kept]
    try:
        options = f"size={tmp_mb * _MIB},mode=1777".encode()
        _mount(b"tmpfs", TMP.encode(), b"tmpfs", _NO_SUID | _NO_DEVICES, options)
        for path, descriptor, may_write in opened:
            _bind(descriptor, path, may_write)
    finally:
        for _path, descriptor, _may_write in opened:
            os.close(descriptor)


def within(folder: str, paths: Iterable[str]) -> list[str]:
    """Those of `paths` that are below `folder`, resolved, each once; not those below another one of them."""
    real = sorted({os.path.realpath(path) for path in paths if path})
    below = [path for path in real if path.startswith(f"{folder}/") and os.path.exists(path)]
    return [path for path in below if not any(path.startswith(f"{other}/") for other in below)]


def probe_spaces(tmp_mb: int = 1) -> str:
    """Whether `enter` works on this machine: "", or why not. Tried in a process of its own."""
    if not supported():
        return "it needs Linux"
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        said = b"\1"
        try:
            enter(tmp_mb, [], [])
        except OSError as error:
            said = (error.strerror or str(error)).encode()
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 200)
    os.close(reading)
    os.waitpid(pid, 0)
    return "" if said == b"\1" else said.decode(errors="replace") or "the attempt ended early"


def _unshare() -> None:
    """As root where it may; else in a user namespace, in which this user is who it is outside."""
    try:
        check(libc.unshare(ctypes.c_int(_NEW_MOUNTS | _NEW_IPC)))
    except PermissionError:
        uid, gid = os.geteuid(), os.getegid()
        check(libc.unshare(ctypes.c_int(_NEW_USER | _NEW_MOUNTS | _NEW_IPC)))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _bind(descriptor: int, path: str, may_write: bool) -> None:
    """What `descriptor` names, at `path`, where nothing is any more."""
    source, target = f"/proc/self/fd/{descriptor}".encode(), os.fsencode(path)
    if not os.path.exists(path):  # else it is in what was put back before
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(source):
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    _mount(source, target, None, _BIND | _RECURSIVE)
    if not may_write:
        flags = os.statvfs(path).f_flag & _KEPT_FLAGS
        _mount(None, target, None, _BIND | _REMOUNT | _READ_ONLY | flags)


def _mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, options: bytes | None = None
) -> None:
    check(libc.mount(source, target, kind, ctypes.c_ulong(flags), options))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
