"""Own /tmp folders for the workers of a zygote that is under Landlock, which forbids mounting for good.

They are made before: each a mount namespace (see `spaces`) in a user namespace of its own, held by
descriptors. A worker enters one that is free; what it leaves there is removed before the next one comes.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Sequence
from typing import Final, NoReturn

from relive_runtime.isolation.mounts import unshare
from relive_runtime.isolation.read_only import make_read_only, own_user
from relive_runtime.isolation.spaces import TMP, enter
from relive_runtime.isolation.syscalls import syscall
from relive_runtime.isolation.users import Users, become, keep_capabilities, map_users

__all__ = ["Slot", "SlotPool", "clear", "enter_slot", "make_slots"]

_NEW_MOUNTS: Final = 0x0002_0000
_NEW_USER: Final = 0x1000_0000
_HAS_NAMESPACE: Final = b"\2"
_NR_SETNS: Final = {"x86_64": 308, "aarch64": 268}


class Slot:  # a named tuple takes a quarter of a millisecond to make
    """Descriptors of the two namespaces, and of the /tmp in them."""

    __slots__ = ("mounts", "tmp", "user")

    def __init__(self, user: int, mounts: int, tmp: int) -> None:
        self.user = user
        self.mounts = mounts
        self.tmp = tmp


class SlotPool:
    """Which of a zygote's slots are free."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._free = list(slots)
        self._used: dict[int, tuple[Slot, int]] = {}  # by the worker's pid: with the worker's user
        self._cleaners: dict[int, tuple[Slot, int]] = {}  # by the pid of one that empties it, as that user

    def take(self) -> Slot | None:
        """An empty one; None if all are in use."""
        if not self._free:
            return None
        slot = self._free.pop()
        clear(slot)
        return slot

    def taken(self, slot: Slot | None, pid: int, uid: int = 0) -> None:
        """By this worker, which has become that user (0: it has the zygote's); by nobody if it could not
        be started (below 0)."""
        if slot is not None and pid > 0:
            self._used[pid] = slot, uid
        elif slot is not None:
            self._free.append(slot)

    def free(self, pid: int) -> None:
        """This process has ended. What another user has left, a process of that user removes."""
        cleaned = self._cleaners.pop(pid, None)
        if cleaned is not None:
            self._free.append(cleaned[0])
            return
        slot, uid = self._used.pop(pid, (None, 0))
        if slot is None:
            return
        if not uid:
            clear(slot)
            self._free.append(slot)
            return
        try:
            cleaner = os.fork()
        except OSError:
            self._used[pid] = slot, uid  # lost: no other worker may find what is there
            return
        if not cleaner:
            _clear_as(slot, uid)
        self._cleaners[cleaner] = slot, uid

    def owns(self, pid: int) -> bool:
        """Whether this process empties a slot."""
        return pid in self._cleaners


def make_slots(
    count: int,
    tmp_mb: int,
    readable: Sequence[str],
    writable: Sequence[str],
    users: Users | None = None,
) -> tuple[list[Slot], str]:
    """As many as can be had, and why not all. The caller has one thread, and can wait for its children.

    With `users` it is root: a worker in a slot may become one of them; the first may enter.
    """
    slots: list[Slot] = []
    reason = ""
    started: list[tuple[int, int, bytes]] = []
    for _ in range(count):  # all at once: the kernel lets each wait
        reading, writing = os.pipe2(os.O_CLOEXEC)
        waiting, going = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if not child:
            os.close(going)
            _hold(writing, waiting, tmp_mb, readable, writable, users)
        os.close(writing)
        os.close(waiting)
        started.append((child, reading, b"" if users is None else _let_go(child, reading, going, users)))
        os.close(going)
    for child, reading, early in started:
        try:
            said = early or os.read(reading, 200)
            if said == b"\1":
                slots.append(_slot(child))
            else:
                reason = said.decode(errors="replace") or "the attempt ended early"
        except OSError as error:
            reason = str(error)
        os.close(reading)
        os.kill(child, signal.SIGKILL)
    for child, _reading, _early in started:
        os.waitpid(child, 0)
    return slots, reason


def _let_go(child: int, reading: int, going: int, users: Users) -> bytes:
    """Once it has a user namespace, tell it who is in there; else, why it has none."""
    said = os.read(reading, 200)
    if said != _HAS_NAMESPACE:
        return said
    try:
        map_users(child, users)
        os.write(going, b"\1")
    except OSError as error:
        return str(error).encode()
    return b""


def _slot(pid: int) -> Slot:
    flags = os.O_RDONLY | os.O_CLOEXEC
    return Slot(
        os.open(f"/proc/{pid}/ns/user", flags),
        os.open(f"/proc/{pid}/ns/mnt", flags),
        os.open(f"/proc/{pid}/root{TMP}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),
    )


def _hold(
    writing: int,
    waiting: int,
    tmp_mb: int,
    readable: Sequence[str],
    writable: Sequence[str],
    users: Users | None,
) -> None:
    """Make the namespaces, say so, and wait for the end. Does not return."""
    try:
        # also for root: the worker, which has no capability, is then the owner, and may enter
        if users is None:
            own_user()
        else:
            keep_capabilities()
            become(users.first)
            unshare(_NEW_USER)
            os.write(writing, _HAS_NAMESPACE)
            if not os.read(waiting, 1):
                raise OSError(errno.EPERM, "the user namespace could not be given its users")
        enter(tmp_mb, readable, writable)
        make_read_only([TMP, *writable])
        os.write(writing, b"\1")
        while True:
            signal.pause()
    except OSError as error:
        os.write(writing, (error.strerror or str(error)).encode())
    finally:
        os._exit(1)


def enter_slot(slot: Slot) -> None:
    """Go on in this slot. Raises OSError."""
    number = _NR_SETNS[os.uname().machine]
    syscall(number, slot.user, _NEW_USER)
    syscall(number, slot.mounts, _NEW_MOUNTS)


def _clear_as(slot: Slot, uid: int) -> NoReturn:
    try:
        enter_slot(slot)
        become(uid)
        clear(slot)
    finally:
        os._exit(0)


def clear(slot: Slot) -> None:
    """Remove what a worker has left. What has been mounted there (the function's folders, if they are
    below /tmp) is another file system, and stays. Never raises."""
    _empty(slot.tmp, os.fstat(slot.tmp).st_dev)


def _empty(folder: int, device: int) -> None:
    try:
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    try:
        for name in os.listdir(opened):
            _remove(opened, name, device)
    except OSError:
        pass
    finally:
        os.close(opened)


def _remove(folder: int, name: str, device: int) -> None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if found.st_dev != device:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=folder)
            return
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inner = os.open(name, flags, dir_fd=folder)
        try:
            if os.fstat(inner).st_dev == device:
                os.chmod(f"/proc/self/fd/{inner}", stat.S_IMODE(found.st_mode) | 0o700)
                _empty(inner, device)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return  # it is in use, or holds what stays
