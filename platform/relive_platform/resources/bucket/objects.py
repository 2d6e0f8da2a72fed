"""The objects of a folder: its regular files by their keys. Symlinks are none, and nothing is followed."""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import os
import signal
import stat
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["Identity", "Scan", "look", "notes_of", "scan", "written_by_someone"]

_DEPTH: Final = 64
_KEY_BYTES: Final = 1_024  # as S3 has it
_HASHED_BYTES: Final = 8 * 1_048_576
_TRACE: Final = "user.traceparent"
_TRACE_BYTES: Final = 128


class Identity(NamedTuple):
    """If one of them is another, the object is."""

    size: int
    mtime_ns: int
    inode: int


class Scan(NamedTuple):
    """`folders` are relative, "" is the bucket's own. `left_out`: files over the limit, too deep, or with a
    key that is too long."""

    objects: dict[bytes, Identity]
    folders: list[bytes]
    left_out: int = 0


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_size, found.st_mtime_ns, found.st_ino)


def scan(root: bytes, limit: int, ignore: Sequence[str] = (), below: bytes = b"") -> Scan:
    """All objects whose keys begin with the folder `below`. Raises OSError if the root cannot be read."""
    objects: dict[bytes, Identity] = {}
    folders: list[bytes] = []
    left_out = 0
    waiting = [below]
    while waiting:
        folder = waiting.pop()
        folders.append(folder)
        for key, found in _entries(root, folder):
            if stat.S_ISDIR(found.st_mode):
                if key.count(b"/") < _DEPTH and len(key) < _KEY_BYTES:
                    waiting.append(key)
                else:
                    left_out += 1
            elif not stat.S_ISREG(found.st_mode) or _ignored(key, ignore):
                continue
            elif len(objects) >= limit or len(key) > _KEY_BYTES:
                left_out += 1
            else:
                objects[key] = _identity(found)
    return Scan(objects, folders, left_out)


def _entries(root: bytes, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """What is in a folder, as it is. What has gone meanwhile, or may not be read, is left out."""
    path = os.path.join(root, folder) if folder else root
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        if not folder:
            raise
        return
    try:
        with os.scandir(descriptor) as entries:
            names = [os.fsencode(entry.name) for entry in entries]
        for name in sorted(names):
            try:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError:
                continue
            yield (folder + b"/" + name if folder else name), found
    finally:
        os.close(descriptor)


def look(root: bytes, key: bytes, ignore: Sequence[str] = ()) -> Identity | None:
    """One object; None if there is none under this key."""
    if len(key) > _KEY_BYTES or _ignored(key, ignore):
        return None
    descriptor = _open_folder(root, key)
    if descriptor < 0:
        return None
    try:
        found = os.stat(key.rpartition(b"/")[2], dir_fd=descriptor, follow_symlinks=False)
        return _identity(found) if stat.S_ISREG(found.st_mode) else None
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _open_folder(root: bytes, key: bytes) -> int:
    """A descriptor of the folder that a key is in, no step of which is a symlink; -1 without one."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        here = os.open(root, flags)
    except OSError:
        return -1
    for part in key.split(b"/")[:-1]:
        if part in (b"", b".", b".."):
            os.close(here)
            return -1
        try:
            there = os.open(part, flags, dir_fd=here)
        except OSError:
            there = -1
        os.close(here)
        if there < 0:
            return -1
        here = there
    return here


def _open_object(root: bytes, key: bytes) -> int:
    """A descriptor of a file to read; -1 without one. It never waits, whatever the file is."""
    folder = _open_folder(root, key)
    if folder < 0:
        return -1
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(key.rpartition(b"/")[2], flags, dir_fd=folder)
    except (OSError, ValueError):
        return -1
    finally:
        os.close(folder)


def notes_of(root: bytes, key: bytes, identity: Identity) -> tuple[str, str]:
    """An ETag, and the `traceparent` that its writer has left in the attribute `user.traceparent`, or "". The
    ETag of a small object is its MD5, as S3 has it; that of another one, with a dash, is made of its size and
    time."""
    known = "\0".join(map(str, identity)).encode()
    etag = f"{hashlib.md5(known, usedforsecurity=False).hexdigest()}-1"
    descriptor = _open_object(root, key)
    if descriptor < 0:
        return etag, ""
    try:
        if identity.size <= _HASHED_BYTES:
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_HASHED_BYTES + 1)
            if len(content) == identity.size:
                etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        trace = os.getxattr(descriptor, _TRACE)[:_TRACE_BYTES].decode("ascii", "replace")
    except OSError:
        trace = ""
    finally:
        os.close(descriptor)
    return etag, trace.strip()


def written_by_someone(root: bytes, key: bytes) -> bool:
    """Whether some process has the file open for writing, as far as the kernel tells us: a read lease is not
    given then. False if it cannot be told (another's file, a file system without leases): its age has to
    do."""
    descriptor = _open_object(root, key)
    if descriptor < 0:
        return False
    try:
        # Whoever opens it in this moment waits until the lease is given back, and we are told by a signal,
        # which by default would end this process: one that is ignored by default instead.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _ignored(key: bytes, patterns: Sequence[str]) -> bool:
    if not patterns:
        return False
    text = os.fsdecode(key)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
