"""A worker's own view of the file system: a mount namespace with an empty /tmp of its own.

Needs CAP_SYS_ADMIN, or a user namespace; and no Landlock yet, which forbids mounting for good: a zygote that
is under it has workers without. The mounts end with the last process of the worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from relive_runtime.isolation.mounts import (
    NEW_IPC,
    NEW_MOUNTS,
    NO_DEVICES,
    NO_SUID,
    bind,
    make_private,
    mount,
    unshare,
)
from relive_runtime.isolation.syscalls import supported

__all__ = ["TMP", "enter", "probe_spaces", "within"]

TMP: Final = "/tmp"

_MIB: Final = 1_048_576


def enter(tmp_mb: int, readable: Iterable[str], writable: Iterable[str]) -> None:
    """Give this process, which has one thread, mounts of its own, and a /tmp with room for `tmp_mb`.

    What of `readable` and `writable` lies below /tmp stays there, and nothing else does. Raises OSError; the
    process is then to be ended, or to go on in what it has.
    """
    unshare(NEW_MOUNTS | NEW_IPC)
    make_private()
    kept = [(path, False) for path in within(TMP, readable)] + [
        (path, True) for path in within(TMP, writable)
    ]
    opened = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC), may_write) for path, may_write in kept]
    try:
        options = f"size={tmp_mb * _MIB},mode=1777".encode()
        mount(b"tmpfs", TMP.encode(), b"tmpfs", NO_SUID | NO_DEVICES, options)
        for path, descriptor, may_write in opened:
            bind(descriptor, path, may_write=may_write)
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
