"""Notes of what runs, by which the next process tells of one that was killed.

A process has a small file, mapped into its memory, so that a note costs no system call and stays if the
process is gone at once. A lock on the file ends with its process. Notes have ids, times and the name: nothing
of the event, which may have secrets.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec
from relive_base.ids import new_span_id

if TYPE_CHECKING:
    from relive_outside.record.attempts import Attempt

__all__ = ["Left", "Marks"]

_SLOTS: Final = 32
_SLOT: Final = struct.Struct("<B36s32s16sQ80s20s")
_BYTES: Final = 8_192
_HEAD: Final = struct.Struct("<8sI16sQ")
_MAGIC: Final = b"RELIVE02"
_FILES: Final = 512
_MADE_S: Final = 60.0
_END: Final = ".running"
_DRAFT_END: Final = ".making"


class Left(msgspec.Struct, frozen=True):
    """What a process was at when it was killed."""

    invocation_id: str
    trace_id: str
    span_id: str
    started_ns: int
    name: str
    host: str
    pid: int
    python: str


class Marks:
    """One per process, and anew in each that it forks. Without a folder that can be written there are
    none."""

    def __init__(self, folder: str) -> None:
        self._folder = folder or os.path.join(os.environ.get("TMPDIR") or "/tmp", f"relive-{os.getuid()}")
        self._pid = 0
        self._map: mmap.mmap | None = None
        self._mapped: tuple[int, int, int] | None = None  # the map's descriptor, and its file: device, inode
        self._path = ""
        self._free: list[int] = []
        self._lock = threading.Lock()

    def begin(self, attempt: Attempt) -> bool:
        """It runs from now on; the first 32 at a time are noted. Whether it is the first one of this process,
        which may have taken the place of one that was killed."""
        first = self._pid != os.getpid()
        if first:
            self._open()
        if self._map is None:
            return first
        with self._lock:
            if not self._free:
                return first
            slot = attempt.slot = self._free.pop()  # who cannot go on gives it back
        recipe = attempt.recipe
        _SLOT.pack_into(
            self._map,
            _HEAD.size + slot * _SLOT.size,
            1,
            attempt.invocation_id.encode(),
            attempt.trace_id.encode(),
            attempt.span_id.encode(),
            attempt.started_ns,
            recipe.name.encode("utf-8", "replace")[:80],
            recipe.host.encode("utf-8", "replace")[:20],
        )
        return first

    def end(self, attempt: Attempt) -> None:
        """It does not any more."""
        slot, attempt.slot = attempt.slot, -1
        if slot < 0 or self._map is None or attempt.pid != os.getpid():
            return
        self._map[_HEAD.size + slot * _SLOT.size] = 0
        with self._lock:
            self._free.append(slot)

    def close(self) -> None:
        """The process ends by itself: nothing is left."""
        if self._pid == os.getpid() and self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._path = ""
        if self._map is not None and self._mapped is not None and not _is_still(*self._mapped):
            _drop(self._map, self._mapped)

    def tell_left(self, tell: Callable[[Left], bool]) -> bool:
        """Give it what processes were at that are gone, until it takes no more. Whether that was all.

        A note goes once it was taken: who is killed between the two leaves it to the next process."""
        with contextlib.suppress(OSError):
            for path in self._entries():
                with contextlib.suppress(OSError, struct.error, ValueError):
                    if not _tell_of(path, tell):
                        return False
        return True

    def _entries(self) -> Iterator[str]:
        if not _is_ours(self._folder):
            return
        names = sorted(os.listdir(self._folder))
        for name in [name for name in names if name.endswith(_DRAFT_END)][:_FILES]:
            with contextlib.suppress(OSError):
                _drop_draft(os.path.join(self._folder, name))
        yield from (
            os.path.join(self._folder, name) for name in [n for n in names if n.endswith(_END)][:_FILES]
        )

    def _open(self) -> None:
        self._pid = os.getpid()
        if self._map is not None:  # of the process that this one was forked from
            _drop(self._map, self._mapped)
        self._map, self._path, self._free, self._lock = None, "", [], threading.Lock()
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            if not _is_ours(self._folder):
                return
            path = os.path.join(self._folder, f"{os.getpid()}-{new_span_id()}{_END}")
            draft = path + _DRAFT_END  # others look into it once it is locked
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.posix_fallocate(descriptor, 0, _BYTES)  # a write to a page without room is a SIGBUS
                mapped, own = _map(descriptor)
                python = sys.version.split()[0].encode()[:16]
                _HEAD.pack_into(mapped, 0, _MAGIC, self._pid, python, _began(self._pid))
                os.rename(draft, path)
            except OSError:
                os.unlink(draft)
                raise
            finally:
                os.close(descriptor)  # the memory keeps the file and its lock
        except OSError:
            return
        self._map, self._mapped, self._path, self._free = mapped, own, path, list(range(_SLOTS))


def _tell_of(path: str, tell: Callable[[Left], bool]) -> bool:
    """Of one file, if its process is gone. Whether all of it was taken."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.getuid() or not info.st_nlink:
            return True  # who had the lock before has told of it
        data = os.pread(descriptor, _BYTES, 0)
        for slot, left in _read(data) if info.st_size == _BYTES else ():
            if not tell(left):
                return False
            os.pwrite(descriptor, b"\0", _HEAD.size + slot * _SLOT.size)
        os.unlink(path)
        return True
    finally:
        os.close(descriptor)


def _drop_draft(path: str) -> None:
    """Its process was killed as it made it: many of these would hide the others."""
    if time.time() - os.lstat(path).st_mtime >= _MADE_S:
        os.unlink(path)


def _map(descriptor: int) -> tuple[mmap.mmap, tuple[int, int, int] | None]:
    """The memory, and which descriptor of its own it has: from Python 3.13 on it needs none."""
    info = os.fstat(descriptor)
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, _BYTES, trackfd=False), None
    number = os.dup(descriptor)  # the lowest that is free; the map takes it next
    os.close(number)
    return mmap.mmap(descriptor, _BYTES), (number, info.st_dev, info.st_ino)


def _drop(mapped: mmap.mmap, own: tuple[int, int, int] | None) -> None:
    """A map closes its descriptor as it goes. If the application has closed that one, its number may be
    that of a file of the application's: then the map stays for ever."""
    if own is None or _is_still(*own):
        mapped.close()
        return
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(mapped))


def _is_still(descriptor: int, device: int, inode: int) -> bool:
    try:
        info = os.fstat(descriptor)
    except OSError:
        return False
    return (info.st_dev, info.st_ino) == (device, inode)


def _began(pid: int) -> int:
    """When a process began, in ticks since the machine did: an `exec` leaves it as it is. 0: not known."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read(4_096).rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def _is_ours(folder: str) -> bool:
    try:
        info = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.getuid() and not info.st_mode & 0o022


def _read(data: bytes) -> Iterator[tuple[int, Left]]:
    magic, pid, python, began = _HEAD.unpack_from(data, 0)
    if magic != _MAGIC or (pid == os.getpid() and began and began == _began(pid)):
        return  # or this very process has become another program by `exec`
    for slot in range(_SLOTS):
        used, ident, trace, span, started_ns, name, host = _SLOT.unpack_from(
            data, _HEAD.size + slot * _SLOT.size
        )
        if used == 1:
            yield (
                slot,
                Left(
                    invocation_id=_text(ident),
                    trace_id=_text(trace),
                    span_id=_text(span),
                    started_ns=started_ns,
                    name=_text(name),
                    host=_text(host),
                    pid=pid,
                    python=_text(python),
                ),
            )


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")
